package signin

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

const (
	stateLife = 5 * time.Minute
	timeout   = 30 * time.Second
)

// TestStateLife: a state expires exactly after the configured time; the record of its use is kept longer, by clockDrift.
func TestStateLife(t *testing.T) {
	w := newWorld(t, nil)
	state, cookie := w.begin(t)
	w.now = start.Add(stateLife)
	answer := w.create(state, cookie)
	require.Equal(t, http.StatusForbidden, answer.Code)
	require.Contains(t, answer.Body.String(), `<a href="https://app.example/" rel="noreferrer">Go back</a>`)
	require.Contains(t, answer.Body.String(), "FORBIDDEN")
	require.Empty(t, w.used)
	w.now = start.Add(stateLife - time.Millisecond)
	require.Equal(t, http.StatusSeeOther, w.create(state, cookie).Code)
	for _, until := range w.used {
		require.Equal(t, start.Add(stateLife+clockDrift), until)
	}
	answer = w.create(state, cookie)
	require.Equal(t, http.StatusForbidden, answer.Code)
	require.Equal(t, []string{"started", "expired", "completed", "replayed"}, w.outcomes)
}

// TestLinkBack: a page has a link back only if the sign-in is known to be this browser's.
func TestLinkBack(t *testing.T) {
	w := newWorld(t, nil)
	state, cookie := w.begin(t)
	_, other := w.begin(t)
	require.NotContains(t, w.create(state, other).Body.String(), "<a ")
	require.NotContains(t, w.create(state, "").Body.String(), "<a ")
	require.NotContains(t, w.create(state[1:], cookie).Body.String(), "<a ")
	w.assertion = nil
	answer := w.create(state, cookie)
	require.Equal(t, http.StatusUnauthorized, answer.Code)
	require.Equal(t, "Bearer", answer.Header().Get("WWW-Authenticate"))
	require.Contains(t, answer.Body.String(), "<a ")
}

// TestPagesOfSeveralProviders: with several providers, a page can use the cookies of its own provider's users, and does not
// learn of others.
func TestPagesOfSeveralProviders(t *testing.T) {
	several := func(o *Options) {
		o.Providers[0].Tenant = "another name"
		o.Providers = append(o.Providers, Provider{Name: "bank", Tenant: "another name", URL: "https://bank.example/sign-in", ReturnTo: []string{"https://bank.example"}})
	}
	for name, test := range map[string]struct {
		origin string
		change func(*Options)
		counts bool
	}{
		"no origin": {"", several, true}, "the gateway's page": {gatewayURL, several, true}, "sign-in page": {appSite, several, true}, "return_to": {"https://pages.example", several, true},
		"the other's page": {"https://bank.example", several, false}, "no provider's page": {"https://blog.example", several, false}, "null": {"null", several, false},
		"case": {"https://App.example", several, false}, "one provider": {"https://blog.example", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, test.change)
			l := w.newLogin("clinic", w.assertion, w.now)
			sealed, err := w.sealLogin(l)
			require.NoError(t, err)
			r := httptest.NewRequest(http.MethodGet, gatewayURL+"/session/verify", nil)
			r.Header.Set("Cookie", w.cookieName(sessionCookie)+"="+sealed)
			if test.origin != "" {
				r.Header.Set("Origin", test.origin)
			}
			c, err := w.Authenticate(r)
			require.NoError(t, err, name)
			require.Equal(t, test.counts, c != nil, name)
			w.next = &caller.Caller{Tenant: "bank"}
			c, err = w.Authenticate(r)
			require.NoError(t, err)
			require.Equal(t, w.next, c, "another credential does not depend on the page")
		})
	}
}

// TestVerifyModes: the result that a page can observe is the same with and without a session.
func TestVerifyModes(t *testing.T) {
	w := newWorld(t, nil)
	cookie := w.signIn(t)
	for _, mode := range []string{"no-cors", "navigate", "websocket", "nested-navigate", "x"} {
		with := w.do("GET", "/session/verify", "", "Cookie", cookie, "Sec-Fetch-Mode", mode)
		require.Equal(t, http.StatusForbidden, with.Code, mode)
		require.Equal(t, with.Result().Header, w.do("GET", "/session/verify", "", "Sec-Fetch-Mode", mode).Result().Header, mode)
	}
	for _, mode := range []string{"cors", "same-origin"} {
		require.Equal(t, http.StatusOK, w.do("GET", "/session/verify", "", "Cookie", cookie, "Sec-Fetch-Mode", mode).Code, mode)
		require.Equal(t, http.StatusUnauthorized, w.do("GET", "/session/verify", "", "Sec-Fetch-Mode", mode).Code, mode)
	}
}

// TestDatabaseFails: if the database fails the answer is 503, and no user is partly signed in or out.
func TestDatabaseFails(t *testing.T) {
	w := newWorld(t, nil)
	cookie := w.signIn(t)
	state, browser := w.begin(t)
	w.down = errDown
	answer := w.create(state, browser)
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	require.Empty(t, answer.Header().Values("Set-Cookie"))
	require.NotContains(t, answer.Body.String(), "SECRET")
	end := func() *httptest.ResponseRecorder { return w.end("Cookie", cookie, "Origin", appSite) }
	answer = end()
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	require.Empty(t, answer.Header().Values("Set-Cookie"), "the cookie is kept for another attempt")
	w.down = nil
	require.Equal(t, http.StatusSeeOther, w.create(state, browser).Code, "the state was not used up")
	answer = end()
	require.JSONEq(t, `{"revoked":7}`, answer.Body.String())
	for _, until := range w.over {
		require.Equal(t, start.Add(time.Hour), until)
	}
	require.Len(t, w.over, 1)
}

// TestSettingsChange: a state is checked against the settings again when it comes back.
func TestSettingsChange(t *testing.T) {
	w := newWorld(t, nil)
	state, cookie := w.begin(t)
	narrow := newWorld(t, func(o *Options) {
		o.StateKeys, o.CookieKeys, o.Providers = w.opts.StateKeys, w.opts.CookieKeys, []Provider{{Name: "clinic", URL: appPage, ReturnTo: []string{"https://pages.example/app/"}}}
	})
	require.Equal(t, http.StatusForbidden, narrow.create(state, cookie).Code)
	renamed := newWorld(t, func(o *Options) {
		o.StateKeys, o.CookieKeys, o.Providers[0].Name = w.opts.StateKeys, w.opts.CookieKeys, "other"
	})
	require.Equal(t, http.StatusForbidden, renamed.create(state, cookie).Code)
	require.Equal(t, http.StatusSeeOther, w.create(state, cookie).Code)
}

// TestLongestValues: the longest return_to makes a state that is not too long, and the longest names a cookie that browsers
// accept.
func TestLongestValues(t *testing.T) {
	w := newWorld(t, nil)
	target := appSite + "/" + strings.Repeat("x", maxTarget-len(appSite)-1)
	answer := w.do("GET", "/session/ensure?return_to="+target, "")
	require.Equal(t, http.StatusSeeOther, answer.Code)
	_, state, _ := strings.Cut(answer.Header().Get("Location"), "=")
	require.LessOrEqual(t, len(state), maxSealed)
	cookie, _, _ := strings.Cut(answer.Header().Get("Set-Cookie"), ";")
	w.assertion.Subject = strings.Repeat("u", 1024) // the longest subject; see the credential package
	answer = w.create(state, cookie)
	require.Equal(t, target, answer.Header().Get("Location"))
	require.Less(t, len(answer.Header().Get("Set-Cookie")), 4096)
}

// TestDatabaseHangs: if the database does not answer, a request ends at its deadline.
func TestDatabaseHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		cookie := w.signIn(t)
		state, browser := w.begin(t)
		w.hangs = true
		for name, send := range map[string]func() *httptest.ResponseRecorder{
			"create": func() *httptest.ResponseRecorder { return w.create(state, browser) },
			"end":    func() *httptest.ResponseRecorder { return w.end("Cookie", cookie, "Origin", appSite) },
		} {
			begin := time.Now() // of the bubble's clock
			answer := send()
			require.Equal(t, timeout, time.Since(begin), name)
			require.Equal(t, http.StatusServiceUnavailable, answer.Code, name)
			require.Empty(t, answer.Header().Values("Set-Cookie"), name)
		}
		var until []time.Duration
		w.handler = w.routes(finder(func(r *http.Request) (*caller.Caller, error) {
			deadline, _ := r.Context().Deadline()
			until = append(until, time.Until(deadline))
			return nil, nil
		}))
		w.do("GET", "/session/verify", "")
		w.end("Origin", appSite)
		require.Equal(t, []time.Duration{timeout, timeout}, until, "finding the caller has a deadline too")
	})
}

type finder func(r *http.Request) (*caller.Caller, error)

func (f finder) Authenticate(r *http.Request) (*caller.Caller, error) { return f(r) }

// TestEndIsGuarded: a sign-out has the guards of a GraphQL POST.
func TestEndIsGuarded(t *testing.T) {
	w := newWorld(t, nil)
	cookie := w.signIn(t)
	for name, headers := range map[string][]string{
		"another charset": {"Content-Type", "application/json; charset=utf-16"}, "compressed": {"Content-Type", "application/json", "Content-Encoding", "gzip"},
		"text": {"Content-Type", "text/plain"}, "two types": {"Content-Type", "application/json", "Content-Type", "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := w.do("POST", "/session/end", "", append(headers, "Cookie", cookie, "Origin", appSite)...)
			require.Equal(t, http.StatusUnsupportedMediaType, answer.Code, name)
		})
	}
	require.Equal(t, http.StatusForbidden, w.end("Cookie", cookie).Code, "no Origin")
	w.next = &caller.Caller{Tenant: "clinic", Session: &w.assertion.Session, Ambient: true}
	require.Equal(t, http.StatusForbidden, w.end("Authorization", "Bearer of a proxy").Code, "no Origin")
	require.Empty(t, w.over)
	require.Zero(t, w.revoked)
	require.Equal(t, http.StatusOK, w.end("Authorization", "Bearer of a proxy", "Origin", appSite).Code)
	w.next.Ambient = false
	require.Equal(t, http.StatusOK, w.end("Authorization", "Bearer of its own").Code)
}

// TestNoRoomForLoginEnds: if no more ended logins can be stored, the browser is signed out and its grants are revoked, and
// the answer says that a copy of the cookie is still accepted.
func TestNoRoomForLoginEnds(t *testing.T) {
	w := newWorld(t, nil)
	cookie := w.signIn(t)
	w.full = true
	answer := w.end("Cookie", cookie, "Origin", appSite)
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	require.Equal(t, fault.LimitExceeded, w.refused)
	require.Contains(t, answer.Header().Get("Set-Cookie"), "__Host-cloakroom-session=; Path=/; Max-Age=0")
	require.Equal(t, 1, w.revoked)
	require.Empty(t, w.over)
	require.NotContains(t, w.outcomes, "ended")
	w.down = errDown
	require.Equal(t, fault.Unavailable, func() fault.Code { w.end("Cookie", cookie, "Origin", appSite); return w.refused }())
}

func TestNewNeedsItsParts(t *testing.T) {
	for _, drop := range []func(*Options){
		func(o *Options) { o.Next = nil }, func(o *Options) { o.Assertions = nil }, func(o *Options) { o.StateKeys = nil }, func(o *Options) { o.CookieKeys = nil }, func(o *Options) { o.Rows = nil },
		func(o *Options) { o.Revocation = nil }, func(o *Options) { o.Observer = nil }, func(o *Options) { o.Logger = nil }, func(o *Options) { o.Refuse = nil },
		func(o *Options) { o.Providers = []Provider{{Name: "x", URL: "://"}} },
	} {
		o := newWorld(t, nil).opts
		o.Providers = slices.Clone(o.Providers)
		drop(&o)
		_, err := New(o)
		require.Error(t, err)
	}
}
