package gateway

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/telemetry"
)

// closable returns a gateway that has opened its database and nothing else.
func closable(t *testing.T) (*Gateway, database) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Database.Path = filepath.Join(t.TempDir(), "rows.db")
	g := &Gateway{cfg: cfg, log: slog.New(slog.DiscardHandler), stop: func() {}, closed: make(chan struct{}), stopping: make(chan struct{}), telemetry: telemetry.NewMetrics("")}
	rows, err := g.openDatabase(t.Context())
	require.NoError(t, err)
	return g, rows
}

func TestClose(t *testing.T) {
	t.Run("it finishes, and a second call returns the same", func(t *testing.T) {
		g, rows := closable(t)
		broken := errors.New("broken")
		g.closers = append(g.closers, func(context.Context) error { return broken })
		require.ErrorIs(t, g.Close(t.Context()), broken)
		require.ErrorIs(t, g.Close(t.Context()), broken)
		require.Error(t, rows.Ready(t.Context()))
	})
	t.Run("it does not wait for background work beyond its context", func(t *testing.T) {
		g, rows := closable(t)
		stuck := make(chan struct{})
		defer close(stuck)
		ctx, cancel := context.WithCancel(t.Context())
		g.work(ctx, func(ctx context.Context) {
			<-ctx.Done()
			<-stuck
		})
		cancel()
		err := g.Close(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "the background work")
		require.Error(t, rows.Ready(t.Context()), "the database is closed")
	})
	t.Run("it aborts work that does not finish", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		aborted, broken := make(chan struct{}), errors.New("broken")
		err := finish(ctx, "it", func() error { cancel(); <-aborted; return nil }, func() error { close(aborted); return broken })
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, broken)
	})
	t.Run("a second call waits until its own context ends", func(t *testing.T) {
		g, _ := closable(t)
		begun, end, first := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		g.closers = append(g.closers, func(context.Context) error { close(begun); <-end; return nil })
		go func() { first <- g.Close(context.Background()) }()
		<-begun
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, g.Close(ended), context.Canceled)
		close(end)
		require.NoError(t, g.Close(t.Context()))
		require.NoError(t, <-first)
	})
	t.Run("a gateway that does not start is closed, though its context has ended", func(t *testing.T) {
		g, rows := closable(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, g.closeWithin(ctx))
		require.Error(t, rows.Ready(t.Context()))
	})
}
