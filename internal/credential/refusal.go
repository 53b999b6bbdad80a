package credential

import (
	"fmt"
	"strings"

	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// Reason names the rule that a credential breaks. The set is closed, so that it can be a label.
type Reason string

// Reasons, in the order in which the rules are applied.
const (
	ReasonSize      Reason = "size"
	ReasonForm      Reason = "form" // not one JWT, or malformed
	ReasonIssuer    Reason = "iss"
	ReasonType      Reason = "typ"
	ReasonAlgorithm Reason = "alg"
	ReasonKeys      Reason = "keys" // the issuer's keys are not known at the moment
	ReasonKey       Reason = "kid"
	ReasonSignature Reason = "signature"
	ReasonClaims    Reason = "claims" // a claim has the wrong type
	ReasonAudience  Reason = "aud"
	ReasonTimes     Reason = "iat, exp"
	ReasonExpired   Reason = "exp"
	ReasonFuture    Reason = "iat, nbf"
	ReasonLifetime  Reason = "lifetime"
	ReasonEvents    Reason = "events"
	ReasonRequire   Reason = "require"
	ReasonSubject   Reason = "subject"
	ReasonRoles     Reason = "roles"
	ReasonSession   Reason = "session"
)

// Refusal is an error that says which rule a JWT breaks. Want comes from the settings. Given is text of the JWT, bounded and
// quoted, and never its signature, its subject or its session's id.
type Refusal struct {
	Reason      Reason
	Issuer      string // the name of the JWT's configured issuer; "": none
	Want, Given string
	similar     bool // see Authenticator.similar
	cause       error
}

// Error returns the cause's message, which quotes nothing of the JWT.
func (r *Refusal) Error() string { return r.cause.Error() }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.cause }

const notAccepted = "The credential is not accepted: sign in again."

// messages replace notAccepted where the client may know the reason. Before the signature is verified that is only an
// unknown issuer, which the client can correct and which is no secret. After it, the caller has a genuine JWT of that issuer.
var messages = map[Reason]string{
	ReasonIssuer:   "The credential is not accepted: the issuer of the JWT (iss) is not known here.",
	ReasonAudience: "The credential is not accepted: the JWT is made for somebody else (aud).",
	ReasonTimes:    "The credential is not accepted: the JWT needs iat, and an exp after it.",
	ReasonKeys:     "The keys of the JWT's issuer are not known yet: try again.",
	ReasonExpired:  "The JWT has expired: get a new one.",
	ReasonFuture:   "The credential is not accepted: the JWT is not valid yet (iat, nbf); compare the clocks.",
	ReasonLifetime: "The credential is not accepted: the lifetime of the JWT, from iat to exp, is longer than is allowed here.",
	ReasonRequire:  "The credential is not accepted: the JWT does not meet the condition that is configured for its issuer.",
	ReasonSubject:  "The credential is not accepted: the JWT names no subject.",
	ReasonSession:  "The credential is not accepted: the JWT names no session, and no role that counts here.",
}

func (r *Refusal) message() string {
	if r.Reason == ReasonSize {
		return fmt.Sprintf("The credential is too long, with %s bytes of %s at most: put less into it; signing in again does not help.", r.Given, r.Want)
	}
	if m, ok := messages[r.Reason]; ok {
		return m
	}
	return notAccepted
}

func (r *Refusal) code() fault.Code {
	switch r.Reason { // not UNAUTHENTICATED: a page would get another JWT, which is refused for the same reason
	case ReasonSize:
		return fault.LimitExceeded
	case ReasonKeys:
		return fault.Unavailable
	default:
		return fault.Unauthenticated
	}
}

// maxGiven limits the text that is quoted from a JWT, in bytes before quoting.
const maxGiven = 120

// quote makes foreign text fit for a log and a terminal: one line of printable ASCII, bounded.
func quote(s string) string {
	if len(s) > maxGiven {
		return fmt.Sprintf("%+q…", strings.ToValidUTF8(s[:maxGiven], ""))
	}
	return fmt.Sprintf("%+q", s)
}

func quoteAll(list []string) string {
	const most = 5
	all := make([]string, 0, most)
	for _, s := range list[:min(len(list), most)] {
		all = append(all, quote(s))
	}
	if len(list) > most {
		all = append(all, fmt.Sprintf("and %d more", len(list)-most))
	}
	return strings.Join(all, ", ")
}
