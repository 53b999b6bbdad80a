package embedded

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// signer names who a URL was signed for, as the URL carries it: 8 bytes for the tenant, then 8 for the session. The zero
// signer is nobody in particular.
type signer [16]byte

func (s signer) tenant() [8]byte { return [8]byte(s[:8]) }

// text is the signer as a URL's parameter.
func (s signer) text() string {
	if s == (signer{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(s[:])
}

// parseSigner reads what a URL says, once its signature holds; a text that is not a signer's is the zero signer's.
func parseSigner(text string) (s signer) {
	if b, err := base64.RawURLEncoding.Strict().DecodeString(text); err == nil && len(b) == len(s) {
		copy(s[:], b)
	}
	return s
}

// names makes signers. The salt is of this process alone and nowhere else, so that nobody can tell from a URL which
// session it is, or find one session's URLs among those of before a restart.
type names struct{ salt [32]byte }

func newNames() *names {
	n := &names{}
	_, _ = rand.Read(n.salt[:]) // never fails (crypto/rand)
	return n
}

func (n *names) of(g objects.Signer) (s signer) {
	if g == (objects.Signer{}) {
		return s
	}
	var short [256]byte
	b := append(short[:0], n.salt[:]...)
	tenant := sha256.Sum256(append(append(b, 't'), g.Tenant...))
	session := sha256.Sum256(append(append(append(b, 's'), g.Session[:]...), g.Tenant...))
	copy(s[:8], tenant[:])
	copy(s[8:], session[:])
	return s
}
