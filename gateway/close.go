package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// closeTimeout bounds closing if no caller's context does. With the default of http.shutdown_timeout it adds up to the
// 30 seconds after which Kubernetes kills a container.
const closeTimeout = 10 * time.Second

// Close stops the background work, finishes accepted writes and closes everything. Stop serving first.
//
// If ctx ends before that is done, Close stops waiting: it closes the rest, and returns ctx's error joined with the errors
// of closing (errors.Is finds it). Writes that were accepted and not committed then fail, as in a crash. A second call
// waits for the first, and returns the first call's error, or its own ctx's error if that ends earlier.
func (g *Gateway) Close(ctx context.Context) error {
	if !g.closing.CompareAndSwap(false, true) {
		select {
		case <-g.closed:
			return g.closeErr
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer close(g.closed)
	g.stop()
	g.EndStreams()
	wait := func() error { g.running.Wait(); return nil }
	g.closeErr = finish(ctx, "the background work", wait, nil)
	for i := len(g.closers) - 1; i >= 0; i-- {
		g.closeErr = errors.Join(g.closeErr, g.closers[i](ctx))
	}
	return g.closeErr
}

// closeWithin closes the gateway within closeTimeout, whether or not ctx has ended.
func (g *Gateway) closeWithin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return g.Close(ctx)
}

// finish waits for done. If ctx ends first, it runs abort (nil: nothing), which makes done return soon. The error names
// the unfinished work.
func finish(ctx context.Context, what string, done, abort func() error) error {
	result := make(chan error, 1)
	go func() { result <- done() }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	err := fmt.Errorf("gateway: closing: %s was not finished: %w", what, ctx.Err())
	if abort != nil {
		err = errors.Join(err, abort())
	}
	return err
}
