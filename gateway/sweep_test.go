package gateway

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSweeper: it sweeps at once and at every interval, also after failures, until its context ends.
func TestSweeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Gateway{cfg: DefaultConfig(), log: slog.New(slog.DiscardHandler)}
		g.cfg.Tokens.SweepInterval = time.Minute
		n := 0
		run := g.sweeper("rows", func(context.Context) error {
			n++
			return errors.New("down")
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); run(ctx) }()
		time.Sleep(150 * time.Second) // of the bubble's clock
		stop()
		<-done
		require.Equal(t, 3, n)
	})
}
