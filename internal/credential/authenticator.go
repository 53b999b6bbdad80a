// Package credential authenticates requests and returns their callers. A credential is a JWT (RFC 7519) of a trusted
// issuer, sent as a bearer token or in a proxy's header, or the identity headers of a trusted proxy. A signature is
// verified once: the verified JWT is cached until it expires or its issuer's keys change.
package credential

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// Issuer is one trusted signer of JWTs: an application's backend, or an identity provider.
type Issuer struct {
	Name     string
	Tenant   string // of its callers; "": Name
	Issuer   string // the `iss` claim
	Audience string // must be in the `aud` claim
	// AudienceClaim, if set, is read instead of `aud`: its value must equal Audience, and a JWT that has `aud` is
	// refused, so that the two are never confused.
	AudienceClaim string
	Algorithms    []string
	Types         []string // accepted `typ`, case-insensitive; "" accepts a JWT without typ
	SessionClaim  string
	Claims        Claims        // where the caller's parts are, if not in the default claims
	TrustRoles    bool          // roles can make a caller an application; false: all callers are sessions
	Ambient       bool          // a proxy adds the JWTs, for cookies that a browser sends by itself
	MaxLifetime   time.Duration // of a JWT, from `iat` to `exp`
	ClockSkew     time.Duration // by how much `iat` and `nbf` may lie ahead; `exp` has no leeway

	JWKS      []byte         // the keys; or
	JWKSURL   string         // where they are; or
	Discovery bool           // the issuer's metadata say where (OpenID Connect Discovery 1.0, section 4)
	RootCAs   *x509.CertPool // for the issuer's servers; nil: the system's
	Refresh   time.Duration  // how often the keys are fetched
	MaxAge    time.Duration  // how long they are trusted while the issuer can't be reached

	Logout *LogoutRules // nil: its logout tokens are refused
}

// Observer counts credentials by outcome.
type Observer interface{ Credential(outcome string) }

// Rates limit refused credentials. Their errors are faults RATE_LIMITED.
type Rates interface {
	// Admit is called before a signature is verified for the first time; it charges nothing.
	Admit(r *http.Request) error
	// AdmitSession is called if Admit refuses and the credential names a session that was verified before.
	AdmitSession(tenant string, session caller.SessionHash) error
	// Refused is called for each refused credential.
	Refused(r *http.Request) error
}

// Outcomes of a credential.
const (
	Remembered = "remembered" // cached, verified before
	Verified   = "verified"
	Refused    = "refused"
)

// Options configure an Authenticator.
type Options struct {
	Issuers  []Issuer
	Header   string        // where a proxy passes a JWT, besides Authorization; "": none
	Proxy    *TrustedProxy // nil: identity headers are ignored
	Remember int           // how many verified JWTs to cache
	MaxSize  int           // of a JWT, in bytes; 0: DefaultMaxSize
	Rates    Rates         // nil: no limits
	Logger   *slog.Logger
	Observer Observer
	Now      func() time.Time // for tests; nil: time.Now
	Client   *http.Client     // for tests: fetches keys; nil: one for each issuer, with timeouts, that follows no redirect
}

// Authenticator verifies credentials; it is safe for concurrent use.
type Authenticator struct {
	issuers   map[string]*issuer // by iss
	header    string             // in its canonical form
	proxy     *TrustedProxy
	maxSize   int
	cache     *jwtCache
	admission admission
	refusals  *refusals
	observer  Observer
	now       func() time.Time
}

type issuer struct {
	Issuer
	mapping mapping
	source  *source
}

// New returns an Authenticator. Keys are fetched by Run, and by the first request that needs them.
func New(o Options) (*Authenticator, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	cache, err := newJWTCache(o.Remember)
	if err != nil {
		return nil, err
	}
	admission, err := newAdmission(o)
	if err != nil {
		return nil, err
	}
	a := &Authenticator{
		issuers: map[string]*issuer{}, cache: cache, admission: admission, observer: o.Observer, now: o.Now, maxSize: cmp.Or(o.MaxSize, DefaultMaxSize),
		header: http.CanonicalHeaderKey(o.Header), proxy: o.Proxy.canonical(), refusals: newRefusals(o.Logger, o.Now),
	}
	for _, i := range o.Issuers {
		if a.issuers[i.Issuer] != nil {
			return nil, fmt.Errorf("credential: two issuers with iss %q", i.Issuer)
		}
		if a.issuers[i.Issuer], err = newIssuer(i, o); err != nil {
			return nil, fmt.Errorf("credential: issuer %s: %w", i.Name, err)
		}
	}
	return a, nil
}

func newIssuer(i Issuer, o Options) (*issuer, error) {
	i.Tenant = cmp.Or(i.Tenant, i.Name)
	m, err := i.Claims.compile()
	if err != nil {
		return nil, err
	}
	s, err := newSource(i, o)
	if err != nil {
		return nil, err
	}
	return &issuer{Issuer: i, mapping: m, source: s}, nil
}

// Run keeps every issuer's keys fresh until ctx ends. It returns when all its goroutines have ended.
func (a *Authenticator) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, i := range a.issuers {
		running.Go(func() { i.source.run(ctx) })
	}
	running.Wait()
	<-ctx.Done() // if all keys are fixed, no goroutine runs
}

// Authenticate returns the request's caller, or nil if the request has no credential. A credential that is not accepted is
// a fault UNAUTHENTICATED, even if the request has another one; LIMIT_EXCEEDED if the credential is too long; UNAVAILABLE
// while the keys of its issuer are not known; RATE_LIMITED
// after too many refusals. The reason is logged, at a limited rate.
func (a *Authenticator) Authenticate(r *http.Request) (*caller.Caller, error) {
	c, err := a.authenticate(r)
	if err == nil {
		return c, nil
	}
	a.observer.Credential(Refused)
	if fault.Public(err).Code != fault.RateLimited {
		a.refusals.log(r.Context(), "credential", err)
	}
	if limited := a.admission.refused(r, err); limited != nil {
		return nil, limited
	}
	return nil, publish(err)
}

// publish returns the fault for the client, with the reason if it is safe to tell; see docs/adr/0026.
func publish(err error) error {
	var refused *Refusal
	switch {
	case errors.Is(err, errUntrustedHop):
		return fault.Wrap(err, fault.Unauthenticated, "The identity headers are not accepted: send the request through the proxy, or without these headers.")
	case errors.As(err, &refused):
		return fault.Wrap(err, refused.code(), refused.message())
	}
	return fault.Wrap(err, fault.Unauthenticated, notAccepted)
}

func (a *Authenticator) authenticate(r *http.Request) (*caller.Caller, error) {
	jwt, proxied, err := a.credential(r.Header)
	if err != nil {
		return nil, err
	}
	if a.proxy.hasIdentity(r.Header) {
		if jwt != "" {
			return nil, errSeveral
		}
		c, err := a.proxy.caller(r, a.now())
		if err == nil {
			a.observer.Credential(Verified)
		}
		return c, err
	}
	if jwt == "" {
		return nil, nil
	}
	c, err := a.bearer(r, jwt)
	if err == nil && proxied && !c.Ambient {
		ambient := *c // a copy: c is shared with requests that send the JWT themselves
		ambient.Ambient = true
		c = &ambient
	}
	return c, err
}

func (a *Authenticator) bearer(r *http.Request, jwt string) (*caller.Caller, error) {
	if err := a.fits(jwt); err != nil {
		return nil, err
	}
	now := a.now()
	key := sha256.Sum256([]byte(jwt))
	if m, ok := a.cache.GetIfPresent(key); ok && m.keys == m.issuer.source.keys() {
		if !now.Before(m.caller.ExpiresAt) {
			a.cache.Invalidate(key)
			return nil, &Refusal{Reason: ReasonExpired, Issuer: m.issuer.Name, cause: errExpired}
		}
		a.observer.Credential(Remembered)
		return m.caller, nil
	}
	if err := a.admit(r, jwt, now); err != nil {
		return nil, err
	}
	m, err := a.verify(r.Context(), jwt, now)
	if err != nil {
		return nil, err
	}
	a.cache.Set(key, m)
	a.admission.verified(m.caller)
	a.observer.Credential(Verified)
	return m.caller, nil
}
