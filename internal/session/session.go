// Package session turns a request's credential into a caller: a JWT (RFC 7519) signed by a trusted
// issuer. A signature is checked once; the verified JWT is remembered until it expires or its
// issuer's keys change.
package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/maypok86/otter/v2"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// Issuer is one trusted signer of JWTs: an application's backend, or an identity provider.
type Issuer struct {
	Name         string // the tenant
	Issuer       string // the `iss` claim
	Audience     string // must be among the `aud` claim
	Algorithms   []string
	SessionClaim string
	IgnoreRoles  bool          // every caller is a session, whatever `roles` says
	MaxLifetime  time.Duration // of a JWT, from `iat` to `exp`
	ClockSkew    time.Duration // by how much `iat` and `nbf` may lie ahead; `exp` has no leeway
	JWKS         []byte        // the keys; or
	JWKSURL      string        // where they are
}

// Observer counts what becomes of credentials.
type Observer interface{ Credential(outcome string) }

// Outcomes of a credential.
const (
	Remembered = "remembered" // verified before
	Verified   = "verified"
	Refused    = "refused"
)

// Options are what an Authenticator is made of.
type Options struct {
	Issuers  []Issuer
	Remember int // how many verified JWTs to remember
	Logger   *slog.Logger
	Observer Observer
	Now      func() time.Time // for tests; nil: time.Now
	Client   *http.Client     // fetches keys; nil: one with timeouts that follows no redirect
}

// Authenticator verifies credentials; it is safe for concurrent use.
type Authenticator struct {
	issuers    map[string]*issuer // by iss
	remembered *otter.Cache[[sha256.Size]byte, *remembered]
	observer   Observer
	now        func() time.Time
}

type issuer struct {
	Issuer
	source *source
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
	if o.Client == nil {
		o.Client = fetchClient()
	}
	cache, err := otter.New(&otter.Options[[sha256.Size]byte, *remembered]{MaximumSize: o.Remember})
	if err != nil {
		return nil, err
	}
	a := &Authenticator{issuers: map[string]*issuer{}, remembered: cache, observer: o.Observer, now: o.Now}
	for _, i := range o.Issuers {
		s := newSource(i.JWKSURL, o)
		if i.JWKSURL == "" {
			ks, err := parseKeySet(i.JWKS)
			if err != nil {
				return nil, fmt.Errorf("session: the keys of issuer %s: %w", i.Name, err)
			}
			s.current.Store(ks)
		}
		if a.issuers[i.Issuer] != nil {
			return nil, fmt.Errorf("session: two issuers with iss %q", i.Issuer)
		}
		a.issuers[i.Issuer] = &issuer{Issuer: i, source: s}
	}
	return a, nil
}

// Run keeps every issuer's keys fresh until ctx ends.
func (a *Authenticator) Run(ctx context.Context) {
	for _, i := range a.issuers {
		go i.source.run(ctx)
	}
	<-ctx.Done()
}

// Authenticate returns the request's caller; nil without credentials. Any credential that is not
// accepted is a fault UNAUTHENTICATED, whatever else the request bears.
func (a *Authenticator) Authenticate(r *http.Request) (*caller.Caller, error) {
	values := r.Header["Authorization"]
	if len(values) == 0 {
		return nil, nil
	}
	c, err := a.authenticate(r.Context(), values)
	if err != nil {
		a.observer.Credential(Refused)
		if errors.Is(err, errExpired) {
			return nil, fault.Wrap(err, fault.Unauthenticated, "The JWT has expired: get a new one.")
		}
		return nil, fault.Wrap(err, fault.Unauthenticated, "The bearer token is not accepted: sign in again.")
	}
	return c, nil
}

func (a *Authenticator) authenticate(ctx context.Context, values []string) (*caller.Caller, error) {
	scheme, jwt, _ := strings.Cut(values[0], " ")
	if len(values) != 1 || !strings.EqualFold(scheme, "Bearer") || jwt == "" {
		return nil, errors.New("not one bearer token")
	}
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
	m, err := a.verify(ctx, jwt, now)
	if err != nil {
		return nil, err
	}
	a.remembered.Set(key, m)
	a.observer.Credential(Verified)
	return m.caller, nil
}

func (a *Authenticator) verify(ctx context.Context, jwt string, now time.Time) (*remembered, error) {
	p, err := split(jwt, "JWT")
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
	keys, err := i.verify(ctx, p)
	if err != nil {
		return nil, err
	}
	c, err := i.check(o, now)
	if err != nil {
		return nil, err
	}
	return &remembered{caller: c, issuer: i, keys: keys}, nil
}

// verify checks a signature with the issuer's keys, and returns the version of them that it used.
func (i *issuer) verify(ctx context.Context, p *parts) (*keySet, error) {
	if !slices.Contains(i.Algorithms, p.header.alg) || !SupportedAlgorithm(p.header.alg) {
		return nil, errors.New("an algorithm that is not allowed")
	}
	keys, public, err := i.key(ctx, p.header)
	if err != nil {
		return nil, err
	}
	verifier, err := jws.NewVerifier(jwa.SignatureAlgorithm(p.header.alg))
	if err != nil {
		return nil, err
	}
	if err := verifier.Verify([]byte(p.signed), p.signature, public); err != nil {
		return nil, errors.New("the signature does not verify")
	}
	return keys, nil
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
func (i *issuer) key(ctx context.Context, h header) (*keySet, any, error) {
	keys := i.source.keys()
	if keys != nil {
		if k, err := keys.find(h); err == nil {
			return keys, k, nil
		}
	}
	if keys = i.source.refresh(ctx, refreshAtMost); keys == nil {
		return nil, nil, errors.New("the issuer's keys are not known at the moment")
	}
	k, err := keys.find(h)
	return keys, k, err
}
