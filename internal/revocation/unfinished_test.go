package revocation_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/revocation"
)

// TestEndSessionWithFullMemory: if memory is full, the session's grants are revoked and its transfers stopped nevertheless,
// and the fault tells the application that the credentials are not refused.
func TestEndSessionWithFullMemory(t *testing.T) {
	rows := newTable()
	r := start(t, rows, &clock{at: noon}, func(o *revocation.Options) { o.Max = 1 })
	_, err := r.EndSession(t.Context(), tenant, "first", caller.EndedByApplication)
	require.NoError(t, err)
	n, err := r.EndSession(t.Context(), tenant, "second", caller.EndedByApplication)
	require.Equal(t, fault.LimitExceeded, fault.Public(err).Code)
	require.Equal(t, 3, n, "its grants")
	require.Equal(t, 2, rows.revocations())
	require.Contains(t, r.transfers.ended, objects.Signer{Tenant: tenant, Session: caller.HashSession(tenant, "second")})
	rows.failWrites(nil, errDown)
	_, err = r.EndSession(t.Context(), tenant, "third", caller.EndedByApplication)
	require.Equal(t, fault.Unavailable, fault.Public(err).Code)
}

// TestFailedWritesAreRetried: after a sign-out whose write failed, the user can't sign out again, because the cookie is
// refused. So failed writes are retried until the database accepts them; then the cookie is refused after a restart and by
// other replicas too.
func TestFailedWritesAreRetried(t *testing.T) {
	login := caller.SessionHash{1}
	cookie := session("s")
	cookie.Login = &login
	subject := session("other")
	for name, test := range map[string]struct {
		end, revoke error // of the write
		call        func(r *replica) error
		refused     *caller.Caller // at last, by every replica
		revocations int
	}{
		"a sign-out":          {errDown, errDown, func(r *replica) error { _, _, err := r.SignOut(t.Context(), cookie, cookie); return err }, cookie, 1},
		"a sign-out's login":  {errDown, nil, func(r *replica) error { _, _, err := r.SignOut(t.Context(), cookie, cookie); return err }, cookie, 1},
		"a sign-out's grants": {nil, errDown, func(r *replica) error { _, _, err := r.SignOut(t.Context(), cookie, cookie); return err }, cookie, 1},
		"a session": {errDown, nil, func(r *replica) error {
			_, err := r.EndSession(t.Context(), tenant, "s", caller.EndedByApplication)
			return err
		}, session("s"), 1},
		"a subject": {errDown, nil, func(r *replica) error {
			return r.EndSubject(t.Context(), tenant, subject.Subject, noon.Add(time.Second))
		}, subject, 0},
	} {
		t.Run(name, func(t *testing.T) {
			rows, c := newTable(), &clock{at: noon}
			a, b := start(t, rows, c, nil), start(t, rows, c, nil)
			rows.failWrites(test.end, test.revoke)
			require.Equal(t, fault.Unavailable, fault.Public(test.call(a)).Code)
			require.Equal(t, fault.Unauthenticated, a.ask(t, test.refused), "on this replica at once")
			c.advance(time.Minute)
			a.poll()
			rows.failWrites(nil, nil)
			a.poll()
			require.Equal(t, test.revocations, rows.revocations())
			b.poll()
			for _, r := range []*replica{b, start(t, rows, c, nil)} {
				require.Equal(t, fault.Unauthenticated, r.ask(t, test.refused))
			}
			a.poll()
			require.Equal(t, test.revocations, rows.revocations(), "once")
		})
	}
	t.Run("until nothing is left to end", func(t *testing.T) {
		rows, c := newTable(), &clock{at: noon}
		r := start(t, rows, c, nil)
		rows.failWrites(errDown, errDown)
		_, _, err := r.SignOut(t.Context(), cookie, cookie)
		require.Error(t, err)
		c.advance(2 * time.Hour)
		rows.failWrites(nil, nil)
		r.poll()
		require.Empty(t, rows.rows)
		require.Zero(t, rows.revocations())
	})
	t.Run("another credential may ask again", func(t *testing.T) {
		rows := newTable()
		r := start(t, rows, &clock{at: noon}, nil)
		rows.failWrites(nil, errDown)
		_, _, err := r.SignOut(t.Context(), session("s"), nil)
		require.Error(t, err)
		rows.failWrites(nil, nil)
		r.poll()
		require.Zero(t, rows.revocations())
	})
	t.Run("many at once", func(t *testing.T) {
		rows, c := newTable(), &clock{at: noon}
		r := start(t, rows, c, nil)
		rows.failWrites(errDown, nil)
		var wait sync.WaitGroup
		for i := range 100 {
			wait.Go(func() { _ = r.signOut(t.Context(), caller.SessionHash{byte(i)}, noon.Add(time.Hour)) })
		}
		for range 3 {
			r.poll()
		}
		wait.Wait()
		rows.failWrites(nil, nil)
		r.poll()
		require.Len(t, rows.rows, 100)
		require.Equal(t, 100, r.seen.of("ended sign_out"))
	})
}
