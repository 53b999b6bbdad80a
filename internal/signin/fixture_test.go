package signin

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/cloakroomhq/cloakroom/internal/credential"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/httpd"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/keyring"
	"github.com/cloakroomhq/cloakroom/models"
)

const (
	gatewayURL = "https://gateway.example"
	appPage    = "https://app.example/.cloakroom/sign-in"
	appSite    = "https://app.example"
)

var (
	start   = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	errDown = errors.New("SECRET: down")
)

// world implements all that a Flow needs; its fields set the answers and the failures.
type world struct {
	*Flow
	handler   http.Handler
	now       time.Time
	down      error // of every call of the database
	assertion *credential.Assertion
	withdrawn map[credential.Thumbprint]bool
	used      map[ids.Digest]time.Time
	over      map[caller.SessionHash]time.Time
	next      *caller.Caller
	mu        sync.Mutex
	outcomes  []string
	hangs     bool // the database, until a request's deadline
	full      bool // no more ended logins can be stored
	revoked   int  // calls
	refused   fault.Code
	asked     []string        // calls of the rates
	limited   map[string]bool // the calls that the rates refuse
}

func (w *world) Assertion(_ context.Context, issuer, jws, state string) (*credential.Assertion, error) {
	if jws != issuer+" "+state || w.assertion == nil {
		return nil, errors.New("not accepted")
	}
	return w.assertion, nil
}

func (w *world) Holds(_ context.Context, issuer string, key credential.Thumbprint) bool {
	return !w.withdrawn[key]
}

// Write records used states.
func (w *world) Write(ctx context.Context, b models.Batch) (done models.Result, err error) {
	if err := w.wait(ctx); err != nil {
		return done, err
	}
	for _, u := range b.Used {
		_, known := w.used[u.Digest]
		w.used[u.Digest] = time.UnixMilli(u.ExpiresAt).UTC()
		done.FirstUse = append(done.FirstUse, !known)
	}
	return done, nil
}

func (w *world) SweepStates(_ context.Context, now int64, _ int) (n int, err error) {
	for digest, until := range w.used {
		if until.UnixMilli() <= now {
			delete(w.used, digest)
			n++
		}
	}
	return n, w.down
}

// wait returns the database's failure, if one is set.
func (w *world) wait(ctx context.Context) error {
	if w.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return w.down
}

// flowEnds is a Revocation.
type flowEnds struct{ w *world }

func (e flowEnds) SignOut(ctx context.Context, _, cookie *caller.Caller) (revoked int, closed bool, err error) {
	w := e.w
	if err := w.wait(ctx); err != nil {
		return 0, false, fault.Wrap(err, fault.Unavailable, "Try again.")
	}
	w.revoked++
	if cookie == nil {
		return 7, false, nil
	}
	if w.full {
		return 7, false, fault.New(fault.LimitExceeded, "Too many.")
	}
	w.over[*cookie.Login] = cookie.ExpiresAt
	return 7, true, nil
}

func (w *world) Swept(table string, n int) { w.SignIn(fmt.Sprint("swept ", table, " ", n)) }

func (w *world) SignIn(outcome string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outcomes = append(w.outcomes, outcome)
}
func (w *world) Credential(outcome string) { w.SignIn(outcome) }

// rates are Rates that record their calls, and refuse those in world.limited.
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

// settings is keyring.Settings of one deployment.
type settings map[string][]byte

func (s settings) Setting(_ context.Context, name string, initial []byte) ([]byte, error) {
	if _, ok := s[name]; !ok {
		s[name] = initial
	}
	return s[name], nil
}

func newWorld(t testing.TB, change func(*Options)) *world {
	keys, err := keyring.LoadOrCreateFile(filepath.Join(t.TempDir(), "keyset.json"))
	require.NoError(t, err)
	settings := settings{}
	purpose := func(name string) Sealer {
		p, err := keys.Purpose(t.Context(), settings, name)
		require.NoError(t, err)
		return p
	}
	hash := caller.HashSession("clinic", "sid")
	w := &world{
		now: start, used: map[ids.Digest]time.Time{}, over: map[caller.SessionHash]time.Time{},
		assertion: &credential.Assertion{Subject: "user", Session: hash, IssuedAt: start.Add(-time.Minute)},
	}
	o := Options{
		Next: bearer{w}, Assertions: w, PublicURL: gatewayURL, AllowedOrigins: []string{appSite}, Cookie: config.Default().SignIn.Cookie, StateLifetime: stateLife,
		Providers: []Provider{{Name: "clinic", URL: appPage, ReturnTo: []string{appSite, "https://pages.example/app/"}}},
		StateKeys: purpose("sign-in-state"), CookieKeys: purpose("sign-in-cookie"), Rows: w, Revocation: flowEnds{w}, Rates: rates{w}, Observer: w, Logger: slog.New(slog.DiscardHandler),
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
	w.handler = w.routes(w.Flow)
	return w
}

// routes serves the flow by the gateway's table. Callers are found by auth.
func (w *world) routes(auth guard.CallerFinder) http.Handler {
	mux := http.NewServeMux()
	table := httpd.Routes(httpd.Options{SignIn: w.Flow, Authenticator: auth, HTTP: config.HTTP{RequestTimeout: timeout}})
	for i := range table {
		mux.Handle(table[i].Path, &table[i])
	}
	return mux
}

func (w *world) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, gatewayURL+path, strings.NewReader(body))
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
