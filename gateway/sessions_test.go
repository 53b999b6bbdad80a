package gateway_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// unhurriedPoll lets a busy machine stall for half a minute before a replica refuses every credential.
func unhurriedPoll(c *gateway.Config) { c.Credentials.EndedPoll = 3 * time.Second }

// replicaOf makes a gateway share another's database, keys and issuers.
func replicaOf(first *gateway.Config) func(*gateway.Config) {
	return func(c *gateway.Config) {
		c.Database, c.Keys, c.Issuers, c.Credentials = first.Database, first.Keys, nil, first.Credentials
		for _, i := range first.Issuers {
			if i.Audience == "" {
				i.Audience = first.HTTP.PublicURL
			}
			c.Issuers = append(c.Issuers, i)
		}
	}
}

func clientOf(t testing.TB, url string, credentials gatewaytest.Credentials) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Endpoint: url, Credentials: credentials, Timeout: time.Minute})
	require.NoError(t, err)
	return c
}

// refused reports whether a session's JWT is refused; any other failure fails the test.
func refused(t testing.TB, c *client.Client) bool {
	t.Helper()
	who, err := c.Viewer(context.Background())
	if err == nil {
		require.NotEmpty(t, who.SessionHash)
		return false
	}
	require.ErrorIs(t, err, client.ErrUnauthenticated)
	return true
}

// TestEndSessionOnEveryReplica: two gateways on one database, and a third that starts later.
func TestEndSessionOnEveryReplica(t *testing.T) {
	a := gatewaytest.Start(t, unhurriedPoll)
	b := gatewaytest.Start(t, replicaOf(a.Config))
	gone, kept := a.Session(gatewaytest.Own, "gone"), a.Session(gatewaytest.Own, "kept")
	app := a.Application(gatewaytest.Own)
	goneID, keptID := appkit.SessionID("gone"), appkit.SessionID("kept")
	ctx := t.Context()
	mine, err := clientOf(t, a.URL, gone).Tokenize(ctx, client.Value{})
	require.NoError(t, err)
	other, err := clientOf(t, b.URL, kept).Tokenize(ctx, client.Value{})
	require.NoError(t, err)
	missing := func(url, session, token string) int {
		list, err := clientOf(t, url, app).VerifyGrants(ctx, session, []directives.Check{
			{Token: token, Kind: directives.GrantKindRead}, {Token: token, Kind: directives.GrantKindStore},
		})
		require.NoError(t, err)
		return len(list)
	}
	for _, url := range []string{a.URL, b.URL} { // remembered by both
		require.False(t, refused(t, clientOf(t, url, gone)))
		require.Zero(t, missing(url, goneID, mine.Token))
	}

	n, err := clientOf(t, a.URL, app).EndSession(ctx, goneID)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.True(t, refused(t, clientOf(t, a.URL, gone)), "at once")
	for _, url := range []string{a.URL, b.URL} {
		require.Equal(t, 2, missing(url, goneID, mine.Token), "the grants are revoked on both")
	}
	require.Eventually(t, func() bool { return refused(t, clientOf(t, b.URL, gone)) }, 30*time.Second, 10*time.Millisecond)
	c := gatewaytest.Start(t, replicaOf(a.Config))
	require.True(t, refused(t, clientOf(t, c.URL, gone)), "after a restart")
	for _, url := range []string{a.URL, b.URL, c.URL} {
		granted, err := clientOf(t, url, app).CreateGrants(ctx, goneID, []directives.Grant{{Tokens: []string{mine.Token}, Kinds: []directives.GrantKind{directives.GrantKindRead}}})
		require.NoError(t, err)
		require.Equal(t, []directives.Granted{{Missing: []string{mine.Token}}}, granted, "no grant is created for an ended session")
		require.False(t, refused(t, clientOf(t, url, kept)))
		require.Zero(t, missing(url, keptID, other.Token))
	}
	require.Contains(t, metricsOf(t, a.URL), `cloakroom_sessions_ended_total{reason="application"} 1`)
	require.Regexp(t, regexp.MustCompile(`cloakroom_ended_credentials_total\{by="session"\} [1-9]`), metricsOf(t, b.URL))
	require.Eventually(t, func() bool { return strings.Contains(metricsOf(t, b.URL), "cloakroom_ended_sessions 1") }, 30*time.Second, 50*time.Millisecond)
}

func metricsOf(t testing.TB, gatewayURL string) string {
	t.Helper()
	answer, err := http.Get(gatewayURL + "/metrics")
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(text)
}

// provider is an identity provider that signs session JWTs and logout tokens with one key.
type provider struct {
	iss string
	key jwk.Key
}

func newProvider(t testing.TB) *provider {
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key, err := jwk.FromRaw(raw)
	require.NoError(t, err)
	require.NoError(t, key.Set(jwk.KeyIDKey, "p1"))
	return &provider{iss: "https://login.example", key: key}
}

func (p *provider) trusted(t testing.TB, logout bool) func(*gateway.Config) {
	public, err := p.key.PublicKey()
	require.NoError(t, err)
	set := jwk.NewSet()
	require.NoError(t, set.AddKey(public))
	text, err := json.Marshal(set)
	require.NoError(t, err)
	return func(c *gateway.Config) {
		i := gateway.DefaultIssuer()
		i.Name, i.Issuer, i.JWKS, i.TrustRoles, i.BackChannelLogout = "people", p.iss, string(text), false, logout
		if logout {
			i.LogoutAudience = "client-1"
		}
		c.Issuers = append(c.Issuers, i)
	}
}

func (p *provider) sign(t testing.TB, typ string, claims map[string]any) string {
	t.Helper()
	token := jwt.New()
	for name, v := range claims {
		require.NoError(t, token.Set(name, v))
	}
	headers := jws.NewHeaders()
	require.NoError(t, headers.Set(jws.TypeKey, typ))
	b, err := jwt.Sign(token, jwt.WithKey(jwa.ES256, p.key, jws.WithProtectedHeaders(headers)))
	require.NoError(t, err)
	return string(b)
}

// session returns a session's credentials, issued at a moment.
func (p *provider) session(t testing.TB, audience, sub, sid string, at time.Time) gatewaytest.Credentials {
	jwt := p.sign(t, "JWT", map[string]any{
		"iss": p.iss, "aud": audience, "sub": sub, "sid": sid, "iat": at.Unix(), "exp": at.Add(time.Hour).Unix(),
	})
	return func(context.Context) (string, time.Time, error) { return jwt, at.Add(time.Hour), nil }
}

func (p *provider) logout(t testing.TB, sub, sid string) string {
	claims := map[string]any{
		"iss": p.iss, "aud": "client-1", "iat": time.Now().Unix(), "exp": time.Now().Add(2 * time.Minute).Unix(), "jti": rand.Text(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	for name, v := range map[string]string{"sub": sub, "sid": sid} {
		if v != "" {
			claims[name] = v
		}
	}
	return p.sign(t, "logout+jwt", claims)
}

func send(t testing.TB, gatewayURL, logoutToken string) int {
	t.Helper()
	answer, err := http.PostForm(gatewayURL+"/session/back-channel-logout", url.Values{"logout_token": {logoutToken}})
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, "no-store", answer.Header.Get("Cache-Control"))
	return answer.StatusCode
}

// TestBackChannelLogout: the provider ends one session, then all of a subject's.
func TestBackChannelLogout(t *testing.T) {
	p := newProvider(t)
	g := gatewaytest.Start(t, p.trusted(t, true))
	past := time.Now().Add(-10 * time.Second)
	credentials := func(sub, sid string) gatewaytest.Credentials { return p.session(t, g.URL, sub, sid, past) }
	one, two, other := clientOf(t, g.URL, credentials("ann", "s1")), clientOf(t, g.URL, credentials("ann", "s2")), clientOf(t, g.URL, credentials("bob", "s3"))
	made, err := one.Tokenize(t.Context(), client.Value{})
	require.NoError(t, err)
	for _, c := range []*client.Client{one, two, other} {
		require.False(t, refused(t, c))
	}
	revoked := ""
	grants, err := g.Grants("people")
	require.NoError(t, err)
	grants.(directives.Revoker).OnRevoke(func(session string, _ []string) { revoked = session })

	token := p.logout(t, "ann", "s1")
	for range 2 { // a replay changes nothing
		require.Equal(t, http.StatusOK, send(t, g.URL, token))
		require.True(t, refused(t, one))
		require.False(t, refused(t, two), "another session of the same subject")
	}
	require.Equal(t, "s1", revoked)
	missing, err := grants.VerifyGrants(t.Context(), "s1", []directives.Check{{Token: made.Token, Kind: directives.GrantKindRead}})
	require.NoError(t, err)
	require.Len(t, missing, 1)

	all := p.logout(t, "ann", "")
	for range 2 {
		require.Equal(t, http.StatusOK, send(t, g.URL, all))
		require.True(t, refused(t, two))
		require.False(t, refused(t, other))
	}
	later := clientOf(t, g.URL, p.session(t, g.URL, "ann", "s4", time.Now().Add(2*time.Second)))
	require.False(t, refused(t, later), "a later sign-in is not ended")

	jwt, _, _ := credentials("bob", "s3")(t.Context())
	require.Equal(t, http.StatusBadRequest, send(t, g.URL, jwt), "a session's JWT is no logout token")
	require.True(t, refused(t, clientOf(t, g.URL, func(context.Context) (string, time.Time, error) {
		return p.logout(t, "bob", "s3"), time.Now().Add(time.Minute), nil
	})))
	require.False(t, refused(t, other))
	text := metricsOf(t, g.URL)
	require.Contains(t, text, `cloakroom_logout_tokens_total{outcome="accepted"} 4`)
	require.Contains(t, text, `cloakroom_logout_tokens_total{outcome="refused"} 1`)
}

// TestBackChannelLogoutIsOff unless an issuer is configured to send logout tokens: the route does not exist.
func TestBackChannelLogoutIsOff(t *testing.T) {
	p := newProvider(t)
	g := gatewaytest.Start(t, p.trusted(t, false))
	answer, err := http.PostForm(g.URL+"/session/back-channel-logout", url.Values{"logout_token": {p.logout(t, "ann", "s1")}})
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusNotFound, answer.StatusCode)
	require.False(t, refused(t, clientOf(t, g.URL, p.session(t, g.URL, "ann", "s1", time.Now()))))
}
