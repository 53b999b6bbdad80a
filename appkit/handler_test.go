package appkit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
)

const (
	sessionURL = "/.cloakroom/session"
	jwksURL    = "/.cloakroom/jwks.json"
)

func requireError(t *testing.T, answer *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	require.Equal(t, status, answer.Code, answer.Body)
	require.Equal(t, "application/json", answer.Header().Get("Content-Type"))
	var body struct {
		Errors []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &body))
	require.Len(t, body.Errors, 1)
	require.Equal(t, code, body.Errors[0].Extensions.Code)
	require.NotEmpty(t, body.Errors[0].Message)
}

func sessionToken(t *testing.T, kit http.Handler, cookie string) string {
	t.Helper()
	answer := send(kit, http.MethodPost, sessionURL, map[string]string{"Cookie": "login=" + cookie})
	require.Equal(t, http.StatusOK, answer.Code, answer.Body)
	require.Equal(t, "no-store", answer.Header().Get("Cache-Control"))
	var body struct{ Token, ExpiresAt string }
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &body))
	require.Equal(t, clock.Truncate(time.Second).Add(5*time.Minute).Format(time.RFC3339), body.ExpiresAt)
	return body.Token
}

func TestSessionEndpointGivesEachCookieItsOwnSession(t *testing.T) {
	kit := newKit(t, nil)
	sid := func(cookie string) any {
		value, _ := verify(t, kit, sessionToken(t, kit, cookie)).Get("sid")
		return value
	}
	require.Equal(t, appkit.SessionID("one"), sid("one"))
	require.Equal(t, sid("one"), sid("one"))
	require.NotEqual(t, sid("one"), sid("two"))
}

func TestSessionEndpointWithoutASession(t *testing.T) {
	requireError(t, send(newKit(t, nil), http.MethodPost, sessionURL, nil), http.StatusUnauthorized, "UNAUTHENTICATED")

	wrapped := newKit(t, func(o *appkit.Options) {
		o.Session = func(http.ResponseWriter, *http.Request) (appkit.Session, error) {
			return appkit.Session{}, fmt.Errorf("expired: %w", appkit.ErrNoSession)
		}
	})
	requireError(t, send(wrapped, http.MethodPost, sessionURL, nil), http.StatusUnauthorized, "UNAUTHENTICATED")
}

func TestSessionEndpointHidesTheCallbacksError(t *testing.T) {
	for _, result := range []error{errors.New("dial tcp: secret-host refused"), nil} { // nil: an empty session
		kit := newKit(t, func(o *appkit.Options) {
			o.Session = func(http.ResponseWriter, *http.Request) (appkit.Session, error) { return appkit.Session{}, result }
		})
		answer := send(kit, http.MethodPost, sessionURL, nil)
		requireError(t, answer, http.StatusInternalServerError, "INTERNAL")
		require.NotContains(t, answer.Body.String(), "secret-host")
	}
}

func TestCallbackMayMakeASession(t *testing.T) {
	kit := newKit(t, func(o *appkit.Options) {
		o.Session = func(w http.ResponseWriter, _ *http.Request) (appkit.Session, error) {
			http.SetCookie(w, &http.Cookie{Name: "login", Value: "fresh"})
			return appkit.Session{ID: "fresh", Subject: "anonymous"}, nil
		}
	})
	answer := send(kit, http.MethodPost, sessionURL, nil)
	require.Equal(t, http.StatusOK, answer.Code)
	require.Equal(t, "login=fresh", answer.Header().Get("Set-Cookie"))
}

func TestSessionEndpointAnswersOnlyItsOrigins(t *testing.T) {
	called := false
	kit := newKit(t, func(o *appkit.Options) {
		o.Session = func(http.ResponseWriter, *http.Request) (appkit.Session, error) {
			called = true
			return appkit.Session{ID: "a", Subject: "s"}, nil
		}
	})
	for _, test := range []struct {
		name, origin, site string
		allowed, cors      bool
	}{
		{name: "no page", allowed: true},
		{name: "typed address", site: "none", allowed: true},
		{name: "own page without Origin", site: "same-origin", allowed: true},
		{name: "own page", origin: issuer, site: "same-origin", allowed: true},
		{name: "allowed page", origin: audience, site: "same-site", allowed: true, cors: true},
		{name: "other page", origin: "https://evil.example", site: "cross-site"},
		{name: "other page of an old browser", origin: "https://evil.example"},
		{name: "other site without Origin", site: "cross-site"},
		{name: "sibling without Origin", site: "same-site"},
		{name: "unknown site", site: "whatever"},
		{name: "sandboxed page", origin: "null"},
		{name: "another port", origin: "http://127.0.0.1:8083"},
		{name: "another scheme", origin: "https://127.0.0.1:8082"},
		{name: "prefix", origin: issuer + ".evil.example"},
		{name: "two in one", origin: issuer + " " + audience},
		{name: "slash", origin: issuer + "/"},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := map[string]string{}
			if test.origin != "" {
				headers["Origin"] = test.origin
			}
			if test.site != "" {
				headers["Sec-Fetch-Site"] = test.site
			}
			for _, method := range []string{http.MethodPost, http.MethodOptions} {
				called = false
				answer := send(kit, method, sessionURL, headers)
				require.Equal(t, test.allowed && method == http.MethodPost, called)
				require.Contains(t, answer.Header().Values("Vary"), "Origin")
				if !test.allowed {
					requireError(t, answer, http.StatusForbidden, "FORBIDDEN")
				}
				if test.cors {
					require.Equal(t, test.origin, answer.Header().Get("Access-Control-Allow-Origin"))
					require.Equal(t, "true", answer.Header().Get("Access-Control-Allow-Credentials"))
				} else {
					require.Empty(t, answer.Header().Values("Access-Control-Allow-Origin"))
				}
			}
		})
	}
}

func TestSessionEndpointRefusesTwoOrigins(t *testing.T) {
	kit := newKit(t, nil)
	request := httptest.NewRequest(http.MethodPost, sessionURL, nil)
	request.Header["Origin"] = []string{issuer, "https://evil.example"}
	recorder := httptest.NewRecorder()
	kit.ServeHTTP(recorder, request)
	requireError(t, recorder, http.StatusForbidden, "FORBIDDEN")
}

func TestPreflightAllowsAPost(t *testing.T) {
	answer := send(newKit(t, nil), http.MethodOptions, sessionURL, map[string]string{
		"Origin": audience, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type",
	})
	require.Equal(t, http.StatusNoContent, answer.Code)
	require.Equal(t, "POST", answer.Header().Get("Access-Control-Allow-Methods"))
	require.Equal(t, "Content-Type", answer.Header().Get("Access-Control-Allow-Headers"))
}

func TestOtherMethodsAndPathsAreRefused(t *testing.T) {
	kit := newKit(t, nil)
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE"} {
		answer := send(kit, method, sessionURL, nil)
		requireError(t, answer, http.StatusMethodNotAllowed, "BAD_USER_INPUT")
		require.Equal(t, "POST, OPTIONS", answer.Header().Get("Allow"))
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		answer := send(kit, method, jwksURL, nil)
		requireError(t, answer, http.StatusMethodNotAllowed, "BAD_USER_INPUT")
		require.Equal(t, "GET, HEAD", answer.Header().Get("Allow"))
	}
	for _, path := range []string{"/.cloakroom/", "/.cloakroom/sign-in/", "/.cloakroom/SIGN-IN", "/.cloakroom/session/", "/.cloakroom/SESSION"} {
		requireError(t, send(kit, http.MethodGet, path, nil), http.StatusNotFound, "BAD_USER_INPUT")
	}
}

func TestJWKSIsPublic(t *testing.T) {
	answer := send(newKit(t, nil), http.MethodGet, jwksURL, map[string]string{"Origin": "https://evil.example"})
	require.Equal(t, http.StatusOK, answer.Code)
	require.Equal(t, "application/jwk-set+json", answer.Header().Get("Content-Type"))
	require.Equal(t, "public, max-age=60", answer.Header().Get("Cache-Control"))
	require.Empty(t, answer.Header().Values("Set-Cookie"))
}
