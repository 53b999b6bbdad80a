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

// admission decides whether new values are accepted: if the disks have room, and the store has passed its test.
type admission struct {
	*space.Monitor
	rows   reserved
	store  objects.Store
	log    *slog.Logger
	proved atomic.Bool
	failed atomic.Pointer[error] // why the store failed its test
	tell   func(what string, refusing bool)
}

// openAdmission makes the monitor of the disks of the database and of the embedded store.
func (g *Gateway) openAdmission(rows reserved) error {
	disks := []space.Disk{{Name: "database", Dir: filepath.Dir(g.cfg.Database.Path)}}
	if g.cfg.Objects.Store == "embedded" {
		disks = append(disks, space.Disk{Name: "objects", Dir: g.cfg.Objects.Embedded.Dir, Values: true})
	}
	m, err := space.New(space.Options{Disks: disks, MinFree: g.cfg.Space.MinFree, Observer: g.telemetry, Logger: g.log})
	g.admission = &admission{Monitor: m, rows: rows, log: g.log, tell: g.telemetry.SpaceRefusing}
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
func (a *admission) Admit(ctx context.Context, bytes int64) error {
	if !a.proved.Load() && !objects.IsCanary(ctx) {
		f := fault.Wrap(errUnproved, fault.Unavailable, "The gateway takes no new values at the moment: try again later.")
		f.RetryAfter = space.RetryAfter
		return f
	}
	return a.Monitor.Admit(max(bytes, 0))
}

// shortage reports whether an error is a lack of room, which may pass.
func shortage(err error) bool {
	return errors.Is(err, space.ErrShort) || errors.Is(err, objects.ErrNoSpace)
}

// prove runs the store's canary, if there is room for it.
func (a *admission) prove(ctx context.Context) error {
	if err := a.Monitor.Admit(0); err != nil {
		return err
	}
	err := a.store.Verify(ctx)
	a.proved.Store(err == nil)
	return err
}

// ready is the part "space" of /readyz.
func (a *admission) ready(ctx context.Context) error {
	if err := a.Admit(ctx, 0); err != nil {
		return err
	}
	if a.rows.Full() {
		return errRowsFull
	}
	return nil
}

// storeReady is the part "objects" of /readyz. A store that failed its later test is not ready.
func (a *admission) storeReady(ctx context.Context) error {
	if failed := a.failed.Load(); failed != nil {
		return *failed
	}
	return a.store.Ready(ctx)
}

// run keeps the reserve whole, tests the store if that was put off, and updates the metrics, until ctx ends.
func (a *admission) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	full := false
	for {
		_ = a.Look(ctx) // logged by the monitor
		if err := a.rows.KeepReserve(ctx); err != nil && !a.rows.Full() && ctx.Err() == nil {
			a.log.ErrorContext(ctx, "the database's reserve could not be kept", slog.Any("error", err))
		}
		if !a.proved.Load() {
			a.proveAgain(ctx)
		}
		if now := a.rows.Full(); now != full {
			full = now
			a.log.WarnContext(ctx, "room for rows (grants, sign-ins) beside the reserve has changed", slog.Bool("refused", full))
		}
		a.tell("values", a.Admit(ctx, 0) != nil)
		a.tell("rows", full)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (a *admission) proveAgain(ctx context.Context) {
	err := a.prove(ctx)
	before := a.failed.Load()
	switch {
	case err == nil:
		a.failed.Store(nil)
		a.log.InfoContext(ctx, "the object store has passed its test: tokenize and uploads are accepted")
	case shortage(err) || ctx.Err() != nil:
	default:
		if before == nil || (*before).Error() != err.Error() {
			a.log.ErrorContext(ctx, "the object store has failed its test: tokenize and uploads are refused", slog.Any("error", err))
		}
		a.failed.Store(&err)
	}
}
