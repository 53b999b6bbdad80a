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

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/config"
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
	swept     []int // what each call is to return; then they fail
	gone      int   // what was told
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

func (w *world) ConsumeState(_ context.Context, d [32]byte, until time.Time) (bool, error) {
	_, known := w.used[d]
	if w.down == nil {
		w.used[d] = until
	}
	return !known, w.down
}

func (w *world) SweepStates(context.Context, time.Time, int) (int, error) {
	if len(w.swept) == 0 {
		return 0, errDown
	}
	n := w.swept[0]
	w.swept = w.swept[1:]
	return n, nil
}

func (w *world) RevokeOwn(context.Context) (int, error) { return 7, w.down }

func (w *world) End(_ context.Context, login caller.SessionHash, until time.Time) error {
	if w.down != nil {
		return fault.Wrap(w.down, fault.Unavailable, "Try again.")
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
func (w *world) Swept(_ string, n int)     { w.gone += n }

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
		Next: bearer{w}, Assertions: w, PublicURL: own, AllowedOrigins: []string{appSite}, Cookie: config.Default().SignIn.Cookie, StateLifetime: stateLife,
		Providers: []Provider{{Name: "clinic", URL: appPage, ReturnTo: []string{appSite, "https://pages.example/app/"}}},
		Sealer:    keys, States: w, Grants: w, Ended: w, Observer: w, Logger: slog.New(slog.DiscardHandler),
		Refuse: func(rw http.ResponseWriter, _ *http.Request, status int, err error) {
			if status == 0 {
				status = map[fault.Code]int{fault.Unauthenticated: 401, fault.Forbidden: 403, fault.Unavailable: 503, fault.LimitExceeded: 413}[fault.Public(err).Code]
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

// signIn returns the session's cookie as a header.
func (w *world) signIn(t testing.TB) string {
	answer := w.create(w.begin(t))
	require.Equal(t, http.StatusSeeOther, answer.Code, answer.Body)
	cookie, _, _ := strings.Cut(answer.Header().Get("Set-Cookie"), ";")
	return cookie
}
