package credential

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/stretchr/testify/require"
)

// BenchmarkRemembered measures a request with a cached JWT; "none" is a request without a credential.
func BenchmarkRemembered(b *testing.B) {
	f := newFixture(b, nil)
	for name, r := range map[string]*http.Request{"none": request(), "JWT": bearer(good(claimsOf()))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Authenticate(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFirstVerification compares the verification of a new JWT with jwx alone: "jws" verifies the signature, "jwt"
// also parses and validates the claims.
func BenchmarkFirstVerification(b *testing.B) {
	for alg, key := range map[string]string{"ES256": "es256", "RS256": "rsa", "EdDSA": "ed"} {
		kid := map[string]string{"ES256": "k1", "RS256": "k2", "EdDSA": "k3"}[alg]
		jwts := make([]string, 512)
		for i := range jwts {
			jwts[i] = token(alg, testKeys()[key], fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"JWT"}`, alg, kid), claimsOf("sid", fmt.Sprintf(`"s%d"`, i)))
		}
		each := func(name string, verify func(jwt string) error) {
			b.Run(alg+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if err := verify(jwts[i%len(jwts)]); err != nil {
						b.Fatal(err)
					}
					i++
				}
			})
		}
		f := newFixture(b, func(o *Options) { o.Remember = 1 })
		each("ours", func(s string) error { _, err := f.Authenticate(bearer(s)); return err })
		public, err := jwk.FromRaw(public(key))
		require.NoError(b, err)
		require.NoError(b, public.Set(jwk.KeyIDKey, kid))
		require.NoError(b, public.Set(jwk.AlgorithmKey, alg))
		set := jwk.NewSet()
		require.NoError(b, set.AddKey(public))
		each("jws", func(s string) error {
			_, err := jws.Verify([]byte(s), jws.WithKey(jwa.SignatureAlgorithm(alg), public))
			return err
		})
		each("jwt", func(s string) error {
			_, err := jwt.Parse([]byte(s), jwt.WithKeySet(set), jwt.WithIssuer(clinicIss), jwt.WithAudience(ours), jwt.WithClock(jwt.ClockFunc(newClock().now)))
			return err
		})
	}
}
