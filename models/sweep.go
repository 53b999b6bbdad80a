package models

import (
	"context"
	"time"
)

// SweepBatch bounds one call of a sweep, so that requests don't wait long behind it.
const SweepBatch = 500

// Sweep calls one of Rows' sweeps until no more rows are due or ctx ends. It calls swept with the number of rows that
// each call has removed, and returns the sweep's first error unchanged, which is ctx's if ctx has ended.
func Sweep(ctx context.Context, now func() time.Time, sweep func(ctx context.Context, now int64, limit int) (int, error), swept func(n int)) error {
	for {
		n, err := sweep(ctx, now().UnixMilli(), SweepBatch)
		if err != nil {
			return err
		}
		swept(n)
		if n < SweepBatch {
			return nil
		}
	}
}
