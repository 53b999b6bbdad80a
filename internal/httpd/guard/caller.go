// Package guard has the checks that a request must pass before its handler runs: its origin, the form of its body, and the
// session that its client expects.
package guard

import (
	"net/http"

	"github.com/cloakroomhq/cloakroom/internal/caller"
)

// CallerFinder finds a request's caller; nil without credentials. Its errors are faults. credential.Authenticator is one;
// the sign-in adds its cookie, and the revocations refuse ended sessions.
type CallerFinder interface {
	Authenticate(r *http.Request) (*caller.Caller, error)
}
