package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/gateway"
)

var field = regexp.MustCompile(`name="(state|assertion)" value="([^"]*)"`)

// browse follows the flow as a browser does, and returns the answer from /session/create.
func (w *world) browse(t *testing.T, a *app, jar http.CookieJar, query url.Values) *answer {
	t.Helper()
	got := w.do(t, newRequest(t, "GET", w.url+"/session/ensure?"+query.Encode(), nil, "Sec-Fetch-Mode", "navigate"), jar)
	require.Equal(t, http.StatusSeeOther, got.StatusCode, got.body)
	page := w.do(t, newRequest(t, "GET", got.Header.Get("Location"), nil), jar)
	form := url.Values{}
	for _, m := range field.FindAllStringSubmatch(page.body, -1) {
		form.Set(m[1], w.secret(m[2]))
	}
	require.Len(t, form, 2, page.body)
	return w.do(t, newRequest(t, "POST", w.url+"/session/create", strings.NewReader(form.Encode()),
		"Content-Type", "application/x-www-form-urlencoded", "Origin", a.URL, "Sec-Fetch-Mode", "navigate"), jar)
}

const viewerQuery = `{"query":"{ viewer { tenant subject sessionHash roles } }"}`

// graphql sends a document with the jar's cookie.
func (w *world) graphql(t *testing.T, jar http.CookieJar, document string, headers ...string) *answer {
	t.Helper()
	return w.do(t, newRequest(t, "POST", w.url+"/graphql", strings.NewReader(document), append(headers, "Content-Type", "application/json")...), jar)
}

// TestSignIn runs the flow with a browser's cookies, over HTTP on loopback and over TLS, and compares the exact answers.
func TestSignIn(t *testing.T) {
	for name, test := range map[string]struct {
		tls        bool
		configure  func(*gateway.Config)
		attributes string // after the value
		lifetime   time.Duration
	}{
		"http":   {false, nil, "; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict", time.Hour},
		"strict": {true, nil, "; Path=/; Max-Age=%d; HttpOnly; Secure; SameSite=Strict", time.Hour},
		"lax": {true, func(c *gateway.Config) { c.SignIn.Cookie.SameSite, c.SignIn.Cookie.Lifetime = "lax", 10*time.Minute },
			"; Path=/; Max-Age=%d; HttpOnly; Secure; SameSite=Lax", 10 * time.Minute},
		"none":        {true, func(c *gateway.Config) { c.SignIn.Cookie.SameSite = "none" }, "; Path=/; Max-Age=%d; HttpOnly; Secure; SameSite=None", time.Hour},
		"partitioned": {true, func(c *gateway.Config) { c.SignIn.Cookie.SameSite, c.SignIn.Cookie.Partitioned = "none", true }, "; Path=/; Max-Age=%d; HttpOnly; Secure; SameSite=None; Partitioned", time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, test.tls, test.configure)
			jar, err := cookiejar.New(nil)
			require.NoError(t, err)
			got := w.do(t, newRequest(t, "GET", w.url+"/session/verify", nil), jar)
			require.Equal(t, http.StatusUnauthorized, got.StatusCode)
			require.Equal(t, "UNAUTHENTICATED", got.code())

			got = w.do(t, newRequest(t, "GET", w.url+"/session/ensure?provider=clinic", nil), jar)
			require.Equal(t, http.StatusSeeOther, got.StatusCode)
			require.Regexp(t, "^"+regexp.QuoteMeta(w.clinic.URL)+`/\.cloakroom/sign-in\?state=[A-Za-z0-9_-]{100,1000}$`, got.Header.Get("Location"))
			require.Len(t, got.Header.Values("Set-Cookie"), 1)
			require.Regexp(t, "^"+w.cookieName("browser")+"=[A-Za-z0-9_-]{43}"+regexp.QuoteMeta(fmt.Sprintf(test.attributes, 1800))+"$", got.Header.Get("Set-Cookie"))
			w.checkNavigation(t, got)

			got = w.browse(t, w.clinic, jar, url.Values{"provider": {"clinic"}, "return_to": {pages + "list?page=2"}})
			require.Equal(t, http.StatusSeeOther, got.StatusCode, got.body)
			require.Equal(t, pages+"list?page=2", got.Header.Get("Location"))
			require.Len(t, got.Header.Values("Set-Cookie"), 1)
			require.Regexp(t, "^"+w.cookieName("session")+"=[A-Za-z0-9_-]{150,600}"+regexp.QuoteMeta(fmt.Sprintf(test.attributes, int(test.lifetime/time.Second)))+"$",
				got.Header.Get("Set-Cookie"))
			require.Empty(t, got.Header.Get("Access-Control-Allow-Origin"))
			w.checkNavigation(t, got)
			value, _ := w.set(got, "session")
			w.secret(value)

			w.checkSession(t, jar, w.clinic, test.lifetime)
			w.checkLog(t)
		})
	}
}

func (w *world) checkNavigation(t *testing.T, got *answer) {
	t.Helper()
	require.Equal(t, "no-store", got.Header.Get("Cache-Control"))
	require.Equal(t, "no-referrer", got.Header.Get("Referrer-Policy"))
	require.Equal(t, "nosniff", got.Header.Get("X-Content-Type-Options"))
	require.Equal(t, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self' "+w.clinic.URL, got.Header.Get("Content-Security-Policy"))
}

// checkSession checks that the cookie is the application's session, for /session/verify and for GraphQL.
func (w *world) checkSession(t *testing.T, jar http.CookieJar, a *app, lifetime time.Duration) {
	t.Helper()
	got := w.do(t, newRequest(t, "GET", w.url+"/session/verify", nil, "Origin", a.URL), jar)
	require.Equal(t, http.StatusOK, got.StatusCode, got.body)
	require.Equal(t, a.URL, got.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "true", got.Header.Get("Access-Control-Allow-Credentials"))
	require.Contains(t, got.Header.Get("Access-Control-Expose-Headers"), "Cloakroom-Session-Hash")
	require.Equal(t, "no-store", got.Header.Get("Cache-Control"))
	var said struct {
		Tenant, Subject, SessionHash string
		ExpiresAt                    time.Time
	}
	require.NoError(t, json.Unmarshal([]byte(got.body), &said))
	require.Equal(t, a.name, said.Tenant)
	require.Equal(t, a.subject, said.Subject)
	require.WithinDuration(t, time.Now().Add(lifetime), said.ExpiresAt, 30*time.Second)
	require.Equal(t, said.SessionHash, got.Header.Get("Cloakroom-Session-Hash"))
	got = w.graphql(t, jar, viewerQuery, "Origin", a.URL)
	require.JSONEq(t, fmt.Sprintf(`{"data":{"viewer":{"tenant":%q,"subject":%q,"sessionHash":%q,"roles":[]}}}`, a.name, a.subject, said.SessionHash), got.body)
	require.Equal(t, said.SessionHash, got.Header.Get("Cloakroom-Session-Hash"))
	bearer := w.do(t, newRequest(t, "GET", w.url+"/session/verify", nil, "Authorization", "Bearer "+a.session(nil)), nil)
	require.Equal(t, said.SessionHash, bearer.Header.Get("Cloakroom-Session-Hash"), "the same session by a bearer token")
}

// TestSignInDefaults: the only provider, and its first return_to, need not be named.
func TestSignInDefaults(t *testing.T) {
	w := newWorld(t, false, func(c *gateway.Config) { c.Issuers[1].SignIn.Enabled = false })
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	got := w.browse(t, w.clinic, jar, nil)
	require.Equal(t, w.clinic.URL+"/", got.Header.Get("Location"))
	require.Equal(t, http.StatusMethodNotAllowed, w.do(t, newRequest(t, "DELETE", w.url+"/session/verify", nil), nil).StatusCode)
	head := w.do(t, newRequest(t, "HEAD", w.url+"/session/verify", nil), jar)
	require.Equal(t, http.StatusOK, head.StatusCode)
	require.Empty(t, head.body)
	require.Equal(t, http.StatusSeeOther, w.do(t, newRequest(t, "HEAD", w.url+"/session/ensure", nil), jar).StatusCode)

	none := newWorld(t, false, func(c *gateway.Config) { c.Issuers[0].SignIn.Enabled, c.Issuers[1].SignIn.Enabled = false, false })
	got = none.do(t, newRequest(t, "GET", none.url+"/session/ensure", nil), nil)
	require.Equal(t, http.StatusBadRequest, got.StatusCode)
	bearer := newRequest(t, "GET", none.url+"/session/verify", nil, "Authorization", "Bearer "+none.clinic.session(nil))
	require.Equal(t, http.StatusOK, none.do(t, bearer, nil).StatusCode, "a bearer token needs no flow")
}

// TestTwoTabs: two concurrent sign-ins of one browser both succeed, in either order.
func TestTwoTabs(t *testing.T) {
	w := newWorld(t, false, nil)
	first, browser := w.begin(t, w.clinic)
	got := w.do(t, newRequest(t, "GET", w.url+"/session/ensure?provider=clinic", nil, "Cookie", w.cookieName("browser")+"="+browser), nil)
	again, _ := w.set(got, "browser")
	require.Equal(t, browser, again)
	to, err := url.Parse(got.Header.Get("Location"))
	require.NoError(t, err)
	for _, state := range []string{to.Query().Get("state"), first} {
		got := w.do(t, w.form(t, w.clinic.URL, browser, state, w.clinic.assertion(state)), nil)
		require.Equal(t, http.StatusSeeOther, got.StatusCode, got.body)
	}
}

// TestSessionEndsWithTheApplications: the cookie expires with the application's session at the latest.
func TestSessionEndsWithTheApplications(t *testing.T) {
	w := newWorld(t, false, nil)
	state, browser := w.begin(t, w.clinic)
	ends := time.Now().Add(3 * time.Minute).Truncate(time.Second)
	got := w.do(t, w.form(t, w.clinic.URL, browser, state, w.clinic.assertion(state, map[string]any{"session_exp": ends.Unix()})), nil)
	require.Equal(t, http.StatusSeeOther, got.StatusCode)
	for _, c := range got.Cookies() {
		require.InDelta(t, 180, c.MaxAge, 30)
	}
	value, _ := w.set(got, "session")
	require.Contains(t, w.verify(t, value).body, ends.UTC().Format(time.RFC3339))
}

// TestUserSwitch: the flow always runs, so that another user's login replaces the cookie, and a page that was
// loaded for the first user gets an error.
func TestUserSwitch(t *testing.T) {
	w := newWorld(t, false, nil)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	ask := url.Values{"provider": {"clinic"}}
	w.browse(t, w.clinic, jar, ask)
	first := w.graphql(t, jar, viewerQuery, "Origin", w.clinic.URL).Header.Get("Cloakroom-Session-Hash")
	pinned := func() *answer {
		return w.graphql(t, jar, `{"query":"mutation { tokenize { token } }"}`, "Origin", w.clinic.URL, "Cloakroom-Session-Hash", first)
	}
	require.Empty(t, pinned().code())
	tokens := w.rows(t)["tokens"]
	w.clinic.sid, w.clinic.subject = "another-sid-of-the-clinic", "user2@clinic"
	w.browse(t, w.clinic, jar, ask)
	got := pinned()
	require.Equal(t, http.StatusPreconditionFailed, got.StatusCode)
	require.Equal(t, "SESSION_CHANGED", got.code())
	require.NotEqual(t, first, got.Header.Get("Cloakroom-Session-Hash"))
	require.Equal(t, tokens, w.rows(t)["tokens"], "nothing was executed")
	changed := w.do(t, newRequest(t, "GET", w.url+"/session/verify", nil, "Cloakroom-Session-Hash", first), jar)
	require.Equal(t, http.StatusPreconditionFailed, changed.StatusCode)
	got = w.graphql(t, nil, viewerQuery, "Cloakroom-Session-Hash", first)
	require.Equal(t, http.StatusUnauthorized, got.StatusCode)
	require.Equal(t, "UNAUTHENTICATED", got.code())
	w.checkLog(t)
}

// end posts to /session/end.
func (w *world) end(t *testing.T, jar http.CookieJar, headers ...string) *answer {
	t.Helper()
	return w.do(t, newRequest(t, "POST", w.url+"/session/end", strings.NewReader("{}"), append(headers, "Content-Type", "application/json")...), jar)
}

// TestEnd: signing out revokes the session's grants and ends the login, also for copies of its cookie. No other
// login ends.
func TestEnd(t *testing.T) {
	w := newWorld(t, true, nil)
	value, other := w.signIn(t, w.clinic), w.signIn(t, w.bank)
	later := w.signIn(t, w.clinic) // the same session, another login
	cookie := func(v string) string { return w.cookieName("session") + "=" + v }
	for range 2 {
		got := w.graphql(t, nil, `{"query":"mutation { tokenize { token } }"}`, "Origin", w.clinic.URL, "Cookie", cookie(value))
		require.Empty(t, got.code(), got.body)
	}
	got := w.end(t, nil, "Origin", w.clinic.URL, "Cookie", cookie(value), "Cloakroom-Session-Hash", strings.Repeat("0", 64))
	require.Equal(t, http.StatusPreconditionFailed, got.StatusCode, "the page belongs to another session")
	got = w.end(t, nil, "Origin", w.clinic.URL, "Cookie", cookie(value))
	require.Equal(t, http.StatusOK, got.StatusCode)
	require.JSONEq(t, `{"revoked":4}`, got.body, "READ and STORE of both")
	require.Equal(t, []string{"__Host-cloakroom-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"}, got.Header.Values("Set-Cookie"))
	require.Zero(t, w.rows(t)["grants"])
	require.Equal(t, http.StatusUnauthorized, w.verify(t, value).StatusCode, "a stolen copy")
	require.Equal(t, http.StatusUnauthorized, w.end(t, nil, "Origin", w.clinic.URL, "Cookie", cookie(value)).StatusCode)
	require.Equal(t, http.StatusOK, w.verify(t, other).StatusCode)
	require.Equal(t, http.StatusOK, w.verify(t, later).StatusCode)

	// By a bearer token: its own session's cookie ends with it, another's does not.
	bearer := "Bearer " + w.clinic.session(nil)
	got = w.end(t, nil, "Authorization", bearer, "Cookie", cookie(other))
	require.JSONEq(t, `{"revoked":0}`, got.body)
	require.Empty(t, got.Header.Values("Set-Cookie"))
	require.Equal(t, http.StatusOK, w.verify(t, other).StatusCode)
	got = w.end(t, nil, "Authorization", bearer, "Cookie", cookie(later))
	require.Equal(t, http.StatusOK, got.StatusCode)
	require.Len(t, got.Header.Values("Set-Cookie"), 1)
	require.Equal(t, http.StatusUnauthorized, w.verify(t, later).StatusCode)
	application := w.clinic.session(map[string]any{"roles": []string{"application"}})
	require.Equal(t, http.StatusForbidden, w.end(t, nil, "Authorization", "Bearer "+application).StatusCode)
	w.checkLog(t)
}
