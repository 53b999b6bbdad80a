// Package guard is what a request has to pass before its handler runs: where it may come from, what form its body
// may have, and in which session its client believes to be.
package guard

import (
	"net/http"

	"github.com/cloakroomhq/cloakroom/internal/caller"
)

// CallerFinder finds a request's caller; nil without credentials. Its errors are faults. The credentials' Authenticator is
// one; the sign-in adds its cookie, and the revocations refuse what has ended.
type CallerFinder interface {
	Authenticate(r *http.Request) (*caller.Caller, error)
}
