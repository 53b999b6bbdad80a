package limit_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/clientaddr"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/limit"
)

// world is a Limiter with a fixed clock that the test advances; it records refusals as thing/by/tenant.
type world struct {
	*limit.Limiter
	now     atomic.Int64 // nanoseconds
	mu      sync.Mutex
	refused []string
}

func (w *world) RateLimited(thing, by, tenant string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = append(w.refused, thing+"/"+by+"/"+tenant)
}

func (w *world) pass(d time.Duration) { w.now.Add(int64(d)) }

func newWorld(t testing.TB, rates config.Rates) *world {
	t.Helper()
	w := &world{}
	w.now.Store(time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC).UnixNano())
	clients, err := clientaddr.New([]string{"10.0.0.0/8"}, clientaddr.XForwardedFor, nil)
	require.NoError(t, err)
	w.Limiter, err = limit.New(limit.Options{
		Rates: rates, Clients: clients, Observer: w, Now: func() time.Time { return time.Unix(0, w.now.Load()) },
	})
	require.NoError(t, err)
	return w
}

func per(perSecond float64, burst int64) config.Rate {
	return config.Rate{PerSecond: perSecond, Burst: burst}
}

func session(tenant, id string) *caller.Caller {
	hash := caller.HashSession(tenant, id)
	return &caller.Caller{Tenant: tenant, Subject: "user", Session: &hash}
}

func from(peer string, forwarded ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/graphql", http.NoBody)
	r.RemoteAddr = peer + ":1234"
	r.Header["X-Forwarded-For"] = forwarded
	return r
}

func requireLimited(t testing.TB, err error, wait time.Duration) {
	t.Helper()
	require.Error(t, err)
	public := fault.Public(err)
	require.Equal(t, fault.RateLimited, public.Code)
	require.Equal(t, wait, public.RetryAfter)
}

func TestRatesOfSessionsAndTenants(t *testing.T) {
	read := func(s, of config.Rate) config.Rates {
		return config.Rates{Remember: 1000, TokensRead: config.CallerRates{Session: s, Tenant: of}}
	}
	t.Run("a session has its burst, then its rate", func(t *testing.T) {
		w := newWorld(t, read(per(2, 10), config.Rate{}))
		require.NoError(t, w.Read(session("a", "1"), 10))
		requireLimited(t, w.Read(session("a", "1"), 1), time.Second)
		requireLimited(t, w.Read(session("a", "1"), 10), 5*time.Second)
		w.pass(time.Second)
		require.NoError(t, w.Read(session("a", "1"), 2))
		requireLimited(t, w.Read(session("a", "1"), 1), time.Second)
	})
	t.Run("a request passes after the announced wait", func(t *testing.T) {
		w := newWorld(t, read(per(3, 10), config.Rate{}))
		require.NoError(t, w.Read(session("a", "1"), 10))
		wait := fault.Public(w.Read(session("a", "1"), 7)).RetryAfter
		w.pass(wait)
		require.NoError(t, w.Read(session("a", "1"), 7))
	})
	t.Run("unused rate is saved up to the burst", func(t *testing.T) {
		w := newWorld(t, read(per(2, 10), config.Rate{}))
		w.pass(time.Hour)
		require.NoError(t, w.Read(session("a", "1"), 10))
		requireLimited(t, w.Read(session("a", "1"), 1), time.Second)
	})
	t.Run("sessions have buckets of their own", func(t *testing.T) {
		w := newWorld(t, read(per(1, 10), config.Rate{}))
		require.NoError(t, w.Read(session("a", "1"), 10))
		require.NoError(t, w.Read(session("a", "2"), 10))
		require.NoError(t, w.Read(session("b", "1"), 10), "the same id at another tenant")
	})
	t.Run("sessions share their tenant's bucket", func(t *testing.T) {
		w := newWorld(t, read(per(1, 10), per(1, 30)))
		for i := range 3 {
			require.NoError(t, w.Read(session("a", fmt.Sprint(i)), 10))
		}
		requireLimited(t, w.Read(session("a", "3"), 1), time.Second)
		require.NoError(t, w.Read(session("b", "3"), 1), "another tenant's bucket is not charged")
		require.Equal(t, []string{"tokens_read/tenant/a"}, w.refused)
	})
	t.Run("an application has only its tenant's bucket", func(t *testing.T) {
		w := newWorld(t, read(per(1, 10), per(1, 30)))
		application := &caller.Caller{Tenant: "a", Roles: []string{caller.RoleApplication}}
		require.NoError(t, w.Read(application, 30))
		requireLimited(t, w.Read(application, 1), time.Second)
	})
	t.Run("a clock that goes back adds no tokens", func(t *testing.T) {
		w := newWorld(t, read(per(1, 10), config.Rate{}))
		require.NoError(t, w.Read(session("a", "1"), 10))
		w.pass(-time.Hour)
		requireLimited(t, w.Read(session("a", "1"), 1), time.Second)
	})
	t.Run("a rate of 0 is no limit", func(t *testing.T) {
		w := newWorld(t, config.Rates{})
		for range 1000 {
			require.NoError(t, w.Read(session("a", "1"), 1000))
			require.NoError(t, w.Reserve(session("a", "1"), 1000, 1<<40))
			require.NoError(t, w.Refused(from("198.51.100.1")))
			require.NoError(t, w.Admit(from("198.51.100.1")))
			require.NoError(t, w.SignIn(from("198.51.100.1")))
			require.NoError(t, w.Anonymous(from("198.51.100.1")))
			require.NoError(t, w.SignedIn("a", *session("a", "1").Session))
			require.NoError(t, w.AdmitSession("a", *session("a", "1").Session))
		}
	})
}

func TestAllBucketsAreChargedOrNone(t *testing.T) {
	rates := config.Rates{
		Remember:       1000,
		TokensReserved: config.CallerRates{Session: per(1, 10), Tenant: per(1, 15)},
		BytesReserved:  config.CallerRates{Session: per(100, 1000), Tenant: per(100, 5000)},
	}
	t.Run("a batch that does not fit takes nothing", func(t *testing.T) {
		w := newWorld(t, rates)
		require.NoError(t, w.Reserve(session("a", "1"), 6, 10))
		requireLimited(t, w.Reserve(session("a", "1"), 6, 10), 2*time.Second)
		require.NoError(t, w.Reserve(session("a", "1"), 4, 10), "the refused batch charged nothing")
	})
	t.Run("tokens and tenant are not charged if the bytes don't fit", func(t *testing.T) {
		w := newWorld(t, rates)
		require.NoError(t, w.Reserve(session("a", "1"), 1, 900))
		requireLimited(t, w.Reserve(session("a", "1"), 9, 200), time.Second)
		require.Equal(t, []string{"bytes_reserved/session/a"}, w.refused)
		require.NoError(t, w.Reserve(session("a", "1"), 9, 100))
		require.NoError(t, w.Reserve(session("a", "2"), 5, 100), "15 of the tenant in total")
		requireLimited(t, w.Reserve(session("a", "3"), 1, 100), time.Second)
	})
	t.Run("more than the burst is another fault, and not counted", func(t *testing.T) {
		w := newWorld(t, rates)
		for _, err := range []error{w.Reserve(session("a", "1"), 11, 10), w.Reserve(session("a", "1"), 1, 1001)} {
			require.Equal(t, fault.LimitExceeded, fault.Public(err).Code)
			require.Zero(t, fault.Public(err).RetryAfter)
		}
		require.ErrorContains(t, w.Reserve(session("a", "1"), 1, 1001), "1001 bytes of new values; at most 1000 are allowed")
		require.Empty(t, w.refused)
	})
}

func TestRatesOfAddresses(t *testing.T) {
	rates := config.Rates{
		Remember:           1000,
		SignIns:            config.SignInRates{Address: per(1, 2), Session: per(1, 1), Tenant: per(1, 3)},
		RefusedCredentials: config.RefusalRates{Address: per(1, 2), Session: per(0.1, 1)},
		AnonymousRequests:  config.AddressRate{Address: per(1, 2)},
	}
	for name, ask := range map[string]func(*world, *http.Request) error{
		"sign_ins":            func(w *world, r *http.Request) error { return w.SignIn(r) },
		"refused_credentials": func(w *world, r *http.Request) error { return w.Refused(r) },
		"anonymous_requests":  func(w *world, r *http.Request) error { return w.Anonymous(r) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, rates)
			for range 2 {
				require.NoError(t, ask(w, from("198.51.100.1")))
			}
			requireLimited(t, ask(w, from("198.51.100.1")), time.Second)
			requireLimited(t, ask(w, from("198.51.100.1", "203.0.113.9")), time.Second) // not from a trusted proxy, so the header is ignored
			require.NoError(t, ask(w, from("198.51.100.2")))
			require.NoError(t, ask(w, from("10.0.0.1", "203.0.113.9")), "behind a trusted proxy")
			requireLimited(t, ask(w, from("10.0.0.1", "198.51.100.1")), time.Second)
			require.Equal(t, name+"/address/", w.refused[0])
		})
	}
	t.Run("the addresses of one IPv6 network share a bucket", func(t *testing.T) {
		w := newWorld(t, rates)
		for i := range 2 {
			require.NoError(t, w.SignIn(from(fmt.Sprintf("[2001:db8:0:1::%d]", i))))
		}
		requireLimited(t, w.SignIn(from("[2001:db8:0:1:ffff::]")), time.Second)
		require.NoError(t, w.SignIn(from("[2001:db8:0:2::]")))
	})
	t.Run("admission charges nothing", func(t *testing.T) {
		w := newWorld(t, rates)
		for range 10 {
			require.NoError(t, w.Admit(from("198.51.100.1")))
		}
		require.NoError(t, w.Refused(from("198.51.100.1")))
		require.NoError(t, w.Admit(from("198.51.100.1")))
		require.NoError(t, w.Refused(from("198.51.100.1")))
		requireLimited(t, w.Admit(from("198.51.100.1")), time.Second)
		require.NoError(t, w.AdmitSession("a", *session("a", "1").Session))
		requireLimited(t, w.AdmitSession("a", *session("a", "1").Session), 10*time.Second)
		require.NoError(t, w.AdmitSession("a", *session("a", "2").Session))
	})
	t.Run("a sign-in is charged to its session and its tenant", func(t *testing.T) {
		w := newWorld(t, rates)
		require.NoError(t, w.SignedIn("a", *session("a", "1").Session))
		requireLimited(t, w.SignedIn("a", *session("a", "1").Session), time.Second)
		require.NoError(t, w.SignedIn("a", *session("a", "2").Session))
		require.NoError(t, w.SignedIn("a", *session("a", "3").Session))
		requireLimited(t, w.SignedIn("a", *session("a", "4").Session), time.Second)
		require.Equal(t, []string{"sign_ins/session/a", "sign_ins/tenant/a"}, w.refused)
	})
}

// TestConcurrentRequestsPassTheBurstOnly: with concurrent requests, no more than the burst of each bucket passes.
func TestConcurrentRequestsPassTheBurstOnly(t *testing.T) {
	w := newWorld(t, config.Rates{
		Remember:       1000,
		TokensReserved: config.CallerRates{Session: per(1, 100), Tenant: per(1, 150)},
		BytesReserved:  config.CallerRates{Session: per(1, 1<<20), Tenant: per(1, 1<<20)},
	})
	var passed [2]atomic.Int64
	var running sync.WaitGroup
	for i := range 16 {
		running.Go(func() {
			for range 50 {
				if w.Reserve(session("a", fmt.Sprint(i%2)), 1, 1) == nil {
					passed[i%2].Add(1)
				}
			}
		})
	}
	running.Wait()
	require.LessOrEqual(t, passed[0].Load(), int64(100))
	require.LessOrEqual(t, passed[1].Load(), int64(100))
	require.LessOrEqual(t, passed[0].Load()+passed[1].Load(), int64(150))
	// Cancelled reservations were returned: only passed requests are charged.
	for i := range 2 {
		for w.Reserve(session("a", fmt.Sprint(i)), 1, 1) == nil {
			passed[i].Add(1)
		}
	}
	require.EqualValues(t, 150, passed[0].Load()+passed[1].Load())
}
