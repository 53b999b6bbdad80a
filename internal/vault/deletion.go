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
	if err := checkList(len(tokens), v.Limits.GrantBatch, ParamTokens); err != nil {
		return 0, err
	}
	_, now := v.now()
	done, err := v.Rows.Write(ctx, models.Batch{Now: now, Destroy: &models.Destruction{Tenant: c.Tenant, Tokens: ids.IDs(tokens)}})
	v.revoked.tell(c.Tenant, nil, tokens) // after an error too: it may have been committed
	if err != nil {
		return 0, unavailable(err)
	}
	gone := done.Destroyed
	if _, err := v.purge(ctx, gone); err != nil {
		v.Logger.ErrorContext(ctx, "objects of deleted tokens remain; the sweeper will try again",
			slog.Int("objects", len(gone)), slog.Any("error", err))
	}
	return len(gone), nil
}

// purge deletes the objects of destroyed tokens, and notes that in their rows. While an upload that was signed for one may
// still arrive, a tombstone takes its place, so that the store refuses it; the row stays for as long, and the next purge
// removes both. It returns how many are left with its error: a client that holds up its own object, as it can in some
// stores, holds up no other.
func (v *Vault) purge(ctx context.Context, gone []models.Token) (left int, err error) {
	_, now := v.now()
	var open, closed []models.Token
	for i := range gone {
		if gone[i].UploadUntil > now {
			open = append(open, gone[i])
		} else {
			closed = append(closed, gone[i])
		}
	}
	a, err := v.erase(ctx, open, v.Objects.Tombstone, now)
	b, more := v.erase(ctx, closed, v.Objects.Delete, now)
	return a + b, errors.Join(err, more)
}

// erase lets the store see to the objects, and purges the rows of those that it has seen to.
func (v *Vault) erase(ctx context.Context, gone []models.Token, how func(context.Context, ...string) error, now int64) (left int, err error) {
	if len(gone) == 0 {
		return 0, nil
	}
	names := make([]string, len(gone))
	for i := range gone {
		names[i] = gone[i].Object
	}
	done := gone
	if err = how(ctx, names...); err != nil {
		var partial *objects.PartialError
		if !errors.As(err, &partial) {
			return len(gone), err
		}
		done = slices.DeleteFunc(slices.Clone(gone), func(t models.Token) bool { return slices.Contains(partial.Objects, t.Object) })
	}
	purged := make([]ids.Digest, len(done))
	for i := range done {
		purged[i] = done[i].ID
	}
	if _, failed := v.Rows.Write(ctx, models.Batch{Now: now, Purge: purged}); failed != nil {
		return len(gone), errors.Join(err, failed)
	}
	return len(gone) - len(done), err
}

// sweepBatch bounds one transaction of the sweeper, so that requests don't wait long behind it.
const sweepBatch = 500

// Sweep removes what has expired, in bounded batches, until nothing is due or ctx ends. A store that does not answer
// holds up the tokens whose objects it has, and nothing else.
func (v *Vault) Sweep(ctx context.Context) error {
	return errors.Join(v.sweepTokens(ctx), v.Rows.Settle(ctx), v.sweepRows(ctx, "grants", v.Rows.SweepGrants),
		v.sweepRows(ctx, "ended", v.Rows.SweepEnded), v.sweepRows(ctx, "sign_in_states", v.Rows.SweepStates))
}

func (v *Vault) sweepTokens(ctx context.Context) error {
	for {
		_, now := v.now()
		gone, err := v.Rows.DueTokens(ctx, now, sweepBatch)
		if err != nil {
			return err
		}
		left, err := v.purge(ctx, gone)
		v.Observer.Swept("tokens", len(gone)-left)
		if len(gone) < sweepBatch || left == len(gone) { // those that are left would come again
			return err
		}
	}
}

func (v *Vault) sweepRows(ctx context.Context, table string, sweep func(ctx context.Context, now int64, limit int) (int, error)) error {
	for {
		_, now := v.now()
		n, err := sweep(ctx, now, sweepBatch)
		if err != nil {
			return err
		}
		v.Observer.Swept(table, n)
		if n < sweepBatch {
			return nil
		}
	}
}

// RunSweeper sweeps at every interval until ctx ends.
func (v *Vault) RunSweeper(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := v.Sweep(ctx); err != nil && ctx.Err() == nil {
			v.Logger.ErrorContext(ctx, "sweeping failed; it will be tried again", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
