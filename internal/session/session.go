// Package session turns a request's credential into a caller: a JWT (RFC 7519) signed by a trusted issuer, sent as
// a bearer token or passed in a proxy's header, or the plain headers of a proxy that is trusted for the hop that the
// request came by. A signature is checked once; the verified JWT is remembered until it expires or its issuer's
// keys change. Below it, ended refuses what is over, logout takes providers' logout tokens, and signin adds a cookie.
package session

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/maypok86/otter/v2"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// Issuer is one trusted signer of JWTs: an application's backend, or an identity provider.
type Issuer struct {
	Name         string
	Tenant       string // of its callers; "": Name
	Issuer       string // the `iss` claim
	Audience     string // must be among the `aud` claim
	Algorithms   []string
	Types        []string // accepted `typ`, in any case of letters; "" allows its absence
	SessionClaim string
	Claims       Claims        // where not in the claims of those names
	IgnoreRoles  bool          // every caller is a session, whatever `roles` says
	Ambient      bool          // a proxy adds the JWTs, from what a browser sends by itself
	MaxLifetime  time.Duration // of a JWT, from `iat` to `exp`
	ClockSkew    time.Duration // by how much `iat` and `nbf` may lie ahead; `exp` has no leeway

	JWKS      []byte         // the keys; or
	JWKSURL   string         // where they are; or
	Discovery bool           // the issuer's metadata say where (OpenID Connect Discovery 1.0, section 4)
	RootCAs   *x509.CertPool // of the servers that are asked; nil: the system's
	Refresh   time.Duration  // how often the keys are fetched
	MaxAge    time.Duration  // how long they are trusted while the issuer can't be reached

	Logout *LogoutRules // nil: its logout tokens are refused
}

// Observer counts what becomes of credentials.
type Observer interface{ Credential(outcome string) }

// Rates bound credentials that are refused. Their errors are faults RATE_LIMITED.
type Rates interface {
	// Admit is asked before a signature is verified that was not verified before; it charges nothing.
	Admit(r *http.Request) error
	// AdmitSession is asked where Admit refuses and the credential names a session that was verified before.
	AdmitSession(tenant string, session caller.SessionHash) error
	// Refused is told of each credential that was refused.
	Refused(r *http.Request) error
}

// Outcomes of a credential.
const (
	Remembered = "remembered" // verified before
	Verified   = "verified"
	Refused    = "refused"
)

// Options are what an Authenticator is made of.
type Options struct {
	Issuers  []Issuer
	Header   string        // in which a proxy passes a JWT, besides Authorization; "": none
	Proxy    *TrustedProxy // nil: identity headers are not looked at
	Remember int           // how many verified JWTs to remember
	Rates    Rates         // nil: nothing is bounded
	Logger   *slog.Logger
	Observer Observer
	Now      func() time.Time // for tests; nil: time.Now
	Client   *http.Client     // for tests: fetches keys; nil: one for each issuer that has timeouts and follows no redirect
}

// CallerFinder finds a request's caller; nil without credentials. Its errors are faults. An Authenticator is
// one; others stand around it, which know of more credentials or refuse some.
type CallerFinder interface {
	Authenticate(r *http.Request) (*caller.Caller, error)
}

// Authenticator verifies credentials; it is safe for concurrent use.
type Authenticator struct {
	issuers    map[string]*issuer // by iss
	header     string             // in its canonical form
	proxy      *TrustedProxy
	remembered *otter.Cache[[sha256.Size]byte, *remembered]
	admission  admission
	observer   Observer
	now        func() time.Time
}

type issuer struct {
	Issuer
	mapping mapping
	source  *source
}

type remembered struct {
	caller *caller.Caller
	issuer *issuer
	keys   *keySet
}

// New returns an Authenticator. Keys are fetched by Run, and by the first request that needs them.
func New(o Options) (*Authenticator, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	cache, err := otter.New(&otter.Options[[sha256.Size]byte, *remembered]{MaximumSize: o.Remember})
	if err != nil {
		return nil, err
	}
	admission, err := newAdmission(o)
	if err != nil {
		return nil, err
	}
	a := &Authenticator{
		issuers: map[string]*issuer{}, remembered: cache, admission: admission, observer: o.Observer, now: o.Now,
		header: http.CanonicalHeaderKey(o.Header), proxy: o.Proxy.canonical(),
	}
	for _, i := range o.Issuers {
		if a.issuers[i.Issuer] != nil {
			return nil, fmt.Errorf("session: two issuers with iss %q", i.Issuer)
		}
		if a.issuers[i.Issuer], err = newIssuer(i, o); err != nil {
			return nil, fmt.Errorf("session: issuer %s: %w", i.Name, err)
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

// Run keeps every issuer's keys fresh until ctx ends.
func (a *Authenticator) Run(ctx context.Context) {
	for _, i := range a.issuers {
		go i.source.run(ctx)
	}
	<-ctx.Done()
}

// Authenticate returns the request's caller; nil without credentials. Any credential that is not
// accepted is a fault UNAUTHENTICATED, whatever else the request bears; RATE_LIMITED after too many of them.
func (a *Authenticator) Authenticate(r *http.Request) (*caller.Caller, error) {
	c, err := a.authenticate(r)
	if err != nil {
		a.observer.Credential(Refused)
		if limited := a.admission.refused(r, err); limited != nil {
			return nil, limited
		}
		switch {
		case errors.Is(err, errExpired):
			return nil, fault.Wrap(err, fault.Unauthenticated, "The JWT has expired: get a new one.")
		case errors.Is(err, errUntrustedHop):
			return nil, fault.Wrap(err, fault.Unauthenticated, "The identity headers are not accepted: come by the proxy, or without them.")
		}
		return nil, fault.Wrap(err, fault.Unauthenticated, "The credential is not accepted: sign in again.")
	}
	return c, nil
}

func (a *Authenticator) authenticate(r *http.Request) (*caller.Caller, error) {
	jwt, proxied, err := a.credential(r.Header)
	if err != nil {
		return nil, err
	}
	if a.proxy.names(r.Header) {
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
		ambient := *c // the other is shared with requests that bear the JWT themselves
		ambient.Ambient = true
		c = &ambient
	}
	return c, err
}

func (a *Authenticator) bearer(r *http.Request, jwt string) (*caller.Caller, error) {
	if len(jwt) > maxJWT {
		return nil, errMalformed
	}
	now := a.now()
	key := sha256.Sum256([]byte(jwt))
	if m, ok := a.remembered.GetIfPresent(key); ok && m.keys == m.issuer.source.keys() {
		if !now.Before(m.caller.ExpiresAt) {
			a.remembered.Invalidate(key)
			return nil, errExpired
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
	a.remembered.Set(key, m)
	a.admission.verified(m.caller)
	a.observer.Credential(Verified)
	return m.caller, nil
}

func (a *Authenticator) verify(ctx context.Context, jwt string, now time.Time) (*remembered, error) {
	s, err := a.open(ctx, jwt, func(i *issuer) []string { return i.Types })
	if err != nil {
		return nil, err
	}
	c, err := s.issuer.check(s.claims, now)
	if err != nil {
		return nil, err
	}
	return &remembered{caller: c, issuer: s.issuer, keys: s.keys}, nil
}

// signed is a JWT whose signature was verified; its claims have been checked for nothing but their form.
type signed struct {
	claims object
	issuer *issuer
	keys   *keySet
	key    Thumbprint // of the one that signed it
}

// open verifies the signature of a JWT, whose typ must be one of those that types accepts of its issuer.
func (a *Authenticator) open(ctx context.Context, jwt string, types func(*issuer) []string) (*signed, error) {
	p, err := split(jwt)
	if err != nil {
		return nil, err
	}
	o, err := decodeObject(p.payload)
	if err != nil {
		return nil, err
	}
	i, err := a.issuerOf(o)
	if err != nil {
		return nil, err
	}
	if !accepts(types(i), p.header.typ) {
		return nil, errors.New("a JWT of a type that is not accepted")
	}
	if !slices.Contains(i.Algorithms, p.header.alg) || !SupportedAlgorithm(p.header.alg) {
		return nil, errors.New("an algorithm that is not allowed")
	}
	keys, key, err := i.key(ctx, p.header)
	if err != nil {
		return nil, err
	}
	verifier, err := jws.NewVerifier(jwa.SignatureAlgorithm(p.header.alg))
	if err != nil {
		return nil, err
	}
	if err := verifier.Verify([]byte(p.signed), p.signature, key.key); err != nil {
		return nil, errors.New("the signature does not verify")
	}
	return &signed{o, i, keys, key.thumbprint}, nil
}

// issuerOf reads iss before anything is verified, only to choose whose keys to verify with.
func (a *Authenticator) issuerOf(o object) (*issuer, error) {
	iss, err := member[string](o, "iss")
	if err != nil || iss == nil {
		return nil, fmt.Errorf("iss: %w", errClaims)
	}
	i, ok := a.issuers[*iss]
	if !ok {
		return nil, errors.New("an issuer that is not trusted")
	}
	return i, nil
}

// key finds the header's key, asking the issuer again, at most once in a while, where none fits.
func (i *issuer) key(ctx context.Context, h header) (*keySet, publicKey, error) {
	keys := i.source.keys()
	if keys != nil {
		if k, err := keys.find(h); err == nil {
			return keys, k, nil
		}
	}
	if keys = i.source.refresh(ctx, refreshAtMost); keys == nil {
		return nil, publicKey{}, errors.New("the issuer's keys are not known at the moment")
	}
	k, err := keys.find(h)
	return keys, k, err
}
