package credential

import (
	"errors"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// admission decides whether a credential may be verified. An address with many refused credentials has to wait. But many
// people can share an address, and one of them must not lock out the others. So a cached credential is always admitted,
// and a new JWT of a session that was verified before is charged to the session's own account: nobody else knows the
// session's id, so nobody else can use up the account. The same holds for the first JWT of a session to which its
// application gave a grant. A JWT of an application that was verified before is always admitted.
type admission struct {
	rates    Rates
	accounts *otter.Cache[caller.SessionHash, struct{}] // sessions, and applications' subjects
}

func newAdmission(o Options) (admission, error) {
	if o.Rates == nil {
		return admission{}, nil
	}
	accounts, err := otter.New(&otter.Options[caller.SessionHash, struct{}]{MaximumSize: o.Remember, Executor: inline})
	return admission{o.Rates, accounts}, err
}

// account returns the account to which a caller's new JWTs are charged.
func account(c *caller.Caller) caller.SessionHash {
	if c.Session != nil {
		return *c.Session
	}
	return caller.HashSubject(c.Tenant, c.Subject)
}

func (a *admission) verified(c *caller.Caller) {
	if a.rates != nil {
		a.accounts.Set(account(c), struct{}{})
	}
}

// Named records a session to which an application of its tenant gave grants: that application knows the session's id, and
// an attacker who forges JWTs does not. So the session's first JWT is admitted like those of sessions that were verified.
func (a *Authenticator) Named(session caller.SessionHash) {
	if a.admission.rates != nil {
		a.admission.accounts.Set(session, struct{}{})
	}
}

// refused charges the request's address, and returns a fault RATE_LIMITED, to be returned instead of err, or nil. For an
// expired JWT it returns nil: the client is told to get a new one and not to wait, because the check costs nothing and a
// new one may be accepted.
func (a *admission) refused(r *http.Request, err error) error {
	if a.rates == nil {
		return nil
	}
	if fault.Public(err).Code == fault.RateLimited {
		return err
	}
	limited := a.rates.Refused(r)
	if errors.Is(err, errExpired) {
		return nil
	}
	return limited
}

// admit returns an error if the signature of the request's JWT must not be verified now: a fault RATE_LIMITED, or
// errExpired.
func (a *Authenticator) admit(r *http.Request, jwt string, now time.Time) error {
	if a.admission.rates == nil {
		return nil
	}
	limited := a.admission.rates.Admit(r)
	if limited == nil {
		return nil
	}
	c, err := a.claimed(jwt, now)
	if errors.Is(err, errExpired) {
		return err
	}
	if err != nil {
		return limited
	}
	if _, ok := a.admission.accounts.GetIfPresent(account(c)); !ok {
		return limited
	}
	if c.IsApplication() {
		// An application's subject is no secret: anybody could use up its account, and the application could then
		// revoke nothing. A JWT forged in its name costs one verification.
		return nil
	}
	return a.admission.rates.AdmitSession(c.Tenant, account(c))
}

// claimed returns the caller that a JWT names, before its signature is verified.
func (a *Authenticator) claimed(jwt string, now time.Time) (*caller.Caller, error) {
	p, err := split(jwt)
	if err != nil {
		return nil, err
	}
	o, err := decodeObject(p.payload)
	if err != nil {
		return nil, err
	}
	i, _, err := a.issuerOf(o)
	if err != nil {
		return nil, err
	}
	return i.check(&rules{}, o, now)
}
