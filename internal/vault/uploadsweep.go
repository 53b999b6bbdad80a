package vault

import (
	"context"
	"log/slog"
	"slices"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/models"
)

// maxDiscarded bounds the uploads that one request removes from the store; the sweeper removes the others.
const maxDiscarded = 100

// discardNow removes ended uploads from the store, as far as it answers; what remains, the sweeper removes.
func (v *Vault) discardNow(ctx context.Context, ended []models.Upload) {
	if len(ended) > maxDiscarded {
		ended = ended[:maxDiscarded]
	}
	if _, err := v.discard(ctx, ended); err != nil {
		v.opts.Logger.ErrorContext(ctx, "parts of ended uploads remain; the sweeper will try again", slog.Int("uploads", len(ended)), slog.Any("error", err))
	}
}

// discard removes uploads that are over from the store, and the rows of those that it removed. It continues after a failure, until the
// store has failed for sweepPatience without any success. It returns the uploads that stay, and the first error.
func (v *Vault) discard(ctx context.Context, over []models.Upload) (left []models.Upload, first error) {
	began, _ := v.now()
	var removed []ids.Digest
	for i := range over {
		err := v.opts.Objects.AbortMultipart(ctx, objects.Multipart{Object: over[i].Object, ID: over[i].StoreID})
		if err == nil {
			removed = append(removed, over[i].TokenID)
			continue
		}
		left = append(left, over[i])
		if first == nil {
			first = err
		}
		if at, _ := v.now(); ctx.Err() != nil || len(removed) == 0 && at.Sub(began) >= sweepPatience {
			left = append(left, over[i+1:]...)
			break
		}
	}
	if len(removed) == 0 {
		return left, first
	}
	_, now := v.now()
	if _, err := v.opts.Rows.Write(context.WithoutCancel(ctx), models.Batch{Now: now, Forget: removed}); err != nil {
		return over, err
	}
	return left, first
}

// SweepUploads removes what the store has of uploads that expired or were ended, and then their rows, in bounded batches, until
// nothing is due or ctx ends. Their tokens are Sweep's. A store that does not answer delays only this.
func (v *Vault) SweepUploads(ctx context.Context) error {
	stuck := make(map[ids.Digest]bool)
	var first error
	for {
		_, now := v.now()
		due, err := v.opts.Rows.DueUploads(ctx, now, models.SweepBatch)
		if err != nil {
			return err
		}
		untried := slices.DeleteFunc(slices.Clone(due), func(u models.Upload) bool { return stuck[u.TokenID] })
		left, err := v.discard(ctx, untried)
		v.opts.Observer.Swept("uploads", len(untried)-len(left))
		if first == nil {
			first = err
		}
		for i := range left {
			stuck[left[i].TokenID] = true
		}
		if len(due) < models.SweepBatch || len(untried) == 0 || len(left) == len(untried) {
			return first
		}
	}
}
