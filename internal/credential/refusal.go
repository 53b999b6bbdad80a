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
	ReasonForm      Reason = "form" // not one JWT, or none that can be read
	ReasonIssuer    Reason = "iss"
	ReasonType      Reason = "typ"
	ReasonAlgorithm Reason = "alg"
	ReasonKeys      Reason = "keys" // the issuer's are not known at the moment
	ReasonKey       Reason = "kid"
	ReasonSignature Reason = "signature"
	ReasonClaims    Reason = "claims" // of another type than they must be
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

// Refusal is an error that says which rule a JWT breaks. Want is the settings'; Given is text of the JWT, bounded and
// quoted, and never its signature, its subject or its session's id.
type Refusal struct {
	Reason      Reason
	Issuer      string // the name of a configured one; "" where the JWT is of none
	Want, Given string
	near        bool // see Authenticator.near
	cause       error
}

// Error says nothing of the JWT.
func (r *Refusal) Error() string { return r.cause.Error() }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.cause }

const notAccepted = "The credential is not accepted: sign in again."

// messages are what a client is told beyond that. Before the signature is verified that is the issuer alone, which a
// client can do something about and which is no secret; after it, the caller has a genuine JWT of that issuer.
var messages = map[Reason]string{
	ReasonIssuer:   "The credential is not accepted: the issuer of the JWT (iss) is not known here.",
	ReasonAudience: "The credential is not accepted: the JWT is made for somebody else (aud).",
	ReasonTimes:    "The credential is not accepted: the JWT needs iat, and an exp after it.",
	ReasonKeys:     "The keys of the JWT's issuer are not known yet: try again.",
	ReasonExpired:  "The JWT has expired: get a new one.",
	ReasonFuture:   "The credential is not accepted: the JWT is from the future (iat, nbf); compare the clocks.",
	ReasonLifetime: "The credential is not accepted: the JWT lives longer, from iat to exp, than is allowed here.",
	ReasonRequire:  "The credential is not accepted: the JWT lacks what is required of its issuer's.",
	ReasonSubject:  "The credential is not accepted: the JWT names no subject.",
	ReasonSession:  "The credential is not accepted: the JWT names no session, and no role of its own that counts here.",
}

func (r *Refusal) message() string {
	if r.Reason == ReasonSize {
		return fmt.Sprintf("The credential is too long, with %s bytes of %s at most: signing in again won't help, unless less is put into it.", r.Given, r.Want)
	}
	if m, ok := messages[r.Reason]; ok {
		return m
	}
	return notAccepted
}

func (r *Refusal) code() fault.Code {
	switch r.Reason { // pages answer UNAUTHENTICATED by getting another JWT, which would be refused for the same reason
	case ReasonSize:
		return fault.LimitExceeded
	case ReasonKeys:
		return fault.Unavailable
	default:
		return fault.Unauthenticated
	}
}

// maxGiven bounds what is quoted of a JWT, in bytes before quoting.
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
