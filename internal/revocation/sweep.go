package revocation

import (
	"context"

	"github.com/cloakroomhq/cloakroom/models"
)

// Sweep removes rows whose credentials have all expired, until none is due or ctx ends.
func (s *Set) Sweep(ctx context.Context) error {
	return models.Sweep(ctx, s.opts.Now, s.opts.Rows.SweepEnded, func(n int) { s.opts.Observer.Swept("ended", n) })
}
