package embedded

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// signer is the form of objects.Signer in a URL: 8 bytes for the tenant, then 8 for the session. The zero signer names no
// session.
type signer [16]byte

func (s signer) tenant() [8]byte { return [8]byte(s[:8]) }

// text returns the signer as a URL's parameter.
func (s signer) text() string {
	if s == (signer{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(s[:])
}

// parseSigner parses the signer of a URL with a verified signature; it returns the zero signer for any other text.
func parseSigner(text string) (s signer) {
	if b, err := base64.RawURLEncoding.Strict().DecodeString(text); err == nil && len(b) == len(s) {
		copy(s[:], b)
	}
	return s
}

// names makes signers. The salt is random for each process and not stored, so that a URL does not reveal its session, and
// URLs of one session from before and after a restart can't be linked.
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
