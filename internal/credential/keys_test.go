package credential

import (
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

// TestKeysThatMayNotVerify: a JWT is refused if its key in the set is not usable for it, although that key signed it.
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
		"alg of the key differs": {jwks(publicJWK("k1", es, `"alg":"ES384"`), publicJWK("k2", rs)), jwt},
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
