package revocation_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/revocation"
	"github.com/cloakroomhq/cloakroom/models"
)

// TestNewFailsWithoutTheDatabase: New fails if the ended sessions can't be read.
func TestNewFailsWithoutTheDatabase(t *testing.T) {
	rows := newTable()
	rows.fail(errDown)
	_, err := revocation.New(context.Background(), revocation.Options{
		Rows: rows, Transfers: &transfers{}, Lifetimes: map[string]time.Duration{tenant: time.Hour}, Poll: time.Second, Max: 1, Watches: revocation.WatchLimits{PerSession: 1},
		Observer: &counts{}, Logger: slog.New(slog.DiscardHandler),
	})
	require.ErrorIs(t, err, errDown)
}

// TestStaleReplicaRefusesAll: while the table can't be read, credentials are accepted for ten polls; after that, all are
// refused until the table can be read again.
func TestStaleReplicaRefusesAll(t *testing.T) {
	rows, c := newTable(), &clock{at: noon}
	r, other := start(t, rows, c, nil), start(t, rows, c, nil)
	backend := &caller.Caller{Tenant: tenant, Subject: "app", Roles: []string{caller.RoleApplication}}
	rows.fail(errDown)
	for range 10 {
		c.advance(time.Second)
		r.poll()
		require.Empty(t, r.ask(t, session("s")))
	}
	c.advance(time.Millisecond)
	require.Equal(t, fault.Unavailable, r.ask(t, session("s")))
	require.Equal(t, fault.Unavailable, r.ask(t, backend))
	require.Equal(t, fault.Unavailable, other.ask(t, session("s")), "a poll that hangs counts as a failed one")
	require.Equal(t, 2, r.seen.of("refused unknown"))
	got, err := r.Guard(next{}).Authenticate(nil)
	require.NoError(t, err, "a request without credentials is no fault")
	require.Nil(t, got)
	c.advance(time.Hour)
	r.poll()
	require.Equal(t, fault.Unavailable, r.ask(t, session("s")))

	rows.fail(nil)
	_, err = other.EndSession(context.Background(), tenant, "gone", "application")
	require.NoError(t, err)
	r.poll()
	require.Empty(t, r.ask(t, session("s")))
	require.Empty(t, r.ask(t, backend))
	require.Equal(t, fault.Unauthenticated, r.ask(t, session("gone")))
}

// TestPollsOverlap: a poll's window overlaps with the one before, so that a row from a replica with a clock that is behind,
// or a row committed late, is not missed. After an outage a poll starts before the outage. All rows are read at intervals.
func TestPollsOverlap(t *testing.T) {
	rows, c := newTable(), &clock{at: noon}
	r := start(t, rows, c, nil)
	require.Equal(t, []int64{0}, rows.since, "all rows at the start")
	late := models.Ended{ID: *session("late").Session, IssuedBefore: 1<<63 - 1, EndedAt: noon.Add(-29 * time.Second).UnixMilli(), ExpiresAt: noon.Add(time.Hour).UnixMilli()}
	require.NoError(t, rows.End(context.Background(), late))
	c.advance(time.Second)
	r.poll()
	require.Equal(t, fault.Unauthenticated, r.ask(t, session("late")))
	rows.mu.Lock()
	require.Equal(t, noon.Add(-30*time.Second).UnixMilli(), rows.since[1])
	rows.mu.Unlock()

	rows.fail(errDown)
	c.advance(2 * time.Minute)
	r.poll()
	rows.fail(nil)
	require.NoError(t, rows.End(context.Background(), models.Ended{
		ID: *session("meanwhile").Session, IssuedBefore: 1<<63 - 1, EndedAt: noon.Add(time.Minute).UnixMilli(), ExpiresAt: noon.Add(time.Hour).UnixMilli(),
	}))
	r.poll()
	require.Equal(t, fault.Unauthenticated, r.ask(t, session("meanwhile")))

	// A row from a clock that is hours behind is found when all rows are read again.
	lost := late
	lost.ID, lost.EndedAt = *session("lost").Session, noon.Add(-2*time.Hour).UnixMilli()
	require.NoError(t, rows.End(context.Background(), lost))
	r.poll()
	require.Empty(t, r.ask(t, session("lost")))
	c.advance(3 * time.Minute)
	r.poll()
	require.Equal(t, fault.Unauthenticated, r.ask(t, session("lost")))
}

// TestConcurrent is for the race detector: concurrent readers, writers, polls and sweeps.
func TestConcurrent(t *testing.T) {
	rows, c := newTable(), &clock{at: noon}
	a, b := start(t, rows, c, nil), start(t, rows, c, nil)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 100 {
				who := session(fmt.Sprint(i, "-", j))
				_, err := a.EndSession(context.Background(), tenant, fmt.Sprint(i, "-", j), "application")
				assert.NoError(t, err)
				assert.Equal(t, fault.Unauthenticated, a.ask(t, who))
			}
		})
		all.Go(func() {
			for range 200 {
				require.Empty(t, b.ask(t, session("never")))
			}
		})
	}
	all.Go(func() {
		for range 20 {
			a.poll()
			b.poll()
		}
	})
	all.Wait()
	b.poll()
	require.Equal(t, fault.Unauthenticated, b.ask(t, session("3-99")))
}

// TestMemoryIsBounded: memory is bounded; an ended session can be ended again.
func TestMemoryIsBounded(t *testing.T) {
	r := start(t, newTable(), &clock{at: noon}, func(o *revocation.Options) { o.Max = 2 })
	ctx := context.Background()
	for _, id := range []string{"a", "b", "a"} {
		_, err := r.EndSession(ctx, tenant, id, "application")
		require.NoError(t, err)
	}
	_, err := r.EndSession(ctx, tenant, "c", "application")
	require.Equal(t, fault.LimitExceeded, fault.Public(err).Code)
	require.Equal(t, fault.LimitExceeded, fault.Public(r.EndSubject(ctx, tenant, "u", noon)).Code)
	require.Empty(t, r.ask(t, session("c")))
}

// TestSignOutsFillHalfOfTheMemory: sign-outs may fill half of the memory; the rest is for applications and providers.
func TestSignOutsFillHalfOfTheMemory(t *testing.T) {
	rows, c := newTable(), &clock{at: noon}
	r := start(t, rows, c, func(o *revocation.Options) { o.Max = 4 })
	ctx, until := context.Background(), noon.Add(time.Minute)
	for _, login := range []byte{1, 2, 1} {
		require.NoError(t, r.signOut(ctx, caller.SessionHash{login}, until))
	}
	again := start(t, rows, c, func(o *revocation.Options) { o.Max = 4 })
	for _, replica := range []*replica{r, again} { // rows of other replicas count too
		require.Equal(t, fault.LimitExceeded, fault.Public(replica.signOut(ctx, caller.SessionHash{3}, until)).Code)
		require.NoError(t, replica.signOut(ctx, caller.SessionHash{2}, until), "an ended login can be ended again")
	}
	require.Len(t, rows.rows, 2, "nothing is written")
	_, err := r.EndSession(ctx, tenant, "a", caller.EndedByApplication)
	require.NoError(t, err)
	require.NoError(t, r.EndSubject(ctx, tenant, "u", noon))
	_, err = r.EndSession(ctx, tenant, "b", caller.EndedByApplication)
	require.Equal(t, fault.LimitExceeded, fault.Public(err).Code)
	c.advance(2 * time.Minute)
	r.poll()
	_, err = r.EndSession(ctx, tenant, "b", caller.EndedByApplication)
	require.NoError(t, err, "sign-outs are swept after their cookies have expired")
}

func TestNewRequiresItsOptions(t *testing.T) {
	_, err := revocation.New(context.Background(), revocation.Options{})
	require.Error(t, err)
}
