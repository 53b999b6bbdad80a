// Package limit limits the rates of sessions, tenants and client addresses by token buckets: a number at once (the
// burst), and a number per second afterwards. Replicas do not share buckets.
//
// Each limited thing has its own buckets. A verified caller's request is charged to the buckets of its session and its
// tenant, to all or none of them; a request without a verified caller, to the bucket of its address.
package limit

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/clientaddr"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// The limited things, by their names in metrics.
const (
	TokensReserved     = "tokens_reserved"
	BytesReserved      = "bytes_reserved"
	TokensRead         = "tokens_read"
	SignIns            = "sign_ins"
	RefusedCredentials = "refused_credentials"
	AnonymousRequests  = "anonymous_requests"
)

// The owners of buckets, by their names in metrics.
const (
	bySession = "session"
	byTenant  = "tenant"
	byAddress = "address"
)

// Observer counts refusals.
type Observer interface {
	// RateLimited is called for each refusal with the thing, the owner of the empty bucket (session, tenant or address),
	// and the tenant, "" if it is unknown. The settings bound the number of values of each.
	RateLimited(thing, by, tenant string)
}

// Options configure a Limiter; all are required except Now.
type Options struct {
	Rates    config.Rates
	Clients  *clientaddr.Finder
	Observer Observer
	Now      func() time.Time // for tests; nil: time.Now
}

// Limiter has the buckets of all things. It is safe for concurrent use. Errors are faults: RATE_LIMITED with the time after
// which the same request would pass if there were no others, LIMIT_EXCEEDED if the request is larger than the burst.
type Limiter struct {
	clients  *clientaddr.Finder
	observer Observer
	now      func() time.Time

	reserved, bytes, read, signIns callers
	renewals                       *table[caller.SessionHash]
	addressSignIns                 *table[netip.Prefix]
	addressRefused                 *table[netip.Prefix]
	addressAnonymous               *table[netip.Prefix]
}

// callers has one thing's buckets of verified callers. Buckets of tenants are never removed: the settings bound their number.
type callers struct {
	thing    string
	sessions *table[caller.SessionHash]
	tenant   config.Rate
	mu       sync.RWMutex
	tenants  map[string]*rate.Limiter
}

// New returns a Limiter, or the error of a table of buckets.
func New(o Options) (*Limiter, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Limiter{clients: o.Clients, observer: o.Observer, now: o.Now}
	r := &o.Rates
	var err error
	for _, c := range []struct {
		of              *callers
		thing           string
		session, tenant config.Rate
	}{
		{&l.reserved, TokensReserved, r.TokensReserved.Session, r.TokensReserved.Tenant},
		{&l.bytes, BytesReserved, r.BytesReserved.Session, r.BytesReserved.Tenant},
		{&l.read, TokensRead, r.TokensRead.Session, r.TokensRead.Tenant},
		{&l.signIns, SignIns, r.SignIns.Session, r.SignIns.Tenant},
	} {
		c.of.thing, c.of.tenant, c.of.tenants = c.thing, c.tenant, map[string]*rate.Limiter{}
		if c.of.sessions, err = newTable[caller.SessionHash](c.session, r.Remember, o.Now); err != nil {
			return nil, err
		}
	}
	if l.renewals, err = newTable[caller.SessionHash](r.RefusedCredentials.Session, r.Remember, o.Now); err != nil {
		return nil, err
	}
	for into, limit := range map[**table[netip.Prefix]]config.Rate{
		&l.addressSignIns: r.SignIns.Address, &l.addressRefused: r.RefusedCredentials.Address, &l.addressAnonymous: r.AnonymousRequests.Address,
	} {
		if *into, err = newTable[netip.Prefix](limit, r.Remember, o.Now); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Reserve charges a session that creates tokens; bytes is the total size of their values.
func (l *Limiter) Reserve(c *caller.Caller, tokens int, bytes int64) error {
	now := l.now()
	var list [4]charge
	b := l.reserved.charges(list[:0], c, int64(tokens), now)
	return l.take(l.bytes.charges(b, c, bytes, now), now)
}

// Read charges a caller that reads tokens, whether or not it has grants.
func (l *Limiter) Read(c *caller.Caller, tokens int) error {
	now := l.now()
	var list [2]charge
	return l.take(l.read.charges(list[:0], c, int64(tokens), now), now)
}

// SignedIn charges a sign-in whose session is verified.
func (l *Limiter) SignedIn(tenant string, session caller.SessionHash) error {
	now := l.now()
	var list [2]charge
	return l.take(l.signIns.charges(list[:0], &caller.Caller{Tenant: tenant, Session: &session}, 1, now), now)
}

// SignIn charges the address of a request that begins or completes a sign-in.
func (l *Limiter) SignIn(r *http.Request) error { return l.ofAddress(l.addressSignIns, SignIns, r) }

// Anonymous charges the address of a request without credentials, because it is parsed and validated too.
func (l *Limiter) Anonymous(r *http.Request) error {
	return l.ofAddress(l.addressAnonymous, AnonymousRequests, r)
}

// Refused charges the address of a request whose credential, or other proof of the caller, was refused.
func (l *Limiter) Refused(r *http.Request) error {
	return l.ofAddress(l.addressRefused, RefusedCredentials, r)
}

// Admit returns an error if so many credentials of the address were refused that no more are verified. It charges
// nothing.
func (l *Limiter) Admit(r *http.Request) error {
	if l.addressRefused == nil {
		return nil
	}
	now := l.now()
	b := l.addressRefused.bucket(l.network(r), now)
	if missing := 1 - b.TokensAt(now); missing > 0 {
		return l.limited(charge{bucket: b, thing: RefusedCredentials, by: byAddress}, missing)
	}
	return nil
}

// AdmitSession charges the session of a request from an address that Admit refuses, if the session was verified before.
func (l *Limiter) AdmitSession(tenant string, session caller.SessionHash) error {
	now := l.now()
	return l.take([]charge{{l.renewals.bucket(session, now), 1, RefusedCredentials, bySession, tenant}}, now)
}

func (l *Limiter) network(r *http.Request) netip.Prefix { return clientaddr.Network(l.clients.Find(r)) }

func (l *Limiter) ofAddress(t *table[netip.Prefix], thing string, r *http.Request) error {
	if t == nil {
		return nil
	}
	now := l.now()
	return l.take([]charge{{t.bucket(l.network(r), now), 1, thing, byAddress, ""}}, now)
}

// charges appends the charges of n of the thing to the caller's session, if it has one, and to its tenant.
func (cs *callers) charges(list []charge, c *caller.Caller, n int64, now time.Time) []charge {
	if c.Session != nil {
		if b := cs.sessions.bucket(*c.Session, now); b != nil {
			list = append(list, charge{b, n, cs.thing, bySession, c.Tenant})
		}
	}
	if b := cs.ofTenant(c.Tenant); b != nil {
		list = append(list, charge{b, n, cs.thing, byTenant, c.Tenant})
	}
	return list
}

func (cs *callers) ofTenant(tenant string) *rate.Limiter {
	if cs.tenant.Off() {
		return nil
	}
	cs.mu.RLock()
	b := cs.tenants[tenant]
	cs.mu.RUnlock()
	if b != nil {
		return b
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if b = cs.tenants[tenant]; b == nil {
		b = newBucket(cs.tenant)
		cs.tenants[tenant] = b
	}
	return b
}

// charge is n tokens of one bucket; a nil bucket has no limit.
type charge struct {
	bucket            *rate.Limiter
	n                 int64
	thing, by, tenant string
}

// take charges all of the buckets, or none. It checks them before it reserves, so that a refused request does not delay
// others. If a concurrent request empties a bucket in between, the reservations are cancelled.
func (l *Limiter) take(all []charge, now time.Time) error {
	for _, c := range all {
		if c.bucket == nil {
			continue
		}
		if c.n > int64(c.bucket.Burst()) {
			return fault.New(fault.LimitExceeded, "The request asks for %d %s; at most %d are allowed at once.", c.n, nouns[c.thing], c.bucket.Burst())
		}
		if missing := float64(c.n) - c.bucket.TokensAt(now); missing > 0 {
			return l.limited(c, missing)
		}
	}
	var taken [4]*rate.Reservation
	for i, c := range all {
		if c.bucket == nil {
			continue
		}
		taken[i] = c.bucket.ReserveN(now, int(c.n))
		if wait := taken[i].DelayFrom(now); wait > 0 {
			for _, t := range taken[:i+1] {
				if t != nil {
					t.CancelAt(now)
				}
			}
			return l.limited(c, wait.Seconds()*float64(c.bucket.Limit()))
		}
	}
	return nil
}

var nouns = map[string]string{
	TokensReserved: "new tokens", BytesReserved: "bytes of new values", TokensRead: "tokens to read",
}

// limited returns the fault for a bucket that lacks missing tokens.
func (l *Limiter) limited(c charge, missing float64) error {
	l.observer.RateLimited(c.thing, c.by, c.tenant)
	return fault.Limited(time.Duration(missing / float64(c.bucket.Limit()) * float64(time.Second)))
}
