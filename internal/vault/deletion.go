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

// DeleteTokens destroys the sealed keys of those tokens that are the calling application's, durably,
// then deletes their objects, and returns how many there were. If the store does not answer the
// values are unreadable all the same, and the sweeper deletes the objects later. Faults:
// UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, LIMIT_EXCEEDED, UNAVAILABLE (all of them were destroyed, or none; on a full
// disk perhaps some).
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
	v.listeners.tell(c.Tenant, nil, tokens) // after an error too: it may have been committed
	if err != nil {
		return 0, unavailable(err)
	}
	gone := done.Destroyed
	if _, err := v.purge(ctx, gone); err != nil {
		v.opts.Logger.ErrorContext(ctx, "objects of deleted tokens remain; the sweeper will try again",
			slog.Int("objects", len(gone)), slog.Any("error", err))
	}
	return len(gone), nil
}

// purge deletes the objects of destroyed tokens, and notes that in their rows. While an upload that was signed for one may
// still arrive, a tombstone takes its place, so that the store refuses it; the row stays for as long, and the next purge
// removes both. It returns those that are left with its error: a client that holds up its own object, as it can in some
// stores, holds up no other.
func (v *Vault) purge(ctx context.Context, gone []models.Token) (left []models.Token, err error) {
	_, now := v.now()
	var open, closed []models.Token
	for i := range gone {
		if gone[i].UploadUntil > now {
			open = append(open, gone[i])
		} else {
			closed = append(closed, gone[i])
		}
	}
	left, err = v.erase(ctx, open, v.opts.Objects.Tombstone, now)
	more, failed := v.erase(ctx, closed, v.opts.Objects.Delete, now)
	return append(left, more...), errors.Join(err, failed)
}

// erase lets the store see to the objects, purges the rows of those that it has seen to, and returns the others.
func (v *Vault) erase(ctx context.Context, gone []models.Token, how func(context.Context, ...string) error, now int64) (left []models.Token, err error) {
	if len(gone) == 0 {
		return nil, nil
	}
	names := make([]string, len(gone))
	for i := range gone {
		names[i] = gone[i].Object
	}
	done := gone
	if err = how(ctx, names...); err != nil {
		var partial *objects.PartialError
		if !errors.As(err, &partial) {
			return gone, err
		}
		stays := func(t models.Token) bool { return slices.Contains(partial.Objects, t.Object) }
		done = slices.DeleteFunc(slices.Clone(gone), stays)
		left = slices.DeleteFunc(slices.Clone(gone), func(t models.Token) bool { return !stays(t) })
	}
	purged := make([]ids.Digest, len(done))
	for i := range done {
		purged[i] = done[i].ID
	}
	if _, failed := v.opts.Rows.Write(ctx, models.Batch{Now: now, Purge: purged}); failed != nil {
		return gone, errors.Join(err, failed)
	}
	return left, err
}

// sweepPatience is how long a sweep goes on though the store deletes nothing of a batch: other rows wait behind it.
const sweepPatience = 10 * time.Second

// Sweep removes tokens and grants that have expired, in bounded batches, until nothing is due or ctx ends. A store that does not answer
// holds up the tokens whose objects it has, and nothing else.
func (v *Vault) Sweep(ctx context.Context) error {
	return errors.Join(v.sweepTokens(ctx), v.opts.Rows.Settle(ctx),
		models.Sweep(ctx, v.opts.Now, v.opts.Rows.SweepGrants, func(n int) { v.opts.Observer.Swept("grants", n) }))
}

// sweepTokens goes on past tokens whose objects the store does not delete, so that those behind them are seen to as well.
// DueTokens puts what it returns behind all others that are due, so that where the time ends, the next sweep begins with
// those that this one did not reach. It returns the first error.
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
		gone := slices.DeleteFunc(slices.Clone(due), func(t models.Token) bool { return stuck[t.ID] })
		left, err := v.purge(ctx, gone)
		v.opts.Observer.Swept("tokens", len(gone)-len(left))
		if first == nil {
			first = err
		}
		for i := range left {
			stuck[left[i].ID] = true
		}
		at, _ := v.now()
		switch {
		case len(due) < models.SweepBatch, len(gone) == 0: // the others of the batch have been tried
			return first
		case len(left) == len(gone) && (!isPartial(err) || at.Sub(began) >= sweepPatience):
			return first
		}
	}
}

// isPartial reports whether the store named the objects that it failed for: on another error it failed as a whole.
func isPartial(err error) bool {
	var partial *objects.PartialError
	return errors.As(err, &partial)
}
