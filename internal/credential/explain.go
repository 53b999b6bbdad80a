package credential

import (
	"context"
	"errors"

	"github.com/cloakroomhq/cloakroom/internal/caller"
)

// Explanation is the result of checking a JWT by every rule.
type Explanation struct {
	Issuer string // the name of the JWT's configured issuer; "": none
	Checks []Check
	Caller *caller.Caller // nil unless all checks hold
}

// Explain checks a JWT by the rules of Authenticate, and goes on after a rule that fails as far as that makes sense: if the
// signature does not verify, only the registered claims are checked. It asks the issuer for its keys if they are not known.
// It caches, counts and logs nothing.
func (a *Authenticator) Explain(ctx context.Context, jwt string) *Explanation {
	r := &rules{explain: true}
	explanation := &Explanation{}
	s, err := a.open(ctx, r, jwt, func(i *issuer) []string { return i.Types })
	switch {
	case s == nil && len(r.checks) == 0: // too long to be parsed
		explanation.Checks = []Check{asCheck(err)}
		return explanation
	case s != nil:
		explanation.Issuer = s.issuer.Name
		if verified(r) {
			explanation.Caller, _ = s.issuer.check(r, s.claims, a.now())
		} else {
			s.issuer.checkRegistered(r, s.claims, a.now())
		}
	}
	explanation.Checks = r.checks
	return explanation
}

// verified reports whether the signature was verified.
func verified(r *rules) bool {
	for _, c := range r.checks {
		if c.Reason == ReasonSignature {
			return c.Err == nil
		}
	}
	return false
}

func asCheck(err error) Check {
	var r *Refusal
	if errors.As(err, &r) {
		return Check{r.Reason, r.cause, r.Want, r.Given}
	}
	return Check{Reason: ReasonForm, Err: err}
}
