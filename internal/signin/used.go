package signin

import (
	"context"
	"errors"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// errOutcome means that the result does not mention the state, which is then refused.
var errOutcome = errors.New("signin: the database did not say whether the state was used")

// consume records a state as used, durably, and reports whether this is its first use on any replica.
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

// Sweep removes records of used states that have expired on every replica, until none is left or ctx ends.
func (f *Flow) Sweep(ctx context.Context) error {
	return models.Sweep(ctx, f.opts.Now, f.opts.Rows.SweepStates, func(n int) { f.opts.Observer.Swept("sign_in_states", n) })
}
