// Package jose has the parts of JOSE that the gateway needs: the algorithms that may sign a JWT (RFC 7518, RFC 8037,
// RFC 9864), the public keys of a JWK set (RFC 7517), and the verification of one signature. It knows no claims and no
// issuers.
package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// EdDSA is the name under which keys, headers and settings are compared; see Canonical.
const EdDSA = "EdDSA"

// Limits of an RSA modulus, in bits: a smaller one can be factored, and verifying with a larger one costs too much.
const (
	minRSA = 2048
	maxRSA = 8192
)

// algorithms are the algorithms that can be allowed, all asymmetric, each with a check of its kind of key.
var algorithms = map[string]func(crypto.PublicKey) bool{
	"ES256": onCurve(elliptic.P256()), "ES384": onCurve(elliptic.P384()), "ES512": onCurve(elliptic.P521()),
	"RS256": isRSA, "RS384": isRSA, "RS512": isRSA, "PS256": isRSA, "PS384": isRSA, "PS512": isRSA,
	EdDSA: func(k crypto.PublicKey) bool { _, ok := k.(ed25519.PublicKey); return ok },
}

// Algorithms are the names that an issuer can be configured with; Ed25519 is another name of EdDSA.
var Algorithms = []string{"ES256", "ES384", "ES512", "EdDSA", "Ed25519", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}

// Canonical returns the name under which an algorithm is compared. EdDSA (RFC 8037) with a key of the curve Ed25519, the
// only one accepted here, and Ed25519 (RFC 9864, section 2.2) are one algorithm.
func Canonical(alg string) string {
	if alg == "Ed25519" {
		return EdDSA
	}
	return alg
}

// Supported reports whether an issuer can be configured with the algorithm.
func Supported(alg string) bool { return slices.Contains(Algorithms, alg) }

func onCurve(c elliptic.Curve) func(crypto.PublicKey) bool {
	return func(k crypto.PublicKey) bool { e, ok := k.(*ecdsa.PublicKey); return ok && e.Curve == c }
}

func isRSA(k crypto.PublicKey) bool {
	r, ok := k.(*rsa.PublicKey)
	return ok && r.N.BitLen() >= minRSA && r.N.BitLen() <= maxRSA
}

// Fits reports whether the key may be used with the algorithm.
func (k Key) Fits(alg string) bool {
	alg = Canonical(alg)
	fits := algorithms[alg]
	return fits != nil && (k.Algorithm == "" || k.Algorithm == alg) && fits(k.Public)
}

var errSignature = errors.New("the signature does not verify")

// Verify checks a signature over signed (RFC 7515, section 5.2) by an algorithm that fits the key; see Set.Find.
func (k Key) Verify(alg string, signed, signature []byte) error {
	if alg = Canonical(alg); !k.Fits(alg) {
		return errors.New("the key is not of the algorithm's kind")
	}
	if hash, ok := pssHashes[alg]; ok {
		return k.verifyPSS(hash, signed, signature)
	}
	verifier, err := jws.NewVerifier(jwa.SignatureAlgorithm(alg))
	if err != nil {
		return err
	}
	if err := verifier.Verify(signed, signature, k.Public); err != nil {
		return errSignature
	}
	return nil
}

var pssHashes = map[string]crypto.Hash{"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512}

// verifyPSS accepts only salts as long as the hash (RFC 7518, section 3.5); the library accepts any length.
func (k Key) verifyPSS(hash crypto.Hash, signed, signature []byte) error {
	key, ok := k.Public.(*rsa.PublicKey)
	if !ok {
		return errSignature
	}
	if rsa.VerifyPSS(key, hash, digest(hash, signed), signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) != nil {
		return errSignature
	}
	return nil
}

func digest(hash crypto.Hash, b []byte) []byte {
	switch hash {
	case crypto.SHA384:
		sum := sha512.Sum384(b)
		return sum[:]
	case crypto.SHA512:
		sum := sha512.Sum512(b)
		return sum[:]
	default:
		sum := sha256.Sum256(b)
		return sum[:]
	}
}
