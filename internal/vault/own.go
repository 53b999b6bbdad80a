package vault

import (
	"context"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/models"
)

// RevokeOwn ends every grant of the calling session, as it signs out, with its transfers where the store can, and
// returns how many grants were in force.
// Faults: UNAUTHENTICATED, FORBIDDEN, UNAVAILABLE.
func (v *Vault) RevokeOwn(ctx context.Context) (int, error) {
	c, err := caller.RequireSession(ctx)
	if err != nil {
		return 0, err
	}
	_, now := v.now()
	done, err := v.opts.Rows.Write(ctx, models.Batch{Now: now, Revoke: &models.Revocation{Tenant: c.Tenant, Session: c.Session}})
	v.opts.Objects.SignOut(signer(c))
	// Only the hash of the session's id is known here, so listeners forget every session's. After an error
	// too: it may have been committed.
	v.listeners.tell(c.Tenant, nil, nil)
	if err != nil {
		return 0, unavailable(err)
	}
	return done.Revoked, nil
}
