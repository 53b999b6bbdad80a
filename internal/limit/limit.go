// Package limit bounds what one session, one tenant and one client's address may have done in a time, by token
// buckets: so many at once (the burst), and so many a second from then on. The buckets are this replica's alone.
//
// Each thing that costs has buckets of its own. What a verified caller does is held against its session's bucket
// and its tenant's, of which all or none are charged; what is done for nobody known yet, against the address's.
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

// Things that are bounded, as metrics name them.
const (
	TokensReserved     = "tokens_reserved"
	BytesReserved      = "bytes_reserved"
	TokensRead         = "tokens_read"
	SignIns            = "sign_ins"
	RefusedCredentials = "refused_credentials"
	AnonymousRequests  = "anonymous_requests"
)

// Whose bucket was empty, as metrics name it.
const (
	bySession = "session"
	byTenant  = "tenant"
	byAddress = "address"
)

// Observer counts refusals.
type Observer interface {
	// RateLimited is told of each refusal: of what, by whose bucket (session, tenant, address), and the tenant, ""
	// where none is known. All are of sets that the settings bound.
	RateLimited(thing, by, tenant string)
}

// Options are what a Limiter is made of; all are needed but Now.
type Options struct {
	Rates    config.Rates
	Clients  *clientaddr.Finder
	Observer Observer
	Now      func() time.Time // for tests; nil: time.Now
}

// Limiter bounds everything; it is safe for concurrent use. Its errors are faults: RATE_LIMITED with the time after
// which the same would pass if nothing else came, LIMIT_EXCEEDED for what no time suffices.
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

// callers are one thing's buckets of verified callers. Tenants are those of the settings, and are never forgotten.
type callers struct {
	thing    string
	sessions *table[caller.SessionHash]
	tenant   config.Rate
	mu       sync.RWMutex
	tenants  map[string]*rate.Limiter
}

// New returns a Limiter.
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

// Reserve is for a session that is about to be given tokens for so many bytes in all.
func (l *Limiter) Reserve(c *caller.Caller, tokens int, bytes int64) error {
	now := l.now()
	var list [4]charge
	b := l.reserved.charges(list[:0], c, int64(tokens), now)
	return l.take(l.bytes.charges(b, c, bytes, now), now)
}

// Read is for a caller that is about to read tokens, whether it may or not.
func (l *Limiter) Read(c *caller.Caller, tokens int) error {
	now := l.now()
	var list [2]charge
	return l.take(l.read.charges(list[:0], c, int64(tokens), now), now)
}

// SignedIn is for a sign-in whose session has been proved.
func (l *Limiter) SignedIn(tenant string, session caller.SessionHash) error {
	now := l.now()
	var list [2]charge
	return l.take(l.signIns.charges(list[:0], &caller.Caller{Tenant: tenant, Session: &session}, 1, now), now)
}

// SignIn is for a request that begins a sign-in, or is about to end one.
func (l *Limiter) SignIn(r *http.Request) error { return l.ofAddress(l.addressSignIns, SignIns, r) }

// Anonymous is for a request without credentials, which is parsed and validated all the same.
func (l *Limiter) Anonymous(r *http.Request) error {
	return l.ofAddress(l.addressAnonymous, AnonymousRequests, r)
}

// Refused is for a request whose credential was refused, or whatever else it bore to say who asks.
func (l *Limiter) Refused(r *http.Request) error {
	return l.ofAddress(l.addressRefused, RefusedCredentials, r)
}

// Admit returns an error if the address has had so many credentials refused that no further one is to be verified;
// it charges nothing.
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

// AdmitSession is for a request that names a session that was verified before, from an address that Admit refuses.
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

// charges adds what n of the thing cost the caller's session, if it is one, and its tenant.
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

// charge is what is asked of one bucket; nil is always full.
type charge struct {
	bucket            *rate.Limiter
	n                 int64
	thing, by, tenant string
}

// take charges all of the buckets, or none. Buckets are looked at first, so that what is refused holds up nobody
// else; a reservation that another request has overtaken since is given back.
func (l *Limiter) take(all []charge, now time.Time) error {
	for _, c := range all {
		if c.bucket == nil {
			continue
		}
		if c.n > int64(c.bucket.Burst()) {
			return fault.New(fault.LimitExceeded, "The request asks for %d %s; %d is the most at once.", c.n, inWords[c.thing], c.bucket.Burst())
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

var inWords = map[string]string{
	TokensReserved: "new tokens", BytesReserved: "bytes of new values", TokensRead: "tokens to read",
}

// limited returns the fault for a bucket that lacks something.
func (l *Limiter) limited(c charge, missing float64) error {
	l.observer.RateLimited(c.thing, c.by, c.tenant)
	return fault.Limited(time.Duration(missing / float64(c.bucket.Limit()) * float64(time.Second)))
}
