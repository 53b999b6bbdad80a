package credential

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/jose"
)

// MaxAssertionLifetime is the longest time between an assertion's `iat` and `exp`.
const MaxAssertionLifetime = 5 * time.Minute

// Thumbprint identifies an issuer's public key.
type Thumbprint = jose.Thumbprint

var errAssertion = errors.New("the assertion is not accepted")

// Assertion is an issuer's statement about its user's session, in answer to one sign-in at the gateway.
type Assertion struct {
	Subject        string
	Session        caller.SessionHash
	IssuedAt       time.Time  // UTC
	SessionExpires *time.Time // UTC; nil: not stated
	Key            Thumbprint // of the key that signed the assertion
}

// Assertion verifies a compact JWS (RFC 7515, section 7.1) of the named issuer, by the rules for a session's JWT except for
// typ. It must be an answer to the state: `s_hash` is the left half of the state's SHA-256 (FAPI 1.0 Part 2, section 5.1).
// An assertion with roles is refused: a sign-in is never more than a session. The error is for the log only.
func (a *Authenticator) Assertion(ctx context.Context, name, jws, state string) (*Assertion, error) {
	assertion, err := a.assertion(ctx, name, jws, state)
	if err != nil {
		a.refusals.log(ctx, "assertion", err)
	}
	return assertion, err
}

func (a *Authenticator) assertion(ctx context.Context, name, jws, state string) (*Assertion, error) {
	v, err := a.open(ctx, &rules{}, jws, func(i *issuer) []string {
		if i.Name != name { // only that issuer's keys are used, whatever iss says
			return nil
		}
		return []string{jose.AssertionType}
	})
	if err != nil {
		return nil, err
	}
	assertion, err := v.issuer.checkAssertion(v.claims, state, a.now())
	if err != nil {
		return nil, err
	}
	assertion.Key = v.key.Thumbprint
	return assertion, nil
}

// Holds reports whether the named issuer has the key: a sign-in ends when the key of its assertion is withdrawn, as a JWT
// does. For an unknown key the issuer is asked as for that of a JWT, at most once in refreshAtMost.
func (a *Authenticator) Holds(ctx context.Context, name string, key Thumbprint) bool {
	for _, i := range a.issuers {
		if i.Name == name {
			if keys := i.source.keys(); keys != nil && keys.Holds(key) {
				return true
			}
			keys := i.source.refresh(ctx, refreshAtMost)
			return keys != nil && keys.Holds(key)
		}
	}
	return false
}

// checkAssertion checks the claims of an assertion whose signature was verified.
func (i *issuer) checkAssertion(o object, state string, now time.Time) (*Assertion, error) {
	if _, ok := o["roles"]; ok {
		return nil, fmt.Errorf("%w: it has roles, and a sign-in is never more than a session", errAssertion)
	}
	c, err := i.check(&rules{}, o, now)
	if err != nil {
		return nil, err
	}
	if c.Session == nil {
		return nil, fmt.Errorf("%w: it names no session", errAssertion)
	}
	if c.ExpiresAt.Sub(c.IssuedAt) > MaxAssertionLifetime {
		return nil, fmt.Errorf("%w: it lives longer than %s", errAssertion, MaxAssertionLifetime)
	}
	if id, err := member[string](o, "jti"); err != nil || id == nil || !validID(*id) {
		return nil, fmt.Errorf("jti: %w", errClaims)
	}
	hash, err := member[string](o, "s_hash")
	if err != nil || hash == nil || subtle.ConstantTimeCompare([]byte(*hash), []byte(stateHash(state))) != 1 {
		return nil, fmt.Errorf("s_hash: %w", errClaims)
	}
	assertion := &Assertion{Subject: c.Subject, Session: *c.Session, IssuedAt: c.IssuedAt}
	ends, err := member[numericDate](o, "session_exp")
	if err != nil {
		return nil, fmt.Errorf("session_exp: %w", errClaims)
	}
	if ends != nil {
		if !now.Before(ends.Time) {
			return nil, fmt.Errorf("session_exp: %w", errExpired)
		}
		assertion.SessionExpires = &ends.Time
	}
	return assertion, nil
}

func stateHash(state string) string {
	sum := sha256.Sum256([]byte(state))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
