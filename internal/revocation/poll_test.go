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

// TestNotLoaded: without having read what has ended, nothing is served.
func TestNotLoaded(t *testing.T) {
	rows := newTable()
	rows.fail(errDown)
	_, err := revocation.New(context.Background(), revocation.Options{
		Rows: rows, Transfers: &transfers{}, Lifetimes: map[string]time.Duration{tenant: time.Hour}, Poll: time.Second, Max: 1,
		Observer: &counts{}, Logger: slog.New(slog.DiscardHandler),
	})
	require.ErrorIs(t, err, errDown)
}

// TestFailClosed: while the table can't be read, credentials are accepted for ten polls and refused after
// that, all of them, until it can be read again.
func TestFailClosed(t *testing.T) {
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
	require.Equal(t, fault.Unavailable, other.ask(t, session("s")), "a poll that hangs counts like one that fails")
	require.Equal(t, 2, r.seen.of("refused unknown"))
	got, err := r.Guard(next{}).Authenticate(nil)
	require.NoError(t, err, "no credentials is no fault")
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

// TestWindow: a poll reads again what the one before has read, so that a row of a replica whose clock is
// behind, or that was committed late, is not lost; after an outage, from before it; and all now and then.
func TestWindow(t *testing.T) {
	rows, c := newTable(), &clock{at: noon}
	r := start(t, rows, c, nil)
	require.Equal(t, []int64{0}, rows.since, "all at the start")
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

	// A clock that is hours behind: the row is found when all is read again.
	lost := late
	lost.ID, lost.EndedAt = *session("lost").Session, noon.Add(-2*time.Hour).UnixMilli()
	require.NoError(t, rows.End(context.Background(), lost))
	r.poll()
	require.Empty(t, r.ask(t, session("lost")))
	c.advance(3 * time.Minute)
	r.poll()
	require.Equal(t, fault.Unauthenticated, r.ask(t, session("lost")))
}

// TestConcurrent is for the race detector: readers, writers, polls and sweeps at once.
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

// TestMax: memory is bounded; what has ended can be ended again.
func TestMax(t *testing.T) {
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

// TestShare: sign-outs fill half of the memory, and leave the rest to applications and providers.
func TestShare(t *testing.T) {
	rows, c := newTable(), &clock{at: noon}
	r := start(t, rows, c, func(o *revocation.Options) { o.Max = 4 })
	ctx, until := context.Background(), noon.Add(time.Minute)
	for _, login := range []byte{1, 2, 1} {
		require.NoError(t, r.signOut(ctx, caller.SessionHash{login}, until))
	}
	again := start(t, rows, c, func(o *revocation.Options) { o.Max = 4 })
	for _, replica := range []*replica{r, again} { // what another has ended counts too
		require.Equal(t, fault.LimitExceeded, fault.Public(replica.signOut(ctx, caller.SessionHash{3}, until)).Code)
		require.NoError(t, replica.signOut(ctx, caller.SessionHash{2}, until), "what is known can be ended again")
	}
	require.Len(t, rows.rows, 2, "and nothing is written")
	_, err := r.EndSession(ctx, tenant, "a", caller.EndedByApplication)
	require.NoError(t, err)
	require.NoError(t, r.EndSubject(ctx, tenant, "u", noon))
	_, err = r.EndSession(ctx, tenant, "b", caller.EndedByApplication)
	require.Equal(t, fault.LimitExceeded, fault.Public(err).Code)
	c.advance(2 * time.Minute)
	r.poll()
	_, err = r.EndSession(ctx, tenant, "b", caller.EndedByApplication)
	require.NoError(t, err, "the sign-outs are forgotten once their cookies have expired")
}

func TestOptions(t *testing.T) {
	_, err := revocation.New(context.Background(), revocation.Options{})
	require.Error(t, err)
}
