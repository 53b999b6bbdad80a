package gateway

import (
	"context"
	"log/slog"
	"time"
)

// sweeper returns what sweeps at once and at every interval, through failures, until its context ends. The room whose
// rows they are says what is due. Each sweep has a sweeper of its own, so that none waits for another.
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
