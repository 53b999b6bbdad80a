package revocation_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/revocation"
	"github.com/cloakroomhq/cloakroom/models"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

var errDown = errors.New("down")

// table is a database that several replicas share.
type table struct {
	mu      sync.Mutex
	rows    map[caller.SessionHash]models.Ended
	revoked []string
	since   []int64 // of each read
	err     error

	failEnd, failRevoke error

	notices     []models.Revoked
	noticesErr  error
	sweptBefore int64
}

// notice stores a row of revocations.
func (t *table) notice(r models.Revoked) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Seq = int64(len(t.notices) + 1)
	t.notices = append(t.notices, r)
}

func (t *table) failNotices(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.noticesErr = err
}

func (t *table) RevokedSince(_ context.Context, after int64, each func(models.Revoked)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.notices {
		if r.Seq > after && t.noticesErr == nil {
			each(r)
		}
	}
	return t.noticesErr
}

// SweepRevoked removes nothing, and records the moment as a swept row's.
func (t *table) SweepRevoked(_ context.Context, before int64, _ int) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweptBefore = before
	return 0, t.err
}

func (t *table) End(ctx context.Context, r models.Ended) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if t.failEnd != nil {
		return t.failEnd
	}
	if t.err == nil {
		t.rows[r.ID] = r
	}
	return t.err
}

// Write stores ends, and records revocations: three grants for each session.
func (t *table) Write(ctx context.Context, b models.Batch) (done models.Result, err error) {
	for _, r := range b.Ended {
		if err := t.End(ctx, r); err != nil {
			return done, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if b.Revoke != nil && t.failRevoke != nil {
		return done, t.failRevoke
	}
	for _, r := range b.Revoked(&models.Result{Revoked: 1}) {
		r.Seq = int64(len(t.notices) + 1)
		t.notices = append(t.notices, r)
	}
	if b.Revoke != nil {
		t.revoked = append(t.revoked, b.Revoke.Tenant)
		done.Revoked = 3
	}
	return done, t.err
}

// SweepEnded removes all rows that have expired.
func (t *table) SweepEnded(_ context.Context, now int64, _ int) (n int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, r := range t.rows {
		if r.ExpiresAt <= now && t.err == nil {
			delete(t.rows, id)
			n++
		}
	}
	return n, t.err
}

// transfers implements revocation.Transfers, and records the calls.
type transfers struct {
	mu               sync.Mutex
	ended, signedOut []objects.Signer
}

func (t *transfers) EndSession(g objects.Signer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = append(t.ended, g)
}

func (t *transfers) SignOut(g objects.Signer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.signedOut = append(t.signedOut, g)
}

func (t *table) EndedSince(_ context.Context, since, now int64, each func(models.Ended)) error {
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

// failWrites sets the errors of writes that end, and of writes that revoke.
func (t *table) failWrites(end, revoke error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failEnd, t.failRevoke = end, revoke
}

func (t *table) revocations() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.revoked)
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

func (c *counts) Ended(reason string) { c.note("ended " + reason) }
func (c *counts) Watching(change int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n["watching"] += change
}
func (c *counts) EndedRefused(by string) { c.note("refused " + by) }
func (c *counts) Swept(table string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n["swept "+table] += n
}
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

// replica is a Set that polls when the test calls poll.
type replica struct {
	*revocation.Set
	ticks     chan time.Time
	transfers *transfers
	seen      *counts
	clock     *clock
}

const tenant = "clinic"

func start(t testing.TB, rows *table, c *clock, change func(*revocation.Options)) *replica {
	t.Helper()
	r := &replica{ticks: make(chan time.Time), transfers: &transfers{}, seen: &counts{n: map[string]int{}}, clock: c}
	o := revocation.Options{
		Rows: rows, Transfers: r.transfers, Lifetimes: map[string]time.Duration{tenant: time.Hour, "bank": 2 * time.Hour}, Poll: time.Second, Max: 1000,
		Watches:  revocation.WatchLimits{Total: 6, PerTenant: 4, PerSession: 2},
		Observer: r.seen, Logger: slog.New(slog.DiscardHandler), Now: c.now,
	}
	if change != nil {
		change(&o)
	}
	var err error
	r.Set, err = revocation.New(context.Background(), o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx, r.ticks) }()
	t.Cleanup(func() { cancel(); <-done })
	return r
}

// poll makes the replica poll; it takes the second tick only after the first poll.
func (r *replica) poll() { r.ticks <- time.Time{}; r.ticks <- time.Time{} }

func newTable() *table { return &table{rows: map[caller.SessionHash]models.Ended{}} }

// next is a guard.CallerFinder that returns a fixed caller or error.
type next struct {
	caller *caller.Caller
	err    error
}

func (n next) Authenticate(*http.Request) (*caller.Caller, error) { return n.caller, n.err }

func session(id string) *caller.Caller {
	hash := caller.HashSession(tenant, id)
	return &caller.Caller{Tenant: tenant, Subject: "user-" + id, Session: &hash, IssuedAt: noon, ExpiresAt: noon.Add(time.Hour)}
}

// signOut ends a login, with the grants of the session "signed out".
func (r *replica) signOut(ctx context.Context, login caller.SessionHash, until time.Time) error {
	who := session("signed out")
	who.Login, who.ExpiresAt = &login, until
	_, _, err := r.SignOut(ctx, who, who)
	return err
}

// ask returns the code with which a caller is refused, "" for none.
func (r *replica) ask(t testing.TB, c *caller.Caller) fault.Code {
	t.Helper()
	got, err := r.Guard(next{caller: c}).Authenticate(nil)
	if err != nil {
		require.Nil(t, got)
		return fault.Public(err).Code
	}
	require.Same(t, c, got)
	return ""
}
