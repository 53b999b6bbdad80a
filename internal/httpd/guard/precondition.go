package guard

import (
	"net/http"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// SessionHashHeader names the caller's session in an answer. In a request it is a precondition: the session that the client
// expects.
const SessionHashHeader = "Cloakroom-Session-Hash"

// CheckPrecondition puts the caller's session into the answer's header, and compares the request's precondition with it.
// Faults: SESSION_CHANGED for another session, UNAUTHENTICATED for none, BAD_USER_INPUT for several
// preconditions.
func CheckPrecondition(answer http.Header, r *http.Request, c *caller.Caller) error {
	hash := ""
	if c != nil && c.Session != nil {
		hash = c.Session.String()
		answer.Set(SessionHashHeader, hash)
	}
	expected, pinned := r.Header[SessionHashHeader]
	switch {
	case !pinned:
		return nil
	case len(expected) != 1:
		return fault.New(fault.BadUserInput, "Send %s once.", SessionHashHeader)
	case c == nil:
		return fault.New(fault.Unauthenticated, "There is no session: sign in again.")
	case hash == "" || expected[0] != hash:
		return fault.New(fault.SessionChanged, "The user has changed: load the page again.")
	}
	return nil
}
