package credential

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
)

// oathkeeperIss is Oathkeeper's issuer_url, with the slash at the end as in its documentation.
const oathkeeperIss = "https://oathkeeper.example/"

// oathkeeperJWT makes a JWT as the id_token mutator does: its exp, jti, iat, iss, nbf and sub replace the rule's claims, and
// the first private key of its set signs; the header has alg, kid and typ.
func oathkeeperJWT(alg, key, kid, claims string, ttl time.Duration) string {
	at := start.Unix()
	return token(alg, testKeys()[key], fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"JWT"}`, alg, kid),
		fmt.Sprintf(`{%s"exp":%d,"iat":%d,"iss":%q,"jti":"3ff93e4c-4ad7-4ad5-9d26-0d5b6e14ee2c","nbf":%d,"sub":"5ff0b1d8"}`, claims, at+int64(ttl.Seconds()), at, oathkeeperIss, at))
}

// TestOathkeeperTokens: tokens and key sets of Ory Oathkeeper's id_token mutator, with a session id from the rule's claims.
func TestOathkeeperTokens(t *testing.T) {
	const claims = `"aud":["` + ours + `"],"sid":"kratos-session-1","session":{"id":"kratos-session-1","authenticated_at":"2026-05-04T09:59:00Z"},`
	for alg, key := range map[string]string{"RS256": "rsa", "ES256": "es256"} {
		t.Run(alg, func(t *testing.T) {
			// /.well-known/jwks.json publishes the public half of each key in its files; twice, if a file has the public key
			// too.
			one := publicJWK("a2aa9739-d753-4a0d-87ee-61f101050277", public(key), `"use":"sig"`, fmt.Sprintf(`"alg":%q`, alg))
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, "/.well-known/jwks.json", r.URL.Path)
				w.Header().Set("Content-Type", "application/json; charset=utf-8")
				_, _ = w.Write(jwks(one, one, publicJWK("other", public("bank"), `"use":"sig"`)))
			}))
			defer server.Close()
			f := newFixture(t, func(o *Options) {
				i := clinic()
				i.Issuer, i.JWKS, i.JWKSURL, i.Ambient, i.TrustRoles = oathkeeperIss, nil, server.URL+"/.well-known/jwks.json", true, false
				o.Issuers = []Issuer{i}
			})
			jwt := func(claims string) string {
				return oathkeeperJWT(alg, key, "a2aa9739-d753-4a0d-87ee-61f101050277", claims, 15*time.Minute)
			}
			c, err := f.Authenticate(bearer(jwt(claims)))
			require.NoError(t, err)
			session := caller.HashSession("clinic", "kratos-session-1")
			require.Equal(t, &caller.Caller{
				Tenant: "clinic", Subject: "5ff0b1d8", Session: &session, IssuedAt: start, ExpiresAt: start.Add(15 * time.Minute), Ambient: true,
			}, c)
			for name, claims := range map[string]string{
				"no claims in the rule": "", "no aud": `"sid":"s",`, "no session": `"aud":["` + ours + `"],`, "a template without print": `"aud":["` + ours + `"],"sid":"<no value>",`,
				"a template that found nothing": `"aud":["` + ours + `"],"sid":"",`, "another upstream's": `"aud":["https://other.example"],"sid":"s",`,
			} {
				t.Run(name, func(t *testing.T) {
					_, err := f.Authenticate(bearer(jwt(claims)))
					require.Error(t, err, name)
				})
			}
			_, err = f.Authenticate(bearer(oathkeeperJWT(alg, map[string]string{"RS256": "mallory-rsa", "ES256": "mallory"}[alg], "a2aa9739-d753-4a0d-87ee-61f101050277", claims, time.Minute)))
			require.Error(t, err)
		})
	}
}
