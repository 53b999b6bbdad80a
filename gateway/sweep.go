package gateway

import (
	"context"
	"log/slog"
	"time"
)

// sweeper returns a function that sweeps at once and at every interval, also after failures, until its context ends. The
// package that owns the rows decides which are due. Each sweep has its own sweeper, so that none waits for another.
func (g *Gateway) sweeper(what string, sweep func(context.Context) error) func(context.Context) {
	return func(ctx context.Context) {
		tick := time.NewTicker(g.cfg.Tokens.SweepInterval)
		defer tick.Stop()
		for {
			if err := sweep(ctx); err != nil && ctx.Err() == nil {
				g.log.ErrorContext(ctx, "sweeping failed; it will be tried again", slog.String("what", what), slog.Any("error", err))
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}
}
