package vault

import (
	"context"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// EndSession ends a session of the calling application's tenant: its grants are gone, and every credential that
// names it is refused, here at once and on other replicas within their poll. It returns how many grants were in
// force. A session that is not known ends too: the gateway keeps no list of sessions. Faults: UNAUTHENTICATED,
// FORBIDDEN, BAD_USER_INPUT, LIMIT_EXCEEDED, UNAVAILABLE (it may have ended all the same).
func (v *Vault) EndSession(ctx context.Context, sessionID string) (int, error) {
	c, err := caller.RequireApplication(ctx)
	if err != nil {
		return 0, err
	}
	return v.endSession(ctx, c.Tenant, sessionID, caller.EndedByApplication)
}

// LogOut ends a session as EndSession does, because the tenant's issuer says so in a logout token that was
// verified; no caller is asked.
func (v *Vault) LogOut(ctx context.Context, tenant, sessionID string) error {
	_, err := v.endSession(ctx, tenant, sessionID, caller.EndedByBackChannel)
	return err
}

func (v *Vault) endSession(ctx context.Context, tenant, sessionID, reason string) (int, error) {
	if err := checkSessionID(sessionID, ParamSession); err != nil {
		return 0, err
	}
	hash := caller.HashSession(tenant, sessionID)
	n, err := v.opts.Sessions.EndSession(ctx, tenant, hash, reason)
	v.opts.Objects.EndSession(objects.Signer{Tenant: tenant, Session: hash})
	v.listeners.tell(tenant, &sessionID, nil) // after an error too: it may have been committed
	return n, err
}
