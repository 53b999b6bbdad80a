package session

import (
	"net/http"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// HashHeader names, in an answer, the session that it was given to; in a request it is a precondition: the
// session that the client believes to be in.
const HashHeader = "Cloakroom-Session-Hash"

// Pin puts the caller's session into the answer's header, and holds the request's precondition against it.
// Faults: SESSION_CHANGED for another session, UNAUTHENTICATED for none, BAD_USER_INPUT for several
// preconditions.
func Pin(answer http.Header, r *http.Request, who *caller.Caller) error {
	hash := ""
	if who != nil && who.Session != nil {
		hash = who.Session.String()
		answer.Set(HashHeader, hash)
	}
	expected, pinned := r.Header[HashHeader]
	switch {
	case !pinned:
		return nil
	case len(expected) != 1:
		return fault.New(fault.BadUserInput, "Send %s once.", HashHeader)
	case who == nil:
		return fault.New(fault.Unauthenticated, "There is no session any more: sign in again.")
	case hash == "" || expected[0] != hash:
		return fault.New(fault.SessionChanged, "The user has changed: load the page again.")
	}
	return nil
}
