package vault

import (
	"context"

	"github.com/cloakroomhq/cloakroom/internal/caller"
)

// EndSession ends a session of the calling application's tenant: its grants are revoked, and every credential that
// names it is refused, by this replica at once and by the others after their next poll. It returns how many grants were in
// force. An unknown session can be ended too: the gateway keeps no list of sessions. Faults: UNAUTHENTICATED, FORBIDDEN,
// BAD_USER_INPUT, LIMIT_EXCEEDED (the grants are revoked, and the credentials are still accepted), UNAVAILABLE (the session
// has ended on this replica, and may have ended on all).
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
