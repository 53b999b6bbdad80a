package appkit_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
)

// requirePage requires a page without scripts or forms that shows the code.
func requirePage(t testing.TB, answer *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	require.Equal(t, status, answer.Code, answer.Body)
	require.Contains(t, answer.Body.String(), "<small>"+code+"</small>")
	header := answer.Header()
	require.Equal(t, "text/html; charset=utf-8", header.Get("Content-Type"))
	require.Equal(t, "no-store", header.Get("Cache-Control"))
	require.Equal(t, "default-src 'none'; script-src 'none'; base-uri 'none'; form-action 'self' "+audience+
		"; frame-ancestors 'self' "+audience, header.Get("Content-Security-Policy"))
	require.NotContains(t, answer.Body.String(), "<script")
	require.NotContains(t, answer.Body.String(), "<form")
	require.NotContains(t, answer.Body.String(), "eyJ")
}

// hostile are requests to the sign-in of a user who is logged in, which must not get an assertion.
var hostile = []struct {
	name, method, query string
	headers             [][2]string
	status              int
}{
	{name: "HEAD", method: "HEAD", status: 405},
	{name: "POST", method: "POST", status: 405},
	{name: "PUT", method: "PUT", status: 405},
	{name: "DELETE", method: "DELETE", status: 405},
	{name: "PATCH", method: "PATCH", status: 405},
	{name: "OPTIONS", method: "OPTIONS", status: 405},
	{name: "TRACE", method: "TRACE", status: 405},
	{name: "CONNECT", method: "CONNECT", status: 405},
	{name: "a method in lower case", method: "get", status: 405},
	{name: "override", method: "POST", headers: [][2]string{{"X-HTTP-Method-Override", "GET"}}, status: 405},

	{name: "no state", query: "-", status: 400},
	{name: "empty state", query: "state=", status: 400},
	{name: "two states", query: "state=AAAA&state=BBBB", status: 400},
	{name: "two states by semicolon", query: "state=AAAA;state=BBBB", status: 400},
	{name: "something before", query: "x=1&state=AAAA", status: 400},
	{name: "something after", query: "state=AAAA&x=1", status: 400},
	{name: "ampersand after", query: "state=AAAA&", status: 400},
	{name: "ampersand before", query: "&state=AAAA", status: 400},
	{name: "assertion beside", query: "state=AAAA&assertion=eyJ", status: 400},
	{name: "another name", query: "State=AAAA", status: 400},
	{name: "brackets", query: "state[]=AAAA", status: 400},
	{name: "encoded name", query: "st%61te=AAAA", status: 400},
	{name: "encoded letter", query: "state=%41AAA", status: 400},
	{name: "padding", query: "state=AAA=", status: 400},
	{name: "encoded padding", query: "state=AAA%3D", status: 400},
	{name: "impossible length", query: "state=AAAAA", status: 400},
	{name: "standard alphabet +", query: "state=AA+A", status: 400},
	{name: "standard alphabet /", query: "state=AA/A", status: 400},
	{name: "dot", query: "state=AA.A", status: 400},
	{name: "tilde", query: "state=AA~A", status: 400},
	{name: "space", query: "state=AA%20A", status: 400},
	{name: "plus as space", query: "state=+AAAA", status: 400},
	{name: "oversized", query: "state=" + strings.Repeat("A", 4<<10+2), status: 400},
	{name: "huge", query: "state=" + strings.Repeat("A", 1<<20), status: 400},
	{name: "header injection", query: "state=AAAA%0d%0aSet-Cookie:%20a=b", status: 400},
	{name: "NUL", query: "state=AAAA%00", status: 400},
	{name: "script", query: `state="><script>alert(1)</script>`, status: 400},
	{name: "encoded script", query: "state=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", status: 400},
	{name: "attribute", query: `state="onfocus=alert(1)%20autofocus`, status: 400},
	{name: "javascript URL", query: "state=javascript:alert(1)", status: 400},
	{name: "entity", query: "state=&#34;&#62;", status: 400},
	{name: "template", query: "state={{.Assertion}}", status: 400},
	{name: "bad escape", query: "state=%zz", status: 400},
	{name: "not UTF-8", query: "state=%ff%fe", status: 400},
	{name: "not ASCII", query: "state=AAA\u0410", status: 400},
	{name: "full-width", query: "state=\uff21\uff21\uff21\uff21", status: 400},
	{name: "overlong <", query: "state=%c0%bc", status: 400},

	{name: "fetch", headers: [][2]string{{"Sec-Fetch-Mode", "cors"}}, status: 403},
	{name: "fetch without CORS", headers: [][2]string{{"Sec-Fetch-Mode", "no-cors"}}, status: 403},
	{name: "same-origin fetch", headers: [][2]string{{"Sec-Fetch-Mode", "same-origin"}}, status: 403},
	{name: "WebSocket", headers: [][2]string{{"Sec-Fetch-Mode", "websocket"}}, status: 403},
	{name: "empty mode", headers: [][2]string{{"Sec-Fetch-Mode", ""}}, status: 403},
	{name: "another case", headers: [][2]string{{"Sec-Fetch-Mode", "Navigate"}}, status: 403},
	{name: "two modes", headers: [][2]string{{"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Mode", "cors"}}, status: 403},
	{name: "modes in a list", headers: [][2]string{{"Sec-Fetch-Mode", "navigate, cors"}}, status: 403},
	{name: "script element", headers: [][2]string{{"Sec-Fetch-Dest", "script"}}, status: 403},
	{name: "image element", headers: [][2]string{{"Sec-Fetch-Dest", "image"}}, status: 403},
	{name: "object element", headers: [][2]string{{"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "object"}}, status: 403},
	{name: "embed element", headers: [][2]string{{"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "embed"}}, status: 403},
	{name: "fenced frame", headers: [][2]string{{"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "fencedframe"}}, status: 403},
	{name: "worker", headers: [][2]string{{"Sec-Fetch-Dest", "worker"}}, status: 403},
	{name: "prefetch", headers: [][2]string{{"Sec-Purpose", "prefetch"}}, status: 403},
	{name: "prerender", headers: [][2]string{{"Sec-Purpose", "prefetch;prerender"}}, status: 403},
	{name: "foreign Origin", headers: [][2]string{{"Origin", "https://evil.example"}}, status: 403},
	{name: "opaque Origin", headers: [][2]string{{"Origin", "null"}}, status: 403},
	{name: "empty Origin", headers: [][2]string{{"Origin", ""}}, status: 403},
	{name: "Origin of another port", headers: [][2]string{{"Origin", "http://127.0.0.1:8083"}}, status: 403},
	{name: "Origin with our prefix", headers: [][2]string{{"Origin", issuer + ".evil.example"}}, status: 403},
	{name: "Origin with a slash", headers: [][2]string{{"Origin", issuer + "/"}}, status: 403},
	{name: "two Origins", headers: [][2]string{{"Origin", issuer}, {"Origin", "https://evil.example"}}, status: 403},
}

func TestHostileRequestsGetNoAssertion(t *testing.T) {
	asked := false
	kit := newKit(t, func(o *appkit.Options) {
		o.Session = func(w http.ResponseWriter, r *http.Request) (appkit.Session, error) {
			asked = true
			return cookieSession(w, r)
		}
	})
	codes := map[int]string{400: "BAD_USER_INPUT", 403: "FORBIDDEN", 405: "BAD_USER_INPUT"}
	for _, test := range hostile {
		t.Run(test.name, func(t *testing.T) {
			asked = false
			request := signInRequest(test.query)
			if test.method != "" {
				request.Method = test.method
			}
			for _, h := range test.headers {
				request.Header.Add(h[0], h[1])
			}
			recorder := httptest.NewRecorder()
			kit.ServeHTTP(recorder, request)
			requirePage(t, recorder, test.status, codes[test.status])
			require.False(t, asked, "the Session callback ran, and might have made a session")
			require.NotContains(t, recorder.Body.String(), "alert(1)")
			require.Empty(t, recorder.Header().Values("Set-Cookie"))
			require.Empty(t, recorder.Header().Values("Access-Control-Allow-Origin"))
		})
	}
}

// signInRequest sets the raw query, which url.Parse might refuse, since a server gets the client's text unchecked.
func signInRequest(query string) *http.Request {
	request := httptest.NewRequest(http.MethodGet, signInURL, nil)
	request.Header.Set("Cookie", "login=abc")
	switch query {
	case "":
		query = "state=" + state
	case "-":
		query = ""
	}
	request.URL = &url.URL{Path: signInURL, RawQuery: query}
	return request
}

func TestNavigationsOfAllKindsAreServed(t *testing.T) {
	kit := newKit(t, nil)
	for _, headers := range []map[string]string{
		{}, // a browser without Fetch Metadata
		{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-User": "?1"},
		{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"},
		{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "frame", "Sec-Fetch-Site": "same-origin"},
		{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Origin": issuer},
		{"Origin": audience},
	} {
		request := signInRequest("")
		for name, value := range headers {
			request.Header.Set(name, value)
		}
		recorder := httptest.NewRecorder()
		kit.ServeHTTP(recorder, request)
		require.Equal(t, http.StatusOK, recorder.Code, headers)
	}
}

func TestNewRefusesASignInPageThatMayBeAnothers(t *testing.T) {
	for _, page := range []string{
		"login", "//evil.example/login", "https://evil.example/login", "/\\evil.example", "\\/evil.example", "javascript:alert(1)",
		"/login#x", "/login\r\nSet-Cookie: a=b", "?x", "/lögin", "///evil.example", "/%zz",
	} {
		keys, err := appkit.NewKeys(newKey(t))
		require.NoError(t, err)
		_, err = appkit.New(appkit.Options{Issuer: issuer, Audience: audience, Keys: keys, Session: cookieSession, SignInPage: page})
		require.ErrorContains(t, err, "SignInPage", page)
	}
}

// FuzzSignIn sends any state: the answer is a page with that state and no other input of the caller, or a refusal
// without any input.
func FuzzSignIn(f *testing.F) {
	keys, err := appkit.GenerateKey()
	require.NoError(f, err)
	set, err := appkit.NewKeys(keys)
	require.NoError(f, err)
	kit, err := appkit.New(appkit.Options{Issuer: issuer, Audience: audience, Keys: set, Session: cookieSession})
	require.NoError(f, err)
	for _, test := range hostile {
		f.Add(test.query)
	}
	f.Add("state=" + state)
	f.Fuzz(func(t *testing.T, query string) {
		recorder := httptest.NewRecorder()
		request := signInRequest(query)
		kit.ServeHTTP(recorder, request)
		switch recorder.Code {
		case http.StatusOK:
			sent := readForm(t, recorder)
			require.Equal(t, "state="+sent.fields["state"][0], request.URL.RawQuery)
			require.Regexp(t, `\A[A-Za-z0-9_-]+\z`, sent.fields["state"][0])
			require.Len(t, sent.fields, 2)
			require.True(t, kit.SignInReturn(signInURL+"?"+request.URL.RawQuery))
		default:
			requirePage(t, recorder, http.StatusBadRequest, "BAD_USER_INPUT")
			require.False(t, kit.SignInReturn(signInURL+"?"+request.URL.RawQuery))
		}
	})
}
