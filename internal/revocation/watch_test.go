package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/revocation"
	"github.com/cloakroomhq/cloakroom/models"
)

// watcher records what it is told, one text for each call.
type watcher struct {
	mu   sync.Mutex
	told []string
	stop func()
}

func (w *watcher) tell(tokens []ids.Digest, all, ended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := ""
	for _, id := range tokens {
		text += fmt.Sprint(id[0])
	}
	if all {
		text += "all"
	}
	if ended {
		text += " ended"
	}
	w.told = append(w.told, text)
}

func (w *watcher) take() (told []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	told, w.told = w.told, nil
	return told
}

func digest(n byte) ids.Digest { return ids.Digest{n} }

func watchOf(t *testing.T, r *replica, c *caller.Caller, tokens ...byte) *watcher {
	t.Helper()
	w := &watcher{}
	list := make([]ids.Digest, len(tokens))
	for i, n := range tokens {
		list[i] = digest(n)
	}
	var err error
	w.stop, err = r.Watch(c, list, w.tell)
	require.NoError(t, err)
	return w
}

func of(tokens ...byte) (b []byte) {
	for _, n := range tokens {
		id := digest(n)
		b = append(b, id[:]...)
	}
	return b
}

// TestWatch: each caller is told once, by each replica's next poll, of its own tokens and session, and of nothing else.
func TestWatch(t *testing.T) {
	rows, c := newTable(), &clock{at: noon}
	rows.notice(models.Revoked{Tenant: tenant, Tokens: of(1)}) // before the start
	for _, r := range []*replica{start(t, rows, c, nil), start(t, rows, c, nil)} {
		r.poll()
		s1, s2 := session("s1"), session("s2")
		foreign := session("s1")
		foreign.Tenant, foreign.Session = "bank", new(caller.HashSession("bank", "s1"))
		a, b := watchOf(t, r, s1, 1, 2, 1), watchOf(t, r, s2, 1)
		other := watchOf(t, r, foreign, 1, 2)
		none := watchOf(t, r, s1)
		all := []*watcher{a, b, other, none}
		for _, step := range []struct {
			name string
			row  models.Revoked
			want [4][]string
		}{
			{"a token, of all sessions", models.Revoked{Tenant: tenant, Tokens: of(1, 9)}, [4][]string{{"1"}, {"1"}}},
			{"tokens of a session", models.Revoked{Tenant: tenant, SessionID: s1.Session, Tokens: of(2, 1)}, [4][]string{{"21"}}},
			{"a token that nobody watches", models.Revoked{Tenant: tenant, Tokens: of(9)}, [4][]string{}},
			{"a session", models.Revoked{Tenant: tenant, SessionID: s1.Session}, [4][]string{{"all"}, nil, nil, {"all"}}},
			{"all tokens of all sessions", models.Revoked{Tenant: tenant}, [4][]string{{"all"}, {"all"}, nil, {"all"}}},
			{"another tenant's", models.Revoked{Tenant: "bank", Tokens: of(1, 2)}, [4][]string{2: {"12"}}},
		} {
			r.poll()
			for _, w := range all {
				require.Empty(t, w.take(), "nothing twice, and nothing before %s", step.name)
			}
			rows.notice(step.row)
			r.poll()
			for i, w := range all {
				require.Equal(t, step.want[i], w.take(), "%s: watch %d", step.name, i)
			}
		}
		for _, w := range all {
			w.stop()
			w.stop()
		}
		require.Zero(t, r.seen.of("watching"))
		rows.notice(models.Revoked{Tenant: tenant})
		r.poll()
		require.Empty(t, a.take())
	}
}

// TestWatchEnds: whoever's credential is refused is told so by the next poll, by session, login or subject, on all replicas.
func TestWatchEnds(t *testing.T) {
	login := caller.HashLogin(tenant, []byte("login"))
	cookie := session("cookie")
	cookie.Login = &login
	for name, end := range map[string]func(r *replica) error{
		"a session": func(r *replica) error {
			_, err := r.EndSession(t.Context(), tenant, "bearer", caller.EndedByApplication)
			return err
		},
		"a login": func(r *replica) error { return r.signOut(t.Context(), login, noon.Add(time.Hour)) },
		"a subject": func(r *replica) error {
			return r.EndSubject(t.Context(), tenant, "user-subject", noon.Add(time.Second))
		},
	} {
		t.Run(name, func(t *testing.T) {
			rows, c := newTable(), &clock{at: noon}
			a, b := start(t, rows, c, nil), start(t, rows, c, nil)
			who := map[string]*caller.Caller{"a session": session("bearer"), "a login": cookie, "a subject": session("subject")}[name]
			onA, onB, other := watchOf(t, a, who, 1), watchOf(t, b, who, 1), watchOf(t, a, session("other"), 1)
			require.NoError(t, end(a))
			a.poll()
			c.advance(time.Second)
			b.poll()
			for _, w := range []*watcher{onA, onB} {
				require.Contains(t, w.take(), "all ended")
			}
			require.Empty(t, other.take())
		})
	}
}

// TestWatchersAreToldOfAnOutage: once, when ended sessions are stale, and again if rows may have been swept meanwhile.
func TestWatchersAreToldOfAnOutage(t *testing.T) {
	rows, c := newTable(), &clock{at: noon}
	r := start(t, rows, c, nil)
	w := watchOf(t, r, session("s"), 1)
	rows.failNotices(errors.New("down"))
	c.advance(9 * time.Second)
	r.poll()
	require.Empty(t, w.take(), "not yet")
	c.advance(2 * time.Second)
	r.poll()
	r.poll()
	require.Equal(t, []string{"all"}, w.take(), "once")
	rows.notice(models.Revoked{Tenant: tenant, Tokens: of(1)})
	rows.failNotices(nil)
	r.poll()
	require.Equal(t, []string{"1"}, w.take(), "the rows are read afterwards")
	c.advance(3 * time.Minute)
	r.poll()
	require.Equal(t, []string{"all"}, w.take(), "a row may be gone")
	r.poll()
	require.Empty(t, w.take())
	rows.fail(errDown) // ended sessions can't be read
	c.advance(11 * time.Second)
	r.poll()
	require.Equal(t, []string{"all"}, w.take())
}

// TestWatchLimits: a session, a tenant and a replica have bounded watches and tokens; stopped ones make room.
func TestWatchLimits(t *testing.T) {
	watch := func(r *replica, c *caller.Caller, tokens int) (func(), error) {
		list := make([]ids.Digest, tokens)
		for i := range list {
			list[i] = ids.Digest{byte(i), byte(i >> 8), 1}
		}
		return r.Watch(c, list, (&watcher{}).tell)
	}
	code := func(err error) fault.Code { return fault.Public(err).Code }
	of := func(tenant, id string) *caller.Caller {
		return &caller.Caller{Tenant: tenant, Session: new(caller.HashSession(tenant, id))}
	}
	t.Run("a session", func(t *testing.T) {
		r := start(t, newTable(), &clock{at: noon}, nil)
		stop, err := watch(r, session("s"), 1)
		require.NoError(t, err)
		_, err = watch(r, session("s"), 1)
		require.NoError(t, err)
		_, err = watch(r, session("s"), 1)
		require.Equal(t, fault.LimitExceeded, code(err))
		require.Contains(t, err.Error(), "subscriptions.max_per_session")
		stop()
		_, err = watch(r, session("s"), 1)
		require.NoError(t, err)
		require.Equal(t, 2, r.seen.of("watching"))
	})
	t.Run("a tenant, and all", func(t *testing.T) {
		r := start(t, newTable(), &clock{at: noon}, nil)
		for i := range 4 {
			_, err := watch(r, of("clinic", fmt.Sprint(i)), 1)
			require.NoError(t, err)
		}
		_, err := watch(r, of("clinic", "more"), 1)
		require.Equal(t, fault.RateLimited, code(err))
		require.NotZero(t, fault.Public(err).RetryAfter)
		for i := range 2 {
			_, err := watch(r, of("bank", fmt.Sprint(i)), 1)
			require.NoError(t, err, "another tenant has room")
		}
		_, err = watch(r, of("third", "s"), 0)
		require.Equal(t, fault.RateLimited, code(err))
	})
	t.Run("tokens", func(t *testing.T) {
		r := start(t, newTable(), &clock{at: noon}, nil)
		stop, err := watch(r, of("clinic", "1"), 4*64)
		require.NoError(t, err)
		_, err = watch(r, of("clinic", "2"), 1)
		require.Equal(t, fault.RateLimited, code(err))
		_, err = watch(r, of("bank", "2"), 2*64)
		require.NoError(t, err)
		_, err = watch(r, of("third", "2"), 1)
		require.Equal(t, fault.RateLimited, code(err))
		stop()
		_, err = watch(r, of("clinic", "2"), 1)
		require.NoError(t, err)
	})
}

// TestManyWatches come and go while replicas poll, and leave nothing.
func TestManyWatches(t *testing.T) {
	rows := newTable()
	r := start(t, rows, &clock{at: noon}, func(o *revocation.Options) {
		o.Watches = revocation.WatchLimits{Total: 1000, PerTenant: 1000, PerSession: 1000}
	})
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			stop, err := r.Watch(session(fmt.Sprint(i%10)), []ids.Digest{digest(byte(i)), digest(0)}, (&watcher{}).tell)
			if err == nil {
				stop()
			}
		})
	}
	for i := range 10 {
		rows.notice(models.Revoked{Tenant: tenant, Tokens: of(byte(i), 0)})
		r.poll()
	}
	all.Wait()
	require.Zero(t, r.seen.of("watching"))
	require.NoError(t, r.Watches0())
}

// TestSweepKeepsRevocations for longer than a replica may be without the database before it tells everybody to look again.
func TestSweepKeepsRevocations(t *testing.T) {
	for poll, kept := range map[time.Duration]time.Duration{time.Second: 5 * time.Minute, time.Minute: 40 * time.Minute} {
		rows := newTable()
		r := start(t, rows, &clock{at: noon}, func(o *revocation.Options) { o.Poll = poll })
		require.NoError(t, r.Sweep(context.Background()))
		require.Equal(t, noon.Add(-kept).UnixMilli(), rows.sweptBefore)
	}
}
