package revocation

import (
	"context"
	"errors"
	"time"

	"github.com/cloakroomhq/cloakroom/models"
)

// Sweep removes rows of ends whose credentials have all expired, and of revocations that every replica has read, until none is due or ctx ends.
func (s *Set) Sweep(ctx context.Context) error {
	before := func() time.Time { return s.opts.Now().Add(-s.kept()) }
	return errors.Join(
		models.Sweep(ctx, s.opts.Now, s.opts.Rows.SweepEnded, func(n int) { s.opts.Observer.Swept("ended", n) }),
		models.Sweep(ctx, before, s.opts.Rows.SweepRevoked, func(n int) { s.opts.Observer.Swept("revocations", n) }))
}
