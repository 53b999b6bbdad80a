package gateway

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/space"
)

// lookEvery is the interval of the disks' checks: a full disk is reported, and stopped work begins again, within it.
const lookEvery = time.Second

// room decides whether new values are accepted: if the disks have room, and the store has passed its test.
type room struct {
	*space.Monitor
	rows   reserved
	store  objects.Store
	log    *slog.Logger
	proved atomic.Bool
	failed atomic.Pointer[error] // why the store failed its test
	tell   func(what string, refusing bool)
}

// openRoom makes the monitor of the disks of the database and of the embedded store.
func (g *Gateway) openRoom(rows reserved) error {
	disks := []space.Disk{{Name: "database", Dir: filepath.Dir(g.cfg.Database.Path)}}
	if g.cfg.Objects.Store == "embedded" {
		disks = append(disks, space.Disk{Name: "objects", Dir: g.cfg.Objects.Embedded.Dir, Values: true})
	}
	m, err := space.New(space.Options{Disks: disks, MinFree: g.cfg.Space.MinFree, Observer: g.telemetry, Logger: g.log})
	g.room = &room{Monitor: m, rows: rows, log: g.log, tell: g.telemetry.SpaceRefusing}
	return err
}

// reserved is a database that keeps room on its disk for revocations and deletions.
type reserved interface {
	// Full reports whether new rows are refused because the disk has no room beside the reserve.
	Full() bool
	// KeepReserve makes the reserve whole. If it fails for lack of room, Full is true afterwards.
	KeepReserve(ctx context.Context) error
}

var errRowsFull = errors.New("gateway: the disk is full: new rows are refused")

var errUnproved = errors.New("gateway: the object store has not been tested yet")

// Admit implements vault.Space; the embedded store calls it too. The test of the store itself is admitted if there is room.
func (r *room) Admit(ctx context.Context, bytes int64) error {
	if !r.proved.Load() && !objects.IsCanary(ctx) {
		f := fault.Wrap(errUnproved, fault.Unavailable, "The gateway takes no new values at the moment: try again later.")
		f.RetryAfter = space.RetryAfter
		return f
	}
	return r.Monitor.Admit(max(bytes, 0))
}

// shortage reports whether an error is a lack of room, which may pass.
func shortage(err error) bool {
	return errors.Is(err, space.ErrShort) || errors.Is(err, objects.ErrNoSpace)
}

// prove runs the store's canary, if there is room for it.
func (r *room) prove(ctx context.Context) error {
	if err := r.Monitor.Admit(0); err != nil {
		return err
	}
	err := r.store.Verify(ctx)
	r.proved.Store(err == nil)
	return err
}

// ready is the part "space" of /readyz.
func (r *room) ready(ctx context.Context) error {
	if err := r.Admit(ctx, 0); err != nil {
		return err
	}
	if r.rows.Full() {
		return errRowsFull
	}
	return nil
}

// storeReady is the part "objects" of /readyz. A store that failed its later test is not ready.
func (r *room) storeReady(ctx context.Context) error {
	if failed := r.failed.Load(); failed != nil {
		return *failed
	}
	return r.store.Ready(ctx)
}

// run keeps the reserve whole, tests the store if that was put off, and updates the metrics, until ctx ends.
func (r *room) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	full := false
	for {
		_ = r.Look(ctx) // logged by the monitor
		if err := r.rows.KeepReserve(ctx); err != nil && !r.rows.Full() && ctx.Err() == nil {
			r.log.ErrorContext(ctx, "the database's reserve could not be kept", slog.Any("error", err))
		}
		if !r.proved.Load() {
			r.proveAgain(ctx)
		}
		if now := r.rows.Full(); now != full {
			full = now
			r.log.WarnContext(ctx, "room for rows (grants, sign-ins) beside the reserve has changed", slog.Bool("refused", full))
		}
		r.tell("values", r.Admit(ctx, 0) != nil)
		r.tell("rows", full)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *room) proveAgain(ctx context.Context) {
	err := r.prove(ctx)
	before := r.failed.Load()
	switch {
	case err == nil:
		r.failed.Store(nil)
		r.log.InfoContext(ctx, "the object store has passed its test: tokenize and uploads are accepted")
	case shortage(err) || ctx.Err() != nil:
	default:
		if before == nil || (*before).Error() != err.Error() {
			r.log.ErrorContext(ctx, "the object store has failed its test: tokenize and uploads are refused", slog.Any("error", err))
		}
		r.failed.Store(&err)
	}
}
