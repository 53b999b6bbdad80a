package vault

import (
	"context"

	"github.com/cloakroomhq/cloakroom/internal/caller"
)

// EndSession ends a session of the calling application's tenant: its grants are gone, and every credential that
// names it is refused, here at once and on other replicas within their poll. It returns how many grants were in
// force. A session that is not known ends too: the gateway keeps no list of sessions. Faults: UNAUTHENTICATED,
// FORBIDDEN, BAD_USER_INPUT, LIMIT_EXCEEDED (its grants are gone, and its credentials are not refused), UNAVAILABLE (it has
// ended here, and may have ended everywhere).
func (v *Vault) EndSession(ctx context.Context, sessionID string) (int, error) {
	c, err := caller.RequireApplication(ctx)
	if err != nil {
		return 0, err
	}
	if err := checkSessionID(sessionID, ParamSession); err != nil {
		return 0, err
	}
	return v.opts.Sessions.EndSession(ctx, c.Tenant, sessionID, caller.EndedByApplication)
}
