package guard

import (
	"net/http"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// SessionHashHeader names, in an answer, the session that it was given to; in a request it is a precondition: the
// session that the client believes to be in.
const SessionHashHeader = "Cloakroom-Session-Hash"

// CheckPrecondition puts the caller's session into the answer's header, and holds the request's precondition against it.
// Faults: SESSION_CHANGED for another session, UNAUTHENTICATED for none, BAD_USER_INPUT for several
// preconditions.
func CheckPrecondition(answer http.Header, r *http.Request, who *caller.Caller) error {
	hash := ""
	if who != nil && who.Session != nil {
		hash = who.Session.String()
		answer.Set(SessionHashHeader, hash)
	}
	expected, pinned := r.Header[SessionHashHeader]
	switch {
	case !pinned:
		return nil
	case len(expected) != 1:
		return fault.New(fault.BadUserInput, "Send %s once.", SessionHashHeader)
	case who == nil:
		return fault.New(fault.Unauthenticated, "There is no session any more: sign in again.")
	case hash == "" || expected[0] != hash:
		return fault.New(fault.SessionChanged, "The user has changed: load the page again.")
	}
	return nil
}
