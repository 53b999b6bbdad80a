package credential

import (
	"errors"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// admission is who may have a credential verified. An address that had many refused may not, until it has waited;
// but many people can share an address, and whoever spoils it must not lock out the others. So a credential that is
// remembered is not asked about at all, and a new JWT of a session that was verified before is verified on the
// session's own account: nobody else knows its id, so nobody else can use that up. So is the first one of a session that
// its application has named, by a grant that it made for it. One of an application that was verified before always is.
type admission struct {
	rates Rates
	known *otter.Cache[caller.SessionHash, struct{}] // sessions, and applications' subjects
}

func newAdmission(o Options) (admission, error) {
	if o.Rates == nil {
		return admission{}, nil
	}
	known, err := otter.New(&otter.Options[caller.SessionHash, struct{}]{MaximumSize: o.Remember})
	return admission{o.Rates, known}, err
}

// account is what a caller's renewals are counted under.
func account(c *caller.Caller) caller.SessionHash {
	if c.Session != nil {
		return *c.Session
	}
	return caller.HashSubject(c.Tenant, c.Subject)
}

func (a *admission) verified(c *caller.Caller) {
	if a.rates != nil {
		a.known.Set(account(c), struct{}{})
	}
}

// Named is told of a session to which an application of its tenant gave grants: that application knows its id, and
// whoever forges JWTs does not. From then on its first JWT is admitted as those of sessions that were verified.
func (a *Authenticator) Named(session caller.SessionHash) {
	if a.admission.rates != nil {
		a.admission.known.Set(session, struct{}{})
	}
}

// refused charges the request's address, and returns the fault RATE_LIMITED that goes before any other. Who has a JWT
// that has expired is told to get a new one, and not to wait: that costs nothing, and a new one may be accepted.
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

// admit returns an error where the signature of the request's JWT is not to be verified now: a fault RATE_LIMITED, or
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
	if _, known := a.admission.known.GetIfPresent(account(c)); !known {
		return limited
	}
	if c.IsApplication() {
		// Its subject is no secret, so that anybody could use up its account, and it could revoke nothing. What
		// is forged in its name costs one signature.
		return nil
	}
	return a.admission.rates.AdmitSession(c.Tenant, account(c))
}

// claimed returns whom a JWT says that it is of, before its signature is verified.
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
