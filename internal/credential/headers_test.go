package credential

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/fault"
)

func headerFixture(t testing.TB) *fixture {
	return newFixture(t, func(o *Options) { o.Header = "OIDC_id_token" })
}

// passing returns a request with a header of these values.
func passing(name string, values ...string) *http.Request {
	r := request()
	for _, v := range values {
		r.Header.Add(name, v) // in its canonical form, as the server receives it
	}
	return r
}

// TestProxyHeader: a proxy's header is verified like a bearer token, and its caller is marked as ambient.
func TestProxyHeader(t *testing.T) {
	f, jwt := headerFixture(t), good(claimsOf())
	plain, err := f.Authenticate(bearer(jwt))
	require.NoError(t, err)
	require.False(t, plain.Ambient)
	for _, value := range []string{jwt, "Bearer " + jwt, "bearer " + jwt} {
		for _, name := range []string{"OIDC_id_token", "oidc_ID_token"} {
			c, err := f.Authenticate(passing(name, value))
			require.NoError(t, err)
			require.True(t, c.Ambient)
			require.Equal(t, plain.Session, c.Session)
		}
	}
	again, err := f.Authenticate(bearer(jwt))
	require.NoError(t, err)
	require.False(t, again.Ambient, "the remembered caller is shared")
	both := passing("OIDC_id_token", jwt)
	both.Header.Set("Authorization", "Bearer "+jwt)
	c, err := f.Authenticate(both)
	require.NoError(t, err)
	require.True(t, c.Ambient)
}

func TestProxyHeaderRefuses(t *testing.T) {
	f, jwt := headerFixture(t), good(claimsOf())
	other := good(claimsOf("sid", `"session-2"`))
	with := func(authorization string, values ...string) *http.Request {
		r := passing("OIDC_id_token", values...)
		r.Header["Authorization"] = []string{authorization}
		return r
	}
	for name, r := range map[string]*http.Request{
		"empty": passing("OIDC_id_token", ""), "garbage": passing("OIDC_id_token", "x"), "(null)": passing("OIDC_id_token", "(null)"),
		"twice": passing("OIDC_id_token", jwt, jwt), "two": passing("OIDC_id_token", jwt, other), "an empty one and one": passing("OIDC_id_token", "", jwt),
		"a list": passing("OIDC_id_token", jwt+", "+jwt), "Basic": passing("OIDC_id_token", "Basic "+jwt), "two spaces": passing("OIDC_id_token", "Bearer  "+jwt),
		"expired": passing("OIDC_id_token", good(claimsOf("iat", "1", "exp", "2"))), "forged": passing("OIDC_id_token", token("ES256", testKeys()["mallory"], goodHeader, claimsOf())),
		"beside another bearer": with("Bearer "+other, jwt), "beside Basic": with("Basic dTpw", jwt), "beside a broken one": with("Bearer", jwt),
		"good bearer, bad header": with("Bearer "+jwt, "x"), "good bearer, empty header": with("Bearer "+jwt, ""),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := f.Authenticate(r)
			require.Nil(t, c, name)
			require.Equal(t, fault.Unauthenticated, fault.Public(err).Code, name)
		})
	}
	for _, name := range []string{"OIDC-id-token", "OIDCidtoken", "X-OIDC_id_token", "OIDC_id_token_"} { // other headers
		c, err := f.Authenticate(passing(name, jwt))
		require.NoError(t, err)
		require.Nil(t, c, name)
	}
	c, err := newFixture(t, nil).Authenticate(passing("OIDC_id_token", jwt))
	require.NoError(t, err)
	require.Nil(t, c, "no header is configured")
}

// TestAmbientIssuer: all callers of an ambient issuer are ambient, because a proxy adds its JWTs to Authorization.
func TestAmbientIssuer(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Issuers[0].Ambient = true })
	for range 2 {
		c, err := f.Authenticate(bearer(good(claimsOf())))
		require.NoError(t, err)
		require.True(t, c.Ambient)
	}
}
