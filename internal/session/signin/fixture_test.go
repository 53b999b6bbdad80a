package signin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/keyring"
	"github.com/cloakroomhq/cloakroom/internal/session"
)

const (
	own     = "https://gateway.example"
	appPage = "https://app.example/.cloakroom/sign-in"
	appSite = "https://app.example"
)

var (
	start   = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	errDown = errors.New("SECRET: down")
)

// world is all that a Flow needs; what is set fails or answers.
type world struct {
	*Flow
	handler   http.Handler
	now       time.Time
	down      error // of the database, whatever is asked of it
	said      *session.Assertion
	withdrawn map[session.Thumbprint]bool
	used      map[[32]byte]time.Time
	over      map[caller.SessionHash]time.Time
	next      *caller.Caller
	mu        sync.Mutex
	outcomes  []string
	hangs     bool // the database, until a request's time is over
	full      bool // no more ends are kept
	revoked   int  // calls
	refused   fault.Code
	asked     []string        // of the rates
	limited   map[string]bool // what they refuse
}

func (w *world) Assertion(_ context.Context, issuer, jws, state string) (*session.Assertion, error) {
	if jws != issuer+" "+state || w.said == nil {
		return nil, errors.New("not accepted")
	}
	return w.said, nil
}

func (w *world) Holds(_ context.Context, issuer string, key session.Thumbprint) bool {
	return !w.withdrawn[key]
}

func (w *world) ConsumeState(ctx context.Context, d [32]byte, until time.Time) (bool, error) {
	if err := w.wait(ctx); err != nil {
		return false, err
	}
	_, known := w.used[d]
	w.used[d] = until
	return !known, nil
}

// wait is how the database fails.
func (w *world) wait(ctx context.Context) error {
	if w.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return w.down
}

func (w *world) RevokeOwn(ctx context.Context) (int, error) {
	if err := w.wait(ctx); err != nil {
		return 0, fault.Wrap(err, fault.Unavailable, "Try again.")
	}
	w.revoked++
	return 7, nil
}

func (w *world) End(ctx context.Context, login caller.SessionHash, until time.Time) error {
	if err := w.wait(ctx); err != nil {
		return fault.Wrap(err, fault.Unavailable, "Try again.")
	}
	if w.full {
		return fault.New(fault.LimitExceeded, "Too many.")
	}
	w.over[login] = until
	return nil
}

func (w *world) SignIn(outcome string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outcomes = append(w.outcomes, outcome)
}
func (w *world) Credential(outcome string) { w.SignIn(outcome) }

// rates are Rates that note what they were asked, and refuse what is in world.limited.
type rates struct{ w *world }

func (r rates) ask(what string) error {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	r.w.asked = append(r.w.asked, what)
	if r.w.limited[what] {
		return fault.Limited(7 * time.Second)
	}
	return nil
}

func (r rates) SignIn(*http.Request) error  { return r.ask("sign in") }
func (r rates) Refused(*http.Request) error { return r.ask("refused") }
func (r rates) SignedIn(tenant string, _ caller.SessionHash) error {
	return r.ask("signed in at " + tenant)
}

// bearer is the next authenticator.
type bearer struct{ w *world }

func (b bearer) Authenticate(r *http.Request) (*caller.Caller, error) {
	if r.Header.Get("Authorization") == "bad" {
		return nil, fault.New(fault.Unauthenticated, "no")
	}
	return b.w.next, nil
}

func newWorld(t testing.TB, change func(*Options)) *world {
	keys, err := keyring.LoadOrCreateFile(filepath.Join(t.TempDir(), "keyset.json"))
	require.NoError(t, err)
	hash := caller.HashSession("clinic", "sid")
	w := &world{
		now: start, used: map[[32]byte]time.Time{}, over: map[caller.SessionHash]time.Time{},
		said: &session.Assertion{Subject: "user", Session: hash, IssuedAt: start.Add(-time.Minute)},
	}
	o := Options{
		Next: bearer{w}, Assertions: w, PublicURL: own, AllowedOrigins: []string{appSite}, Cookie: config.Default().SignIn.Cookie, StateLifetime: stateLife, Timeout: timeout,
		Providers: []Provider{{Name: "clinic", URL: appPage, ReturnTo: []string{appSite, "https://pages.example/app/"}}},
		Sealer:    keys, States: w, Grants: w, Ended: w, Rates: rates{w}, Observer: w, Logger: slog.New(slog.DiscardHandler),
		Refuse: func(rw http.ResponseWriter, _ *http.Request, status int, err error) {
			w.refused = fault.Public(err).Code
			if status == 0 {
				status = map[fault.Code]int{fault.Unauthenticated: 401, fault.Forbidden: 403, fault.Unavailable: 503, fault.LimitExceeded: 413, fault.RateLimited: 429}[fault.Public(err).Code]
			}
			rw.WriteHeader(status)
		},
		Now: func() time.Time { return w.now },
	}
	if change != nil {
		change(&o)
	}
	w.Flow, err = New(o)
	require.NoError(t, err)
	w.handler = w.Handler(w.Flow)
	return w
}

func (w *world) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, own+path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	return answer
}

// begin returns a state, and its browser's cookie as a header.
func (w *world) begin(t testing.TB) (state, cookie string) {
	answer := w.do("GET", "/session/ensure", "")
	require.Equal(t, http.StatusSeeOther, answer.Code)
	to, err := url.Parse(answer.Header().Get("Location"))
	require.NoError(t, err)
	cookie, _, _ = strings.Cut(answer.Header().Get("Set-Cookie"), ";")
	return to.Query().Get("state"), cookie
}

func (w *world) create(state, cookie string) *httptest.ResponseRecorder {
	return w.do("POST", "/session/create", url.Values{"state": {state}, "assertion": {"clinic " + state}}.Encode(),
		"Content-Type", "application/x-www-form-urlencoded", "Origin", appSite, "Cookie", cookie)
}

// end signs out.
func (w *world) end(headers ...string) *httptest.ResponseRecorder {
	return w.do("POST", "/session/end", "", append(headers, "Content-Type", "application/json")...)
}

// signIn returns the session's cookie as a header.
func (w *world) signIn(t testing.TB) string {
	answer := w.create(w.begin(t))
	require.Equal(t, http.StatusSeeOther, answer.Code, answer.Body)
	cookie, _, _ := strings.Cut(answer.Header().Get("Set-Cookie"), ";")
	return cookie
}
