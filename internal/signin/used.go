package signin

import (
	"context"
	"errors"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// errOutcome is a result that says nothing of the state: it is refused.
var errOutcome = errors.New("signin: the database did not say whether the state was used")

// consume notes a state as used, durably, and reports whether it is the first to do so, of all replicas.
func (f *Flow) consume(ctx context.Context, s *state) (first bool, err error) {
	used := models.UsedState{Digest: ids.Digest(s.digest()), ExpiresAt: s.expires.Add(clockDrift).UnixMilli()}
	done, err := f.opts.Rows.Write(ctx, models.Batch{Used: []models.UsedState{used}})
	if err != nil {
		return false, err
	}
	if len(done.FirstUse) != 1 {
		return false, errOutcome
	}
	return done.FirstUse[0], nil
}

// Sweep removes the notes of states that no replica takes for fresh any more, until none is due or ctx ends.
func (f *Flow) Sweep(ctx context.Context) error {
	return models.Sweep(ctx, f.opts.Now, f.opts.Rows.SweepStates, func(n int) { f.opts.Observer.Swept("sign_in_states", n) })
}
