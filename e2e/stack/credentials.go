package stack

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/examples/clinic"
	"github.com/cloakroomhq/cloakroom/gateway"
)

// Session is one browser's anonymous session at the application.
type Session struct {
	JWT    string
	client *http.Client
	appURL string
}

// Session signs a new visitor in.
func (s *Stack) Session(t testing.TB) *Session {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	session := &Session{client: &http.Client{Transport: s.HTTP.Transport, Jar: jar}, appURL: s.AppURL}
	session.Renew(t)
	return session
}

// Renew gets another JWT for the session, with its cookie.
func (s *Session) Renew(t testing.TB) {
	t.Helper()
	response, err := s.client.Post(s.appURL+"/.cloakroom/session", "", nil)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusOK, response.StatusCode)
	var body struct{ Token string }
	require.NoError(t, json.NewDecoder(response.Body).Decode(&body))
	require.NotEmpty(t, body.Token)
	s.JWT = body.Token
}

// ID returns the session's id at the gateway.
func (s *Session) ID(t testing.TB) string { return SessionID(t, s.JWT) }

// Cookie returns the value of the application's cookie.
func (s *Session) Cookie(t testing.TB) string {
	t.Helper()
	u, err := url.Parse(s.appURL)
	require.NoError(t, err)
	cookies := s.client.Jar.Cookies(u)
	require.Len(t, cookies, 1)
	return cookies[0].Value
}

// SessionID returns the claim sid of a session's JWT.
func SessionID(t testing.TB, jwt string) string {
	t.Helper()
	parts := strings.Split(jwt, ".")
	require.Len(t, parts, 3)
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var claims struct{ Sid string }
	require.NoError(t, json.Unmarshal(payload, &claims))
	require.NotEmpty(t, claims.Sid)
	return claims.Sid
}

// ApplicationJWT returns a credential of the example application's backend, signed with the key in its data.
func (s *Stack) ApplicationJWT(t testing.TB) string {
	t.Helper()
	key, err := appkit.LoadOrCreateKey(filepath.Join(s.Data, clinic.SigningKeyFile))
	require.NoError(t, err)
	return applicationToken(t, newKit(t, key, s.AppURL, s.GatewayURL))
}

// Tenant is another application that the gateway can be configured to trust.
type Tenant struct {
	Name, Issuer string
	key          *appkit.Key
}

// NewTenant makes an application with its own key.
func NewTenant(t testing.TB, name string) *Tenant {
	t.Helper()
	key, err := appkit.GenerateKey()
	require.NoError(t, err)
	return &Tenant{Name: name, Issuer: "https://" + name + ".example", key: key}
}

// Trusted makes the gateway trust the tenant, with inline keys.
func (n *Tenant) Trusted(t testing.TB) Option {
	return Configure(func(c *gateway.Config) {
		i := gateway.DefaultIssuer()
		i.Name, i.Issuer, i.JWKS, i.TrustRoles = n.Name, n.Issuer, n.JWKS(t), true
		c.Issuers = append(c.Issuers, i)
	})
}

// JWKS returns the tenant's public keys, as it publishes them.
func (n *Tenant) JWKS(t testing.TB) string {
	t.Helper()
	w := httptest.NewRecorder()
	newKit(t, n.key, n.Issuer, n.Issuer).ServeHTTP(w, httptest.NewRequest(http.MethodGet, appkit.Path+"jwks.json", nil))
	require.Equal(t, http.StatusOK, w.Code)
	return w.Body.String()
}

// SessionJWT returns a JWT for the tenant's session with this id, at a gateway. The claim sid is
// appkit.SessionID of the id.
func (n *Tenant) SessionJWT(t testing.TB, gatewayURL, id string) string {
	t.Helper()
	jwt, _, err := newKit(t, n.key, n.Issuer, gatewayURL).SessionToken(t.Context(), appkit.Session{ID: id, Subject: "user"})
	require.NoError(t, err)
	return jwt
}

// ApplicationJWT returns the tenant's own credential at a gateway.
func (n *Tenant) ApplicationJWT(t testing.TB, gatewayURL string) string {
	t.Helper()
	return applicationToken(t, newKit(t, n.key, n.Issuer, gatewayURL))
}

func applicationToken(t testing.TB, kit *appkit.Kit) string {
	t.Helper()
	jwt, _, err := kit.ApplicationToken(t.Context())
	require.NoError(t, err)
	return jwt
}

func newKit(t testing.TB, key *appkit.Key, issuer, audience string, changes ...func(*appkit.Options)) *appkit.Kit {
	t.Helper()
	keys, err := appkit.NewKeys(key)
	require.NoError(t, err)
	options := appkit.Options{Issuer: issuer, Audience: audience, Keys: keys,
		Session: func(http.ResponseWriter, *http.Request) (appkit.Session, error) {
			return appkit.Session{}, appkit.ErrNoSession
		}}
	for _, change := range changes {
		change(&options)
	}
	kit, err := appkit.New(options)
	require.NoError(t, err)
	return kit
}

// ExpiredJWT returns the example application's JWT for a session, signed as of an hour ago.
func (s *Stack) ExpiredJWT(t testing.TB) string {
	t.Helper()
	key, err := appkit.LoadOrCreateKey(filepath.Join(s.Data, clinic.SigningKeyFile))
	require.NoError(t, err)
	kit := newKit(t, key, s.AppURL, s.GatewayURL, func(o *appkit.Options) { o.Now = func() time.Time { return time.Now().Add(-time.Hour) } })
	jwt, _, err := kit.SessionToken(t.Context(), appkit.Session{ID: "expired", Subject: "user"})
	require.NoError(t, err)
	return jwt
}

// Login logs a user in at the example application, and returns the browser's cookies there and the JWT of the session.
func (s *Stack) Login(t testing.TB, email, password string) ([]*http.Cookie, string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	session := &Session{client: &http.Client{Transport: s.HTTP.Transport, Jar: jar}, appURL: s.AppURL}
	response, err := session.client.PostForm(s.AppURL+"/login", url.Values{"email": {email}, "password": {password}})
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	session.Renew(t)
	at, err := url.Parse(s.AppURL)
	require.NoError(t, err)
	return jar.Cookies(at), session.JWT
}
