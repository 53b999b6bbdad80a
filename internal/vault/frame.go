package vault

import (
	"context"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

var errNotFramed = fault.New(fault.Forbidden, "Only the gateway's own pages may read this application's values, with its cookie "+
	"(issuers[].detokenize.from is frame): show the value in a frame of the gateway.")

// checkReader returns a fault FORBIDDEN if the tenant's values are read in the gateway's own pages only, and the session's request
// does not come from one with the gateway's cookie. The metadata count as part of a value. An application may see those
// of its own tokens, as anywhere.
func (v *Vault) checkReader(ctx context.Context, c *caller.Caller) error {
	if c.Session == nil || !v.opts.Framed[c.Tenant] || c.ByCookie() && caller.FromOwnPage(ctx) {
		return nil
	}
	return errNotFramed
}
