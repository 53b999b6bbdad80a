package credential

import (
	"fmt"
	"slices"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
)

// check checks claims by the issuer's rules, and returns the caller that they name.
func (i *issuer) check(r *rules, o object, now time.Time) (*caller.Caller, error) {
	c, on := i.checkRegistered(r, o, now)
	if !on {
		return nil, r.err()
	}
	tree, err := i.mapping.tree(o)
	if err != nil {
		r.record(ReasonClaims, err, nothing)
		return nil, r.err()
	}
	if !i.checkRequired(r, tree) {
		return nil, r.err()
	}
	result := &caller.Caller{Tenant: i.Tenant, IssuedAt: c.iat.Time, ExpiresAt: c.exp.Time, Ambient: i.Ambient}
	result.Subject, err = i.mapping.subject.name(o, "sub", tree)
	if !r.record(ReasonSubject, err, func() (string, string) { return i.mapping.subject.wants("sub"), "" }) {
		return nil, r.err()
	}
	if i.TrustRoles {
		result.Roles, err = i.mapping.rolesOf(o, tree)
		if !r.record(ReasonRoles, err, func() (string, string) { return "a list of strings", quoteAll(result.Roles) }) {
			return nil, r.err()
		}
	}
	if !result.IsApplication() {
		if err := i.checkSession(r, result, o, tree); err != nil && !r.explain {
			return nil, err
		}
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return result, nil
}

func nothing() (want, given string) { return "", "" }

// checkRequired reports whether the next rule is to be tried.
func (i *issuer) checkRequired(r *rules, tree map[string]any) bool {
	if i.mapping.require.Expression == nil {
		return true
	}
	var err error
	if !i.mapping.require.Holds(tree) {
		err = fmt.Errorf("the condition on the claims: %w", errClaims)
	}
	return r.record(ReasonRequire, err, func() (string, string) { return quote(i.Claims.Require), "" })
}

// checkSession sets result.Session to the session that the claims name.
func (i *issuer) checkSession(r *rules, result *caller.Caller, o object, tree map[string]any) error {
	id, err := i.mapping.session.name(o, i.SessionClaim, tree)
	r.record(ReasonSession, err, func() (string, string) { return i.mapping.session.wants(i.SessionClaim), i.ignoredRoles(o) })
	if err == nil {
		hash := caller.HashSession(i.Tenant, id)
		result.Session = &hash
	}
	return r.err()
}

// ignoredRoles names the roles of a JWT that would make its caller an application if trust_roles were on.
func (i *issuer) ignoredRoles(o object) string {
	all, err := member[list](o, "roles")
	if i.TrustRoles || err != nil || all == nil || len(knownRoles(*all)) == 0 {
		return ""
	}
	return "roles " + quoteAll(knownRoles(*all)) + ", which do not count: trust_roles is off for this issuer"
}

// wants describes the expression or claim that holds the value.
func (m mapped) wants(claim string) string {
	if m.Expression != nil {
		return "one string, found by the settings' expression"
	}
	return "one string, in the claim " + quote(claim)
}

// checkRegistered checks the registered claims (RFC 7519, section 4.1) by the issuer's rules. It reports whether the
// next rule is to be tried; iat and exp are then set.
func (i *Issuer) checkRegistered(r *rules, o object, now time.Time) (claims, bool) {
	c, err := registered(o)
	if err != nil {
		r.record(ReasonClaims, err, nothing)
		return c, false
	}
	if !r.record(ReasonAudience, i.audienceError(o, &c), func() (string, string) { return i.wantsAudience(), i.givenAudience(o, &c) }) {
		return c, false
	}
	if !i.checkTimes(r, &c, now) {
		return c, false
	}
	// A JWT with events reports an event (RFC 8417, section 2.2) and is no credential: for example, a logout token
	// whose typ is JWT.
	if _, ok := o["events"]; ok {
		err = fmt.Errorf("events: %w", errClaims)
	}
	return c, err == nil || r.record(ReasonEvents, err, func() (string, string) { return "none: a JWT with events is no credential", "" })
}

// audienceError checks that the audience is in aud or, with AudienceClaim, in that claim alone: a JWT with aud is then
// refused, because it is for the audience that aud names, whatever the other claim says.
func (i *Issuer) audienceError(o object, c *claims) error {
	if i.AudienceClaim == "" {
		if c.aud == nil || !slices.Contains(*c.aud, i.Audience) {
			return fmt.Errorf("aud: %w", errClaims)
		}
		return nil
	}
	if _, ok := o["aud"]; ok {
		return fmt.Errorf("aud: present, but %s is configured instead: %w", i.AudienceClaim, errClaims)
	}
	if v, err := member[string](o, i.AudienceClaim); err != nil || v == nil || *v == "" || *v != i.Audience {
		return fmt.Errorf("%s, instead of aud: %w", i.AudienceClaim, errClaims)
	}
	return nil
}

func (i *Issuer) wantsAudience() string {
	if i.AudienceClaim == "" {
		return quote(i.Audience)
	}
	return quote(i.Audience) + " in " + i.AudienceClaim + ", and no aud"
}

func (i *Issuer) givenAudience(o object, c *claims) string {
	if c.aud != nil {
		return quoteAll(*c.aud)
	}
	if v, err := member[string](o, i.AudienceClaim); i.AudienceClaim != "" && err == nil && v != nil {
		return quote(*v)
	}
	return "none"
}

// checkTimes compares the times with each other, the clock and the longest lifetime. It reports whether the next rule is
// to be tried.
func (i *Issuer) checkTimes(r *rules, c *claims, now time.Time) bool {
	if c.exp == nil || c.iat == nil || !c.exp.After(c.iat.Time) {
		r.record(ReasonTimes, fmt.Errorf("iat, exp: %w", errClaims), func() (string, string) { return "both, exp after iat", c.times() })
		return false
	}
	var expired, ahead, long error
	if !now.Before(c.exp.Time) {
		expired = errExpired
	}
	if latest := now.Add(i.ClockSkew); c.iat.After(latest) || c.nbf != nil && c.nbf.After(latest) {
		ahead = fmt.Errorf("iat, nbf: %w", errClaims)
	}
	lives := c.exp.Sub(c.iat.Time)
	if lives > i.MaxLifetime {
		long = fmt.Errorf("exp: the lifetime is over the maximum: %w", errClaims)
	}
	clock := func() string { return now.UTC().Format(time.RFC3339) }
	return r.record(ReasonExpired, expired, func() (string, string) { return "exp after " + clock(), c.times() }) &&
		r.record(ReasonFuture, ahead, func() (string, string) {
			return fmt.Sprintf("iat and nbf at %s, or later by %s at most", clock(), i.ClockSkew), c.times()
		}) &&
		r.record(ReasonLifetime, long, func() (string, string) { return i.MaxLifetime.String() + " at most, from iat to exp", lives.String() })
}

func (c *claims) times() string {
	say := func(n *numericDate) string {
		if n == nil {
			return "none"
		}
		return n.UTC().Format(time.RFC3339)
	}
	s := "iat " + say(c.iat) + ", exp " + say(c.exp)
	if c.nbf != nil {
		s += ", nbf " + say(c.nbf)
	}
	return s
}
