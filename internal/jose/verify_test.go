package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/jose"
)

var hashes = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}

func sum(h crypto.Hash, input []byte) []byte {
	d := h.New()
	d.Write(input)
	return d.Sum(nil)
}

// sign makes a signature by the standard library alone. salt is of PSS.
func sign(t *testing.T, alg string, key crypto.Signer, input []byte, salt int) []byte {
	t.Helper()
	var sig []byte
	var err error
	switch alg[:2] {
	case "Ed":
		sig, err = key.Sign(rand.Reader, input, crypto.Hash(0))
	case "ES":
		k := key.(*ecdsa.PrivateKey)
		r, s, e := ecdsa.Sign(rand.Reader, k, sum(hashes[alg[2:]], input))
		size := (k.Curve.Params().BitSize + 7) / 8
		sig, err = make([]byte, 2*size), e
		r.FillBytes(sig[:size])
		s.FillBytes(sig[size:])
	case "RS":
		sig, err = rsa.SignPKCS1v15(rand.Reader, key.(*rsa.PrivateKey), hashes[alg[2:]], sum(hashes[alg[2:]], input))
	case "PS":
		sig, err = rsa.SignPSS(rand.Reader, key.(*rsa.PrivateKey), hashes[alg[2:]], sum(hashes[alg[2:]], input), &rsa.PSSOptions{SaltLength: salt})
	}
	require.NoError(t, err)
	return sig
}

func keyOf(t *testing.T, alg string) (crypto.Signer, jose.Key) {
	t.Helper()
	name := map[string]string{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519", "Ed25519": "Ed25519"}[alg]
	if name == "" {
		name = "RSA"
	}
	s, err := jose.ParseSet(set(pairs()[name].public))
	require.NoError(t, err)
	k, err := s.Find(alg, name)
	require.NoError(t, err)
	return pairs()[name].private, k
}

// TestVerify: each algorithm verifies its own signature of a text, and not of another text, nor another algorithm's.
func TestVerify(t *testing.T) {
	input := []byte("header.payload")
	for _, alg := range jose.Algorithms {
		t.Run(alg, func(t *testing.T) {
			private, public := keyOf(t, alg)
			sig := sign(t, alg, private, input, rsa.PSSSaltLengthEqualsHash)
			require.NoError(t, public.Verify(alg, input, sig))
			require.Error(t, public.Verify(alg, []byte("header.other"), sig))
			sig[0] ^= 1
			require.Error(t, public.Verify(alg, input, sig))
			sig[0] ^= 1
			for _, other := range append([]string{"none", "HS256", "ESP256", "Ed448", ""}, jose.Algorithms...) {
				if jose.Canonical(other) != jose.Canonical(alg) {
					require.Error(t, public.Verify(other, input, sig), other)
				}
			}
		})
	}
}

// TestSaltLength: a PSS signature has a salt as long as its hash (RFC 7518, section 3.5), and is refused with any other.
func TestSaltLength(t *testing.T) {
	input := []byte("header.payload")
	for alg, hash := range map[string]int{"PS256": 32, "PS384": 48, "PS512": 64} {
		// PSSSaltLengthAuto makes it as long as the modulus allows, which is what some libraries do by default.
		for _, salt := range []int{rsa.PSSSaltLengthAuto, 1, 20, 31, 32, 33, 48, 64, 100} {
			t.Run(fmt.Sprintf("%s with %d bytes", alg, salt), func(t *testing.T) {
				private, public := keyOf(t, alg)
				err := public.Verify(alg, input, sign(t, alg, private, input, salt))
				require.Equal(t, salt == hash, err == nil)
			})
		}
	}
}
