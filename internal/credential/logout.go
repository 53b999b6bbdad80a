package credential

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// logoutEvent is the member of events that makes a JWT a logout token (OpenID Connect Back-Channel Logout 1.0,
// section 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutLife is how long a logout token without exp is accepted, as section 2.4 recommends for exp. The final
// specification requires exp; providers built to its drafts omit it.
const logoutLife = 2 * time.Minute

// LogoutRules say which logout tokens of an issuer are accepted.
type LogoutRules struct {
	Audience string   // must be among the aud claim: the client's id at the provider
	Types    []string // of the header's typ
}

// Logout is the content of a verified logout token. At least one of Session and Subject is set; if Session is, only that
// session ends.
type Logout struct {
	Tenant   string
	Session  string // the session's id; "" for every session of the subject
	Subject  string
	IssuedAt time.Time
}

var errLogout = errors.New("not a logout token")

// VerifyLogout verifies a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.6) by the rules that
// hold for its issuer's other JWTs: form, algorithms, keys, longest lifetime and clock skew. It keeps no list of used
// tokens: a token that is sent again ends nothing more. Errors quote nothing of the token.
func (a *Authenticator) VerifyLogout(ctx context.Context, token string) (*Logout, error) {
	l, err := a.logout(ctx, token)
	if err != nil {
		a.refusals.log(ctx, "logout token", err)
	}
	return l, err
}

func (a *Authenticator) logout(ctx context.Context, token string) (*Logout, error) {
	s, err := a.open(ctx, &rules{}, token, func(i *issuer) []string {
		if i.Logout == nil {
			return nil
		}
		return i.Logout.Types
	})
	if err != nil {
		return nil, err
	}
	return s.issuer.checkLogout(s.claims, a.now())
}

func (i *Issuer) checkLogout(o object, now time.Time) (*Logout, error) {
	c, err := registered(o)
	if err != nil {
		return nil, err
	}
	if err := i.checkLogoutTimes(&c, now); err != nil {
		return nil, err
	}
	if c.aud == nil || !slices.Contains(*c.aud, i.Logout.Audience) {
		return nil, fmt.Errorf("aud: %w", errClaims)
	}
	if _, ok := o["nonce"]; ok { // ID tokens have it; forbidden here so that an ID token is never accepted as a logout token
		return nil, fmt.Errorf("nonce: %w", errLogout)
	}
	if jti, err := member[string](o, "jti"); err != nil || jti == nil || !validID(*jti) {
		return nil, fmt.Errorf("jti: %w", errClaims)
	}
	events, err := member[object](o, "events")
	if err != nil || events == nil {
		return nil, fmt.Errorf("events: %w", errLogout)
	}
	if event, err := member[object](*events, logoutEvent); err != nil || event == nil {
		return nil, fmt.Errorf("events: %w", errLogout)
	}
	sid, err := member[string](o, "sid")
	if err != nil || sid != nil && !validID(*sid) {
		return nil, fmt.Errorf("sid: %w", errClaims)
	}
	if c.sub != nil && !validID(*c.sub) || c.sub == nil && sid == nil {
		return nil, fmt.Errorf("sub, sid: %w", errClaims)
	}
	l := &Logout{Tenant: i.Tenant, IssuedAt: c.iat.Time}
	if sid != nil {
		l.Session = *sid
	}
	if c.sub != nil {
		l.Subject = *c.sub
	}
	return l, nil
}

func (i *Issuer) checkLogoutTimes(c *claims, now time.Time) error {
	if c.iat == nil {
		return fmt.Errorf("iat: %w", errClaims)
	}
	exp := c.iat.Add(logoutLife)
	if c.exp != nil {
		exp = c.exp.Time
	}
	switch {
	case !now.Before(exp):
		return errExpired
	case !exp.After(c.iat.Time), exp.Sub(c.iat.Time) > i.MaxLifetime:
		return fmt.Errorf("iat, exp: %w", errClaims)
	case c.iat.After(now.Add(i.ClockSkew)), c.nbf != nil && c.nbf.After(now.Add(i.ClockSkew)):
		return fmt.Errorf("iat, nbf: %w", errClaims)
	}
	return nil
}
