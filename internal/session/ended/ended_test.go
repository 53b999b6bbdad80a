package ended_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/session/ended"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

var errDown = errors.New("down")

// table is a database that several replicas share.
type table struct {
	mu      sync.Mutex
	rows    map[caller.SessionHash]ended.Row
	revoked []string
	since   []int64 // of each read
	err     error
}

func (t *table) End(ctx context.Context, r ended.Row) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if t.err == nil {
		t.rows[r.ID] = r
	}
	return t.err
}

func (t *table) EndSession(ctx context.Context, tenant string, r ended.Row) (int, error) {
	if err := t.End(ctx, r); err != nil {
		return 0, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.revoked = append(t.revoked, tenant)
	return 3, nil
}

func (t *table) EndedSince(_ context.Context, since, now int64, each func(ended.Row)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.since = append(t.since, since)
	for _, r := range t.rows {
		if r.EndedAt >= since && r.ExpiresAt > now && t.err == nil {
			each(r)
		}
	}
	return t.err
}

func (t *table) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
}

// counts is an Observer.
type counts struct {
	mu   sync.Mutex
	n    map[string]int
	kept int
}

func (c *counts) Ended(reason string)    { c.note("ended " + reason) }
func (c *counts) EndedRefused(by string) { c.note("refused " + by) }
func (c *counts) EndedKept(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = n
}

func (c *counts) of(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if what == "kept" {
		return c.kept
	}
	return c.n[what]
}

func (c *counts) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[what]++
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// replica is a Set that polls when it is told to.
type replica struct {
	*ended.Set
	ticks chan time.Time
	seen  *counts
	clock *clock
}

const tenant = "clinic"

func start(t testing.TB, rows *table, c *clock, change func(*ended.Options)) *replica {
	t.Helper()
	r := &replica{ticks: make(chan time.Time), seen: &counts{n: map[string]int{}}, clock: c}
	o := ended.Options{
		Rows: rows, Lifetimes: map[string]time.Duration{tenant: time.Hour, "bank": 2 * time.Hour}, Poll: time.Second, Max: 1000,
		Observer: r.seen, Logger: slog.New(slog.DiscardHandler), Now: c.now,
	}
	if change != nil {
		change(&o)
	}
	var err error
	r.Set, err = ended.New(context.Background(), o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx, r.ticks) }()
	t.Cleanup(func() { cancel(); <-done })
	return r
}

// poll makes the replica poll; the second tick is taken only once the first poll is over.
func (r *replica) poll() { r.ticks <- time.Time{}; r.ticks <- time.Time{} }

func newTable() *table { return &table{rows: map[caller.SessionHash]ended.Row{}} }

// next is an Authenticator that has verified its caller long ago.
type next struct {
	caller *caller.Caller
	err    error
}

func (n next) Authenticate(*http.Request) (*caller.Caller, error) { return n.caller, n.err }

func session(id string) *caller.Caller {
	hash := caller.HashSession(tenant, id)
	return &caller.Caller{Tenant: tenant, Subject: "user-" + id, Session: &hash, IssuedAt: noon, ExpiresAt: noon.Add(time.Hour)}
}

// ask returns the code with which a caller is refused, "" for none.
func (r *replica) ask(t testing.TB, c *caller.Caller) fault.Code {
	t.Helper()
	got, err := r.Guard(next{caller: c}).Authenticate(nil)
	if err != nil {
		assert.Nil(t, got)
		return fault.Public(err).Code
	}
	assert.Same(t, c, got)
	return ""
}

// TestACallerThatLeaves doesn't undo an end: this replica believes it already, so all must.
func TestACallerThatLeaves(t *testing.T) {
	rows := newTable()
	r := start(t, rows, &clock{at: noon}, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := r.EndSession(ctx, tenant, caller.HashSession(tenant, "s"), "application")
	require.NoError(t, err)
	require.NoError(t, r.EndSubject(ctx, tenant, "user", noon))
	require.NoError(t, r.End(ctx, caller.HashLogin(tenant, []byte("login")), noon.Add(time.Hour)))
	require.Len(t, rows.rows, 3)
}

func TestEndSession(t *testing.T) {
	rows, c := newTable(), &clock{at: noon}
	a, b := start(t, rows, c, nil), start(t, rows, c, nil)
	mine, other := session("s1"), session("s2")
	n, err := a.EndSession(context.Background(), tenant, *mine.Session, "application")
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Equal(t, []string{tenant}, rows.revoked)
	require.Equal(t, fault.Unauthenticated, a.ask(t, mine), "at once")
	require.True(t, a.Ended(*mine.Session))
	require.Empty(t, b.ask(t, mine), "not known there yet")
	c.advance(time.Second)
	b.poll()
	require.Equal(t, fault.Unauthenticated, b.ask(t, mine), "after a poll")
	for _, r := range []*replica{a, b, start(t, rows, c, nil)} {
		require.Equal(t, fault.Unauthenticated, r.ask(t, mine))
		require.Empty(t, r.ask(t, other))
		require.False(t, r.Ended(*other.Session))
	}
	require.Equal(t, 1, a.seen.of("ended application"))
	require.Equal(t, 2, b.seen.of("refused session"))
	c.advance(time.Second)
	b.poll()
	require.Equal(t, 1, b.seen.of("kept"))
}

// TestNothingToCheck: no credentials, and refused ones, pass through as they are.
func TestNothingToCheck(t *testing.T) {
	r := start(t, newTable(), &clock{at: noon}, nil)
	got, err := r.Guard(next{}).Authenticate(nil)
	require.NoError(t, err)
	require.Nil(t, got)
	got, err = r.Guard(next{err: errDown}).Authenticate(nil)
	require.ErrorIs(t, err, errDown)
	require.Nil(t, got)
}

// TestEndLogin: the cookies of one sign-in end, and no other credential of its session.
func TestEndLogin(t *testing.T) {
	rows, c := newTable(), &clock{at: noon}
	a := start(t, rows, c, nil)
	login, another := caller.SessionHash{1}, caller.SessionHash{2}
	cookie, second, bearer := session("s1"), session("s1"), session("s1")
	cookie.Login, second.Login = &login, &another
	require.NoError(t, a.End(context.Background(), login, noon.Add(time.Minute)))
	b := start(t, rows, c, nil)
	for _, r := range []*replica{a, b} {
		require.Equal(t, fault.Unauthenticated, r.ask(t, cookie))
		require.Empty(t, r.ask(t, second))
		require.Empty(t, r.ask(t, bearer))
	}
	require.Equal(t, 1, a.seen.of("ended sign_out"))
	require.Equal(t, 1, a.seen.of("refused login"))
	c.advance(time.Minute)
	a.poll()
	require.Equal(t, fault.Unauthenticated, a.ask(t, cookie), "until the moment itself")
	c.advance(time.Second)
	a.poll()
	require.Empty(t, a.ask(t, cookie), "a cookie is refused by its own end from then on")
}

// TestEndSubject: what was issued before ends, whatever its session; what was issued later does not.
func TestEndSubject(t *testing.T) {
	rows, c := newTable(), &clock{at: noon}
	a := start(t, rows, c, nil)
	require.NoError(t, a.EndSubject(context.Background(), tenant, "user-1", noon))
	b := start(t, rows, c, nil)
	issued := func(subject string, at time.Time) *caller.Caller {
		who := session("s")
		who.Subject, who.IssuedAt = subject, at
		return who
	}
	foreign := issued("user-1", noon.Add(-time.Second))
	foreign.Tenant = "bank"
	backend := &caller.Caller{Tenant: tenant, Subject: "user-1", Roles: []string{caller.RoleApplication}, IssuedAt: noon.Add(-time.Second)}
	for _, r := range []*replica{a, b} {
		require.Equal(t, fault.Unauthenticated, r.ask(t, issued("user-1", noon.Add(-time.Millisecond))))
		require.Equal(t, fault.Unauthenticated, r.ask(t, backend))
		require.Empty(t, r.ask(t, issued("user-1", noon)))
		require.Empty(t, r.ask(t, issued("user-2", noon.Add(-time.Second))))
		require.Empty(t, r.ask(t, foreign))
	}
	require.Equal(t, 2, a.seen.of("refused subject"))
	// An older logout narrows nothing.
	require.NoError(t, a.EndSubject(context.Background(), tenant, "user-1", noon.Add(-time.Hour)))
	require.Equal(t, fault.Unauthenticated, a.ask(t, issued("user-1", noon.Add(-time.Millisecond))))
}

// TestLifetimes: an end holds until no credential and no grant of the tenant can live.
func TestLifetimes(t *testing.T) {
	for name, life := range map[string]time.Duration{tenant: time.Hour, "bank": 2 * time.Hour, "unknown": 2 * time.Hour} {
		rows, c := newTable(), &clock{at: noon}
		r := start(t, rows, c, nil)
		who := session("s")
		_, err := r.EndSession(context.Background(), name, *who.Session, "application")
		require.NoError(t, err)
		c.advance(life)
		r.poll()
		require.Equal(t, fault.Unauthenticated, r.ask(t, who), name)
		c.advance(time.Minute)
		r.poll()
		require.Empty(t, r.ask(t, who), name)
		require.Zero(t, r.seen.of("kept"), "it is swept from memory")
	}
}

// TestFailedWrite: the caller is told, and the session stays ended here: that is what was asked for.
func TestFailedWrite(t *testing.T) {
	rows := newTable()
	r := start(t, rows, &clock{at: noon}, nil)
	rows.fail(errDown)
	who := session("s")
	_, err := r.EndSession(context.Background(), tenant, *who.Session, "application")
	require.Equal(t, fault.Unavailable, fault.Public(err).Code)
	require.Equal(t, fault.Unauthenticated, r.ask(t, who))
	require.Zero(t, r.seen.of("ended application"))
}
