package appkit_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
)

const (
	issuer   = "http://127.0.0.1:8082"
	audience = "http://127.0.0.1:8080"
)

var clock = time.Date(2026, 7, 1, 12, 0, 0, 999, time.UTC)

func newKey(t *testing.T) *appkit.Key {
	t.Helper()
	key, err := appkit.GenerateKey()
	require.NoError(t, err)
	return key
}

// cookieSession is an application's callback: the cookie "login" is the session's id.
func cookieSession(_ http.ResponseWriter, r *http.Request) (appkit.Session, error) {
	cookie, err := r.Cookie("login")
	if err != nil {
		return appkit.Session{}, appkit.ErrNoSession
	}
	return appkit.Session{ID: cookie.Value, Subject: "user-7"}, nil
}

// newKit returns a kit whose options the caller may change first.
func newKit(t *testing.T, change func(*appkit.Options)) *appkit.Kit {
	t.Helper()
	keys, err := appkit.NewKeys(newKey(t))
	require.NoError(t, err)
	options := appkit.Options{
		Issuer: issuer, Audience: audience, Keys: keys, Session: cookieSession,
		AllowedOrigins: []string{audience},
		Logger:         slog.New(slog.NewTextHandler(io.Discard, nil)),
		Now:            func() time.Time { return clock },
	}
	if change != nil {
		change(&options)
	}
	kit, err := appkit.New(options)
	require.NoError(t, err)
	return kit
}

func send(kit http.Handler, method, path string, headers map[string]string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, nil)
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	kit.ServeHTTP(recorder, request)
	return recorder
}

// verify checks the token as the gateway does, with only the published keys.
func verify(t *testing.T, kit http.Handler, token string) jwt.Token {
	t.Helper()
	set, err := jwk.Parse(send(kit, http.MethodGet, "/.cloakroom/jwks.json", nil).Body.Bytes())
	require.NoError(t, err)
	verified, err := jwt.Parse([]byte(token), jwt.WithKeySet(set),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithClock(jwt.ClockFunc(func() time.Time { return clock })))
	require.NoError(t, err)
	return verified
}

func inFolder(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(t.TempDir(), name)
}
