package session

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
)

// maxKeys bounds an issuer's key set.
const maxKeys = 64

// algorithms are those that can be allowed: asymmetric ones (RFC 7518, section 3.1; RFC 8037).
var algorithms = map[string]func(crypto.PublicKey) bool{
	"ES256": onCurve(elliptic.P256()), "ES384": onCurve(elliptic.P384()), "ES512": onCurve(elliptic.P521()),
	"RS256": isRSA, "RS384": isRSA, "RS512": isRSA, "PS256": isRSA, "PS384": isRSA, "PS512": isRSA,
	"EdDSA": func(k crypto.PublicKey) bool { _, ok := k.(ed25519.PublicKey); return ok },
}

// SupportedAlgorithm reports whether an issuer can be configured with the algorithm.
func SupportedAlgorithm(alg string) bool { return algorithms[alg] != nil }

func onCurve(c elliptic.Curve) func(crypto.PublicKey) bool {
	return func(k crypto.PublicKey) bool { e, ok := k.(*ecdsa.PublicKey); return ok && e.Curve == c }
}

func isRSA(k crypto.PublicKey) bool {
	r, ok := k.(*rsa.PublicKey)
	return ok && r.N.BitLen() >= 2048 && r.N.BitLen() <= 8192
}

type publicKey struct {
	kid, alg   string // alg: "" where the set leaves it open
	key        crypto.PublicKey
	thumbprint Thumbprint
}

// Thumbprint names a public key: SHA-256 over its required members (RFC 7638).
type Thumbprint [sha256.Size]byte

func (k publicKey) equal(other publicKey) bool {
	same, ok := k.key.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.kid == other.kid && k.alg == other.alg && same.Equal(other.key)
}

// keySet is one version of an issuer's public keys; it is never changed. Remembered JWTs point to
// the version that verified them.
type keySet struct {
	keys []publicKey
	raw  string // what it was parsed from, to notice a change
}

var errNoKey = errors.New("no key of the issuer fits the JWT")

// parseKeySet reads a JWKS (RFC 7517, section 5). Keys that can't verify signatures are left out; a
// private or symmetric key anywhere in it refuses the set, for it has been published.
func parseKeySet(b []byte) (*keySet, error) {
	set, err := jwk.Parse(b)
	if err != nil {
		return nil, errors.New("not a JWKS") // the parser's text may quote the input
	}
	if set.Len() > maxKeys {
		return nil, fmt.Errorf("over %d keys in the JWKS", maxKeys)
	}
	ks := &keySet{raw: string(b)}
	for i := range set.Len() {
		k, _ := set.Key(i)
		if k.KeyType() == jwa.OctetSeq {
			return nil, errors.New("a symmetric key in the JWKS")
		}
		if private, err := jwk.IsPrivateKey(k); err != nil || private {
			return nil, errors.New("a private key in the JWKS")
		}
		if use := k.KeyUsage(); use != "" && use != "sig" {
			continue
		}
		if ops := k.KeyOps(); len(ops) > 0 && !slices.Contains(ops, jwk.KeyOpVerify) {
			continue
		}
		var raw any
		if err := k.Raw(&raw); err != nil {
			continue // of a kind that this program does not know
		}
		if e, ok := raw.(*ecdsa.PublicKey); ok {
			if _, err := e.Bytes(); err != nil {
				continue // not a point of its curve
			}
		}
		// Some sets, as Oathkeeper's, name a key twice: what they were made of has its private and its public half.
		print, err := k.Thumbprint(crypto.SHA256)
		if err != nil {
			continue
		}
		if one := (publicKey{k.KeyID(), k.Algorithm().String(), raw, Thumbprint(print)}); !slices.ContainsFunc(ks.keys, one.equal) {
			ks.keys = append(ks.keys, one)
		}
	}
	if len(ks.keys) == 0 {
		return nil, errors.New("no public key for signatures in the JWKS")
	}
	return ks, nil
}

// find returns the key for a header: that of its kid or, where it names none, the only one that fits.
func (ks *keySet) find(h header) (publicKey, error) {
	var found []publicKey
	for _, k := range ks.keys {
		if (h.kid == "" || k.kid == h.kid) && (k.alg == "" || k.alg == h.alg) && algorithms[h.alg](k.key) {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		return publicKey{}, errNoKey
	}
	return found[0], nil
}

func (ks *keySet) holds(t Thumbprint) bool {
	return slices.ContainsFunc(ks.keys, func(k publicKey) bool { return k.thumbprint == t })
}
