package credential

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/jose"
)

// DefaultMaxSize is the default limit on a JWT's length, in bytes. The length is checked before parsing.
const DefaultMaxSize = 16 << 10

var errTooLong = errors.New("the JWT is too long")

// fits checks the length of a JWT before parsing.
func (a *Authenticator) fits(jwt string) error {
	if len(jwt) <= a.maxSize {
		return nil
	}
	return &Refusal{Reason: ReasonSize, Want: strconv.Itoa(a.maxSize), Given: strconv.Itoa(len(jwt)), cause: errTooLong}
}

func (a *Authenticator) verify(ctx context.Context, jwt string, now time.Time) (*cachedJWT, error) {
	r := &rules{}
	s, err := a.open(ctx, r, jwt, func(i *issuer) []string { return i.Types })
	if err != nil {
		return nil, err
	}
	c, err := s.issuer.check(r, s.claims, now)
	if err != nil {
		return nil, err
	}
	return &cachedJWT{caller: c, issuer: s.issuer, keys: s.keys}, nil
}

// signed is a JWT whose signature was verified. Its claims are parsed and not yet checked.
type signed struct {
	claims object
	issuer *issuer
	keys   *jose.Set
	key    jose.Key // the key that signed the JWT
}

// open verifies the signature of a JWT. Its typ must be one of types(its issuer). For an explanation it returns an
// incomplete result beside the error.
func (a *Authenticator) open(ctx context.Context, r *rules, jwt string, types func(*issuer) []string) (*signed, error) {
	if err := a.fits(jwt); err != nil {
		return nil, err
	}
	p, err := split(jwt)
	var o object
	if err == nil {
		o, err = decodeObject(p.payload)
	}
	if r.record(ReasonForm, err, func() (string, string) { return "a signed JWT in the compact form", "" }); err != nil {
		return nil, r.err()
	}
	i, iss, err := a.issuerOf(o)
	if r.record(ReasonIssuer, err, func() (string, string) { return a.expectedIssuers(), quote(iss) }); err != nil {
		r.failed.similar = a.similar(iss)
		return nil, r.err()
	}
	r.issuer = i.Name
	s := &signed{claims: o, issuer: i}
	if err := a.checkHeader(r, i, p, types(i)); err != nil && !r.explain {
		return nil, err
	}
	if s.keys, s.key, err = i.key(ctx, p.header); err != nil {
		reason := ReasonKey
		if s.keys == nil {
			reason = ReasonKeys
		}
		r.record(reason, err, func() (string, string) { return s.published(p.header.alg), quote(p.header.kid) })
		return s, r.err()
	}
	r.record(ReasonKey, nil, func() (string, string) { return s.published(p.header.alg), quote(p.header.kid) })
	err = s.key.Verify(p.header.alg, []byte(p.signed), p.signature)
	r.record(ReasonSignature, err, func() (string, string) { return "a signature by the issuer's key", "" })
	return s, r.err()
}

// checkHeader checks the header's typ and alg by the issuer's rules.
func (a *Authenticator) checkHeader(r *rules, i *issuer, p *parts, types []string) error {
	var err error
	if !accepts(types, p.header.typ) {
		err = errors.New("a JWT of a type that is not accepted")
	}
	if !r.record(ReasonType, err, func() (string, string) { return quoteAll(types), quote(p.header.typ) }) {
		return r.err()
	}
	if err = nil; !i.allows(p.header.alg) {
		err = errors.New("an algorithm that is not allowed")
	}
	r.record(ReasonAlgorithm, err, func() (string, string) { return quoteAll(i.Algorithms), quote(p.header.alg) })
	return r.err()
}

func (i *issuer) allows(alg string) bool {
	return jose.Supported(alg) && slices.ContainsFunc(i.Algorithms, func(allowed string) bool { return jose.Canonical(allowed) == jose.Canonical(alg) })
}

// issuerOf reads iss of an unverified JWT, only to choose the keys to verify it with.
func (a *Authenticator) issuerOf(o object) (*issuer, string, error) {
	iss, err := member[string](o, "iss")
	if err != nil || iss == nil {
		return nil, "", fmt.Errorf("iss: %w", errClaims)
	}
	i, ok := a.issuers[*iss]
	if !ok {
		return nil, *iss, errors.New("an issuer that is not trusted")
	}
	return i, *iss, nil
}

// expectedIssuers lists the configured issuers.
func (a *Authenticator) expectedIssuers() string {
	return "one of " + quoteAll(slices.Sorted(maps.Keys(a.issuers)))
}

// published lists the issuer's keys that fit the algorithm.
func (s *signed) published(alg string) string {
	if s.keys == nil {
		return "the issuer's keys"
	}
	var ids []string
	for _, k := range s.keys.Keys() {
		if k.Fits(alg) {
			ids = append(ids, k.ID)
		}
	}
	if len(ids) == 0 {
		return "a key for the algorithm; the issuer has none"
	}
	return "one of the issuer's keys for the algorithm, with the kids " + quoteAll(ids)
}

// key finds the header's key. If no key fits, it asks the issuer again, at most once in refreshAtMost. Without keys,
// the set is nil.
func (i *issuer) key(ctx context.Context, h header) (*jose.Set, jose.Key, error) {
	keys := i.source.keys()
	if keys != nil {
		if k, err := keys.Find(h.alg, h.kid); err == nil {
			return keys, k, nil
		}
	}
	if keys = i.source.refresh(ctx, refreshAtMost); keys == nil {
		return nil, jose.Key{}, errors.New("the issuer's keys are not known at the moment")
	}
	k, err := keys.Find(h.alg, h.kid)
	return keys, k, err
}

// similar reports whether an iss differs from a configured one only in the letters' case, the scheme, or a slash at the
// end. Such refusals are logged apart from those of unknown issuers.
func (a *Authenticator) similar(iss string) bool {
	normalize := func(s string) string {
		s = strings.ToLower(strings.TrimSpace(s))
		return strings.TrimRight(strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "http://"), "/")
	}
	for configured := range a.issuers {
		if normalize(configured) == normalize(iss) {
			return true
		}
	}
	return false
}
