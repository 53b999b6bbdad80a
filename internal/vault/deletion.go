package vault

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/models"
)

// DeleteTokens destroys the sealed keys of those tokens that belong to the calling application's tenant, durably, then
// deletes their objects, and returns how many tokens there were. If the store does not respond, the values are unreadable
// nevertheless, and the sweeper deletes the objects later. Faults: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT,
// LIMIT_EXCEEDED, UNAVAILABLE (all tokens were destroyed, or none; on a full disk perhaps some).
func (v *Vault) DeleteTokens(ctx context.Context, tokens []ids.Token) (int, error) {
	c, err := caller.RequireApplication(ctx)
	if err != nil {
		return 0, err
	}
	if err := checkList(len(tokens), v.opts.Limits.GrantBatch, ParamTokens); err != nil {
		return 0, err
	}
	_, now := v.now()
	done, err := v.opts.Rows.Write(ctx, models.Batch{Now: now, Destroy: &models.Destruction{Tenant: c.Tenant, Tokens: ids.IDs(tokens)}})
	v.listeners.tellRevoked(c.Tenant, nil, tokens) // after an error too: it may have been committed
	if err != nil {
		return 0, unavailable(err)
	}
	v.discardNow(ctx, done.Ended)
	destroyed := done.Destroyed
	if _, err := v.purge(ctx, destroyed); err != nil {
		v.opts.Logger.ErrorContext(ctx, "objects of deleted tokens remain; the sweeper will try again",
			slog.Int("objects", len(destroyed)), slog.Any("error", err))
	}
	return len(destroyed), nil
}

// purge deletes the objects of destroyed tokens, and notes the deletion in their rows. While an upload signed for an object
// may still arrive, purge writes a tombstone instead, so that the store refuses the upload. The row stays until a later purge
// removes row and tombstone. purge returns the tokens that failed with its error, and continues after a failure: in some
// stores a client can block the deletion of its own object, and must not block other deletions.
func (v *Vault) purge(ctx context.Context, destroyed []models.Token) (left []models.Token, err error) {
	_, now := v.now()
	var open, closed []models.Token
	for i := range destroyed {
		if destroyed[i].UploadUntil > now {
			open = append(open, destroyed[i])
		} else {
			closed = append(closed, destroyed[i])
		}
	}
	left, err = v.erase(ctx, open, v.opts.Objects.Tombstone, now)
	more, failed := v.erase(ctx, closed, v.opts.Objects.Delete, now)
	return append(left, more...), errors.Join(err, failed)
}

// erase calls how, which deletes objects or writes tombstones, purges the rows of those that succeeded, and returns the
// others.
func (v *Vault) erase(ctx context.Context, destroyed []models.Token, how func(context.Context, ...string) error, now int64) (left []models.Token, err error) {
	if len(destroyed) == 0 {
		return nil, nil
	}
	names := make([]string, len(destroyed))
	for i := range destroyed {
		names[i] = destroyed[i].Object
	}
	done := destroyed
	if err = how(ctx, names...); err != nil {
		var partial *objects.PartialError
		if !errors.As(err, &partial) {
			return destroyed, err
		}
		stays := func(t models.Token) bool { return slices.Contains(partial.Objects, t.Object) }
		done = slices.DeleteFunc(slices.Clone(destroyed), stays)
		left = slices.DeleteFunc(slices.Clone(destroyed), func(t models.Token) bool { return !stays(t) })
	}
	purged := make([]ids.Digest, len(done))
	for i := range done {
		purged[i] = done[i].ID
	}
	if _, failed := v.opts.Rows.Write(ctx, models.Batch{Now: now, Purge: purged}); failed != nil {
		return destroyed, errors.Join(err, failed)
	}
	return left, err
}

// sweepPatience is how long a sweep continues while the store deletes nothing of a batch: the rows after it may succeed.
const sweepPatience = 10 * time.Second

// Sweep removes expired tokens and grants, in bounded batches, until nothing is due or ctx ends. A store that does not
// respond delays the removal of tokens only.
func (v *Vault) Sweep(ctx context.Context) error {
	return errors.Join(v.sweepTokens(ctx), v.opts.Rows.Settle(ctx),
		models.Sweep(ctx, v.opts.Now, v.opts.Rows.SweepGrants, func(n int) { v.opts.Observer.Swept("grants", n) }))
}

// sweepTokens continues past tokens whose objects the store does not delete, so that the tokens after them are removed.
// DueTokens moves the rows that it returns behind all others that are due, so that after a timeout the next sweep begins
// with the rows that this one did not reach. It returns the first error.
func (v *Vault) sweepTokens(ctx context.Context) error {
	began, _ := v.now()
	stuck := make(map[ids.Digest]bool)
	var first error
	for {
		_, now := v.now()
		due, err := v.opts.Rows.DueTokens(ctx, now, models.SweepBatch)
		if err != nil {
			return errors.Join(first, err)
		}
		untried := slices.DeleteFunc(slices.Clone(due), func(t models.Token) bool { return stuck[t.ID] })
		left, err := v.purge(ctx, untried)
		v.opts.Observer.Swept("tokens", len(untried)-len(left))
		if first == nil {
			first = err
		}
		for i := range left {
			stuck[left[i].ID] = true
		}
		at, _ := v.now()
		switch {
		case len(due) < models.SweepBatch, len(untried) == 0: // all others of the batch have been tried
			return first
		case len(left) == len(untried) && (!isPartial(err) || at.Sub(began) >= sweepPatience):
			return first
		}
	}
}

// isPartial reports whether the store named the objects that it failed for. With any other error the whole call failed.
func isPartial(err error) bool {
	var partial *objects.PartialError
	return errors.As(err, &partial)
}
