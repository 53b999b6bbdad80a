package directives_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/directives/internal/testserver"
)

// tok returns a different token for each number.
func tok(n int) string { return fmt.Sprintf("tok-00000000-0000-4000-8000-%012d", n) }

func ptr[T any](v T) *T { return &v }

// fakeGrants keeps grants in memory and records each call.
type fakeGrants struct {
	mu       sync.Mutex
	held     map[directives.Check]bool // grants that hold, the same for all sessions
	all      bool                      // every check holds
	creates  [][]directives.Grant
	verifies [][]directives.Check
	sessions []string
	revoked  []func(session string, tokens []string)

	life    time.Duration // of created grants if the call names none
	now     func() time.Time
	foreign map[string]bool // tokens of another application
	failing error
	during  func(context.Context) error // runs within each call
}

func (f *fakeGrants) begin(ctx context.Context, session string) error {
	if f.during != nil {
		if err := f.during(ctx); err != nil {
			return err
		}
	}
	f.mu.Lock()
	f.sessions = append(f.sessions, session)
	return f.failing
}

func (f *fakeGrants) CreateGrants(ctx context.Context, session string, grants []directives.Grant) ([]directives.Granted, error) {
	err := f.begin(ctx, session)
	if err != nil && f.failing == nil {
		return nil, err
	}
	defer f.mu.Unlock()
	f.creates = append(f.creates, slices.Clone(grants))
	var granted []directives.Granted
	for _, g := range grants {
		life := g.Duration
		if life == 0 {
			life = f.life
		}
		made := directives.Granted{ExpiresAt: f.now().Add(life)}
		for _, token := range g.Tokens {
			if f.foreign[token] {
				made.Missing = append(made.Missing, token)
			}
		}
		if len(made.Missing) == len(g.Tokens) {
			made.ExpiresAt = time.Time{}
		}
		granted = append(granted, made)
	}
	if err != nil {
		return nil, err
	}
	return granted, nil
}

func (f *fakeGrants) VerifyGrants(ctx context.Context, session string, checks []directives.Check) (missing []directives.Check, err error) {
	if err := f.begin(ctx, session); err != nil && f.failing == nil {
		return nil, err
	}
	defer f.mu.Unlock()
	f.verifies = append(f.verifies, slices.Clone(checks))
	for _, c := range checks {
		if !f.all && !f.held[c] {
			missing = append(missing, c)
		}
	}
	return missing, f.failing
}

func (f *fakeGrants) OnRevoke(r func(string, []string)) { f.revoked = append(f.revoked, r) }

func (f *fakeGrants) revoke(session string, tokens []string) {
	for _, r := range f.revoked {
		r(session, tokens)
	}
}

// hold lets the session use tokens.
func (f *fakeGrants) hold(kind directives.GrantKind, tokens ...string) {
	for _, t := range tokens {
		f.held[directives.Check{Token: t, Kind: kind}] = true
	}
}

// created returns token, kinds and duration of each grant of every call so far, sorted within each call.
func (f *fakeGrants) created() (calls [][]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.creates {
		var call []string
		for _, g := range c {
			kinds := make([]string, len(g.Kinds))
			for i, k := range g.Kinds {
				kinds[i] = string(k)
			}
			for _, token := range g.Tokens {
				call = append(call, fmt.Sprintf("%s %s %s", token, strings.Join(kinds, "+"), g.Duration))
			}
		}
		slices.Sort(call)
		calls = append(calls, call)
	}
	return calls
}

func (f *fakeGrants) calls() (creates, verifies int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.creates), len(f.verifies)
}

// clock is a clock that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is a server and its environment.
type world struct {
	*testserver.Resolver
	grants  *fakeGrants
	clock   *clock
	tokens  *directives.Tokens
	handler *handler.Server
}

// tb has the methods that testing.TB and rapid.T share.
type tb interface {
	require.TestingT
	Helper()
}

type sessionKey struct{}

// session returns the caller's session, which the test server takes from a header.
func session(ctx context.Context) (string, bool) {
	s, _ := ctx.Value(sessionKey{}).(string)
	return s, s != ""
}

func newWorld(t testing.TB, change ...func(*directives.Options)) *world {
	t.Helper()
	w := &world{Resolver: &testserver.Resolver{}, clock: &clock{at: time.Unix(1_800_000_000, 0)}}
	w.grants = &fakeGrants{held: map[directives.Check]bool{}, foreign: map[string]bool{}, life: time.Hour, now: w.clock.now}
	o := directives.Options{Grants: w.grants, Session: session, Now: w.clock.now}
	for _, c := range change {
		c(&o)
	}
	var err error
	w.tokens, err = directives.New(o)
	require.NoError(t, err)
	w.handler = serve(w.Resolver, w.tokens.Directive)
	w.handler.Use(w.tokens)
	return w
}

func serve(r *testserver.Resolver, directive tokenDirective) *handler.Server {
	srv := handler.New(testserver.NewExecutableSchema(testserver.Config{
		Resolvers: r, Directives: testserver.DirectiveRoot{Token: directive},
	}))
	srv.SetRecoverFunc(func(context.Context, any) error { return errBroken }) // gqlgen's own prints the stack
	withTransports(srv)
	return srv
}

func withTransports(srv *handler.Server) {
	srv.AddTransport(transport.Websocket{})
	srv.AddTransport(transport.SSE{})
	srv.AddTransport(transport.MultipartMixed{})
	srv.AddTransport(transport.POST{})
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.handler.ServeHTTP(rw, r.WithContext(context.WithValue(r.Context(), sessionKey{}, r.Header.Get("Session"))))
}

type answer struct {
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	}
	raw string
}

// refused returns code and path of each error, sorted.
func (a *answer) refused() (lines []string) {
	for _, e := range a.Errors {
		steps := make([]string, len(e.Path))
		for i, s := range e.Path {
			steps[i] = fmt.Sprint(s)
		}
		lines = append(lines, fmt.Sprintf("%v %s", e.Extensions["code"], strings.Join(steps, ".")))
	}
	slices.Sort(lines)
	return lines
}

func request(t tb, query string, variables map[string]any) *http.Request {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Session", "alice")
	return r
}

func decode(t tb, raw string) *answer {
	t.Helper()
	a := &answer{raw: raw}
	require.NoError(t, json.Unmarshal([]byte(raw), a), raw)
	return a
}

func (w *world) ask(t tb, query string, variables map[string]any) *answer {
	t.Helper()
	return w.send(t, request(t, query, variables))
}

func (w *world) send(t tb, r *http.Request) *answer {
	t.Helper()
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return decode(t, rec.Body.String())
}

var errBroken = errors.New("broken")
