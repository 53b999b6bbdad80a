package clinic_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/examples/clinic"
)

const (
	baseURL    = "http://127.0.0.1:8082"
	gatewayURL = "http://127.0.0.1:8080"
	objectsURL = "http://127.0.0.1:8081"
	sessionURL = "/.cloakroom/session"
)

func newClinic(t *testing.T, change func(*clinic.Options)) *clinic.Clinic {
	t.Helper()
	options := clinic.Options{
		BaseURL: baseURL, GatewayURL: gatewayURL, ObjectsURL: objectsURL,
		DataDir: t.TempDir(), PlaygroundOrigins: []string{gatewayURL},
	}
	if change != nil {
		change(&options)
	}
	handler, err := clinic.New(options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, handler.Close()) })
	return handler
}

func send(handler http.Handler, method, target string, cookie *http.Cookie) *http.Response {
	request := httptest.NewRequest(method, target, nil)
	request.Host = "127.0.0.1:8082"
	if cookie != nil {
		request.AddCookie(cookie)
	}
	return serve(handler, request)
}

func serve(handler http.Handler, request *http.Request) *http.Response {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Result()
}

// session requests a session token, and returns its session id and the response's cookie.
func session(t *testing.T, handler http.Handler, target string, cookie *http.Cookie) (string, *http.Cookie) {
	t.Helper()
	answer := send(handler, http.MethodPost, target, cookie)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	var body struct{ Token string }
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&body))
	keys, err := jwk.ParseReader(send(handler, http.MethodGet, "/.cloakroom/jwks.json", nil).Body)
	require.NoError(t, err)
	token, err := jwt.Parse([]byte(body.Token), jwt.WithKeySet(keys), jwt.WithIssuer(baseURL), jwt.WithAudience(gatewayURL))
	require.NoError(t, err)
	require.Equal(t, "anonymous", token.Subject())
	sid, _ := token.Get("sid")
	require.NotEmpty(t, sid)
	if cookies := answer.Cookies(); len(cookies) > 0 {
		require.Len(t, cookies, 1)
		return sid.(string), cookies[0]
	}
	return sid.(string), nil
}

func TestVisitorKeepsOneSession(t *testing.T) {
	handler := newClinic(t, nil)
	first, cookie := session(t, handler, sessionURL, nil)
	require.NotNil(t, cookie)
	again, renewed := session(t, handler, sessionURL, cookie)
	require.Equal(t, first, again)
	require.Nil(t, renewed)
	require.NotContains(t, cookie.Value, first)

	stranger, _ := session(t, handler, sessionURL, nil)
	require.NotEqual(t, first, stranger)
}

func TestNewStartsAnotherSession(t *testing.T) {
	handler := newClinic(t, nil)
	first, cookie := session(t, handler, sessionURL, nil)
	second, replaced := session(t, handler, sessionURL+"?new=1", cookie)
	require.NotEqual(t, first, second)
	require.NotNil(t, replaced)
	require.Equal(t, cookie.Name, replaced.Name)
}

func TestCookieIsOutOfReach(t *testing.T) {
	_, cookie := session(t, newClinic(t, nil), sessionURL, nil)
	require.Equal(t, "cloakroom_clinic_8082", cookie.Name)
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	require.Equal(t, "/", cookie.Path)
	require.Empty(t, cookie.Domain)
	require.False(t, cookie.Secure)

	secure := newClinic(t, func(o *clinic.Options) { o.BaseURL = "https://clinic.example" })
	cookie = send(secure, http.MethodPost, sessionURL, nil).Cookies()[0]
	require.Equal(t, "__Host-cloakroom_clinic", cookie.Name)
	require.True(t, cookie.Secure)
}

func TestSessionsAndKeysSurviveARestart(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "data")
	start := func() *clinic.Clinic {
		return newClinic(t, func(o *clinic.Options) { o.DataDir = folder })
	}
	first, cookie := session(t, start(), sessionURL, nil)
	again, _ := session(t, start(), sessionURL, cookie)
	require.Equal(t, first, again)
	for _, name := range []string{clinic.SigningKeyFile, clinic.CookieSecretFile} {
		info, err := os.Stat(filepath.Join(folder, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}

	other, _ := session(t, newClinic(t, nil), sessionURL, cookie)
	require.NotEqual(t, first, other, "another clinic's cookie is not accepted")
}

func TestExpiredSessionIsReplaced(t *testing.T) {
	folder := t.TempDir()
	at := func(now time.Time) *clinic.Clinic {
		return newClinic(t, func(o *clinic.Options) {
			o.DataDir, o.Now = folder, func() time.Time { return now }
		})
	}
	cookie := send(at(time.Now().Add(-7*24*time.Hour)), http.MethodPost, sessionURL, nil).Cookies()[0]
	_, replaced := session(t, at(time.Now()), sessionURL, cookie)
	require.NotNil(t, replaced)
}

func TestOriginsThatMayHaveSessions(t *testing.T) {
	handler := newClinic(t, nil)
	for origin, status := range map[string]int{baseURL: 200, gatewayURL: 200, objectsURL: 403, "https://evil.example": 403} {
		t.Run(origin, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodPost, baseURL+sessionURL+"?new=1", nil)
			request.Header.Set("Origin", origin)
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			require.Equal(t, status, recorder.Code, origin)
			require.Equal(t, status == 200, recorder.Header().Get("Set-Cookie") != "", origin)
		})
	}
}

func TestPageMayReachTheGatewayAndTheStoreOnly(t *testing.T) {
	answer := send(newClinic(t, func(o *clinic.Options) { o.ObjectsURL = objectsURL + "/bucket" }), http.MethodGet, "/", nil)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Equal(t, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "+
		"connect-src 'self' "+gatewayURL+" "+objectsURL+"; frame-src 'self' "+gatewayURL+"; base-uri 'none'; form-action 'self'; "+
		"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
		answer.Header.Get("Content-Security-Policy"))
	require.Empty(t, answer.Cookies())
	html, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Contains(t, string(html), `data-graphql="`+gatewayURL+`/graphql"`)
	require.NotContains(t, string(html), "<script>")
	require.NotContains(t, string(html), "style=")
}

func TestOnlyTheClinicMayFrameTheEndOfASignIn(t *testing.T) {
	answer := send(newClinic(t, nil), http.MethodGet, "/signed-in", nil)
	require.Equal(t, "default-src 'none'; frame-ancestors 'self'", answer.Header.Get("Content-Security-Policy"))
}

func TestAVisitorSignsInWithTheSessionOfHisCookie(t *testing.T) {
	handler := newClinic(t, nil)
	const signIn = "/.cloakroom/sign-in?state=AAAA"
	answer := send(handler, http.MethodGet, signIn, nil)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	made := answer.Cookies()
	require.Len(t, made, 1)
	again := send(handler, http.MethodGet, signIn, made[0])
	require.Equal(t, http.StatusOK, again.StatusCode)
	require.Empty(t, again.Cookies())
	page, err := io.ReadAll(again.Body)
	require.NoError(t, err)
	sid, _ := session(t, handler, sessionURL, made[0])
	_, assertion, _ := strings.Cut(string(page), `name="assertion" value="`)
	assertion, _, _ = strings.Cut(assertion, `"`)
	token, err := jwt.ParseInsecure([]byte(assertion))
	require.NoError(t, err)
	claims := token.PrivateClaims()
	require.Equal(t, sid, claims["sid"])
	require.NotEmpty(t, claims["session_exp"], "the gateway's cookie ends with the clinic's")
}

func TestPaths(t *testing.T) {
	handler := newClinic(t, nil)
	for path, want := range map[string]string{
		"/": "text/html; charset=utf-8", "/try": "text/html; charset=utf-8", "/clinic.js": "text/javascript; charset=utf-8",
		"/style.css": "text/css; charset=utf-8", "/signed-in": "text/html; charset=utf-8", "/icon.svg": "image/svg+xml",
	} {
		t.Run(path, func(t *testing.T) {
			answer := send(handler, http.MethodGet, path, nil)
			require.Equal(t, want, answer.Header.Get("Content-Type"), path)
			require.Equal(t, http.StatusMethodNotAllowed, send(handler, http.MethodPost, path, nil).StatusCode, path)
		})
	}
	for _, path := range []string{"/index.html", "/page/clinic.js", "/signed-in.html"} {
		require.Equal(t, http.StatusNotFound, send(handler, http.MethodGet, path, nil).StatusCode, path)
	}
}

func TestLocalhostIsSentToTheBaseURL(t *testing.T) {
	handler := newClinic(t, nil)
	for host, status := range map[string]int{
		"127.0.0.1:8082": 200, "localhost:8082": 307, "[::1]:8082": 307, "clinic.example": 421,
	} {
		t.Run(host, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodGet, "/", nil)
			request.Host = host
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			require.Equal(t, status, recorder.Code, host)
			if status == 307 {
				require.Equal(t, baseURL+"/", recorder.Header().Get("Location"))
			}
		})
	}
}

func TestNewNamesTheBadOption(t *testing.T) {
	for name, change := range map[string]func(*clinic.Options){
		"BaseURL":        func(o *clinic.Options) { o.BaseURL = baseURL + "/clinic" },
		"Issuer":         func(o *clinic.Options) { o.BaseURL = "" },
		"Audience":       func(o *clinic.Options) { o.GatewayURL = "" },
		"ObjectsURL":     func(o *clinic.Options) { o.ObjectsURL = "http://a; script-src *" },
		"DataDir":        func(o *clinic.Options) { o.DataDir = "" },
		"AllowedOrigins": func(o *clinic.Options) { o.PlaygroundOrigins = []string{"*"} },
	} {
		t.Run(name, func(t *testing.T) {
			options := clinic.Options{BaseURL: baseURL, GatewayURL: gatewayURL, ObjectsURL: objectsURL, DataDir: t.TempDir()}
			change(&options)
			_, err := clinic.New(options)
			require.ErrorContains(t, err, name)
		})
	}
}

func TestGivenKeysSign(t *testing.T) {
	key, err := appkit.GenerateKey()
	require.NoError(t, err)
	keys, err := appkit.NewKeys(key)
	require.NoError(t, err)
	folder := t.TempDir()
	handler := newClinic(t, func(o *clinic.Options) { o.Keys, o.DataDir = keys, folder })
	published, err := io.ReadAll(send(handler, http.MethodGet, "/.cloakroom/jwks.json", nil).Body)
	require.NoError(t, err)
	require.Equal(t, string(keys.JWKS()), string(published))
	require.NoFileExists(t, filepath.Join(folder, clinic.SigningKeyFile))
}

// TestItAnswersUnderItsOwnNameOnly: if another name resolves to this address, its page has the same origin to a browser.
func TestItAnswersUnderItsOwnNameOnly(t *testing.T) {
	c := newClinic(t, nil)
	for _, path := range []string{"/login", "/logout", "/graphql", "/.cloakroom/session"} {
		r := httptest.NewRequest(http.MethodPost, "http://rebound.example:8082"+path, strings.NewReader(`{"query":"{__typename}"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", "http://rebound.example:8082")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		require.Equal(t, http.StatusMisdirectedRequest, w.Code, path)
	}
}
