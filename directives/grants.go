package directives

import (
	"context"
	"time"

	"github.com/cloakroomhq/cloakroom/grant"
)

// The types of grants are those of package grant, which programs without gqlgen import.
type (
	// Grant asks for the same grants on each of several tokens.
	Grant = grant.Request
	// Granted is the result of one Grant.
	Granted = grant.Granted
	// Check asks whether a session holds a grant.
	Check = grant.Check
	// GrantKind is the enum of token.graphqls. A backend binds it in gqlgen.yml; otherwise gqlgen generates another type.
	GrantKind = grant.Kind
)

// The kinds of grants.
const (
	GrantKindRead  = grant.Read  // the session may detokenize
	GrantKindStore = grant.Store // the application may save the token for the session
)

// Grants creates and verifies a session's grants; implementations are safe for concurrent use. For an empty list they do
// nothing and return no error. An error with a method RateLimited() (wait time.Duration, ok bool) that reports true is
// passed on as RATE_LIMITED, with extensions.retryAfter; any other is UNAVAILABLE. The suite in directives/grantstest checks
// an implementation against all of this.
type Grants interface {
	// CreateGrants creates every grant in one call, and extends those that exist. It must return one Granted for each
	// Grant, in the same order, and a nil error only when the grants are durable. Tokens of other
	// applications get no grant and must be among Missing; the other tokens must still get theirs.
	CreateGrants(ctx context.Context, session string, wanted []Grant) ([]Granted, error)
	// VerifyGrants returns the checks that do not hold, in one call. No check of an unknown token holds.
	VerifyGrants(ctx context.Context, session string, checks []Check) (missing []Check, err error)
}

// Revoker is implemented by Grants that report when grants are revoked through them, so that the runtime removes
// the revoked grants from its cache.
type Revoker interface {
	// OnRevoke calls f after each revocation, before the revoking call returns. An empty session
	// stands for every session, nil tokens for every token.
	OnRevoke(f func(session string, tokens []string))
}

// Observer is told of each call to Grants: how many grants or checks it was for, how long it took and
// its error. It must be safe for concurrent use.
type Observer interface {
	GrantsCreated(ctx context.Context, n int, took time.Duration, err error)
	GrantsVerified(ctx context.Context, n int, took time.Duration, err error)
}
