package session

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
)

func smallRSA(bits int) string {
	p, _ := rand.Prime(rand.Reader, bits/2)
	q, _ := rand.Prime(rand.Reader, bits/2)
	return publicJWK("small", &rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537})
}

// TestKeySets: what refuses a whole set, and what is only left out of it.
func TestKeySets(t *testing.T) {
	es := public("es256")
	d, err := testKeys()["es256"].(*ecdsa.PrivateKey).Bytes()
	require.NoError(t, err)
	private := publicJWK("k1", es, fmt.Sprintf(`"d":%q`, b64(d)))
	symmetric := `{"kty":"oct","kid":"k0","k":"AAAAAAAAAAAAAAAAAAAAAA"}`
	sig := publicJWK("k1", es)
	many := func(n int) []byte {
		keys := make([]string, n)
		for i := range keys {
			keys[i] = publicJWK(fmt.Sprint("k", i), es)
		}
		return jwks(keys...)
	}
	for name, set := range map[string][]byte{
		"empty": nil, "no JSON": []byte("<html>"), "null": []byte("null"), "a list": []byte("[]"), "no keys": jwks(), "keys null": []byte(`{"keys":null}`),
		"a private key": jwks(private), "a private key beside a public one": jwks(sig, private), "a private key for encryption": jwks(sig, private[:len(private)-1]+`,"use":"enc"}`),
		"a symmetric key": jwks(symmetric), "a symmetric key beside a public one": jwks(sig, symmetric),
		"65 keys": many(65), "for encryption only": jwks(publicJWK("k1", es, `"use":"enc"`)), "off the curve": jwks(badCurve()),
		"unknown kinds only": jwks(`{"kty":"AKP","kid":"k1","alg":"ML-DSA-44","pub":"AAAA"}`), "truncated": many(3)[:200],
	} {
		ks, err := parseKeySet(set)
		require.Error(t, err, name)
		require.Nil(t, ks, name)
		require.NotContains(t, err.Error(), b64(d), name)
	}
	for name, set := range map[string][]byte{
		"64 keys": many(64), "encryption left out": jwks(publicJWK("k2", es, `"use":"enc"`), sig), "a single JWK": []byte(sig),
		"other members": []byte(`{"issuer":"x","keys":[` + sig + `],"next":1}`),
	} {
		_, err := parseKeySet(set)
		require.NoError(t, err, name)
	}
}

// TestKeysThatMayNotVerify: keys of the set that are not for this JWT, though its signature is theirs.
func TestKeysThatMayNotVerify(t *testing.T) {
	es, rs := public("es256"), public("rsa")
	jwt := good(claimsOf())
	rsaJWT := func(kid string) string {
		return token("RS256", testKeys()["rsa"], fmt.Sprintf(`{"alg":"RS256","kid":%q,"typ":"JWT"}`, kid), claimsOf())
	}
	noKid := headed(`{"alg":"ES256","typ":"JWT"}`)
	for name, test := range map[string]struct {
		set []byte
		jwt string
	}{
		"use enc":                {jwks(publicJWK("k1", es, `"use":"enc"`), publicJWK("k2", rs)), jwt},
		"alg of the key differs": {jwks(publicJWK("k1", es, `"alg":"ES384"`)), jwt},
		"RSA key for PS256":      {jwks(publicJWK("k2", rs, `"alg":"PS256"`)), rsaJWT("k2")},
		"the kid of another":     {jwks(publicJWK("k2", es), publicJWK("k1", public("es384"))), jwt},
		"two of one kid":         {jwks(publicJWK("k1", es), publicJWK("k1", public("bank"))), jwt},
		"no kid, two fit":        {jwks(publicJWK("k1", es), publicJWK("k2", public("bank"))), noKid},
		"a key without a kid":    {jwks(publicJWK("", es)), jwt},
		"key_ops encrypt":        {jwks(publicJWK("k1", es, `"key_ops":["encrypt"]`), publicJWK("k2", rs)), jwt},
		"RSA of 1024 bits":       {jwks(smallRSA(1024), publicJWK("k1", es)), token("RS256", testKeys()["rsa"], `{"alg":"RS256","kid":"small","typ":"JWT"}`, claimsOf())},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *Options) { o.Issuers[0].JWKS = test.set })
			_, err := f.Authenticate(bearer(test.jwt))
			require.Error(t, err)
		})
	}
	for name, test := range map[string]struct {
		set []byte
		jwt string
	}{
		"one kid, two kinds":           {jwks(publicJWK("k1", es), publicJWK("k1", rs)), jwt},
		"no kid, one kind":             {jwks(publicJWK("k1", es), publicJWK("k2", rs), publicJWK("k3", public("es384"))), noKid},
		"no kid, the other for ES384":  {jwks(publicJWK("k1", es), publicJWK("k2", public("bank"), `"use":"enc"`)), noKid},
		"no kid in the set or the JWT": {jwks(publicJWK("", es)), noKid},
		"key_ops verify":               {jwks(publicJWK("k1", es, `"key_ops":["verify"]`)), jwt},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *Options) { o.Issuers[0].JWKS = test.set })
			_, err := f.Authenticate(bearer(test.jwt))
			require.NoError(t, err)
		})
	}
}

// TestRSASizes: small moduli are refused, whoever signed, and huge ones, which cost too much to check.
func TestRSASizes(t *testing.T) {
	for bits, want := range map[int]bool{512: false, 1024: false, 2047: false, 2048: true, 3072: true, 8192: true, 8193: false, 16384: false} {
		n := new(big.Int).SetBit(new(big.Int), bits-1, 1)
		require.Equal(t, want, isRSA(&rsa.PublicKey{N: n, E: 65537}), bits)
	}
}
