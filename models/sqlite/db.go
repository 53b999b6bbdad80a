// Package sqlite is the engine that keeps rows in one SQLite file: one writer with group commit, and readers that can't
// write. Grants on many tokens are lists (docs/adr/0013); on a full disk a reserve lets what ends something succeed
// (docs/adr/0022).
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/cloakroomhq/cloakroom/models"
)

// Options say where the database is.
type Options struct {
	Path    string // the SQLite file; made, with its folder, where absent
	Readers int    // connections for reads; 0: two per processor, at least four
	Reserve int64  // bytes of the disk kept for revocations and deletions; 0: none
}

// DB is the gateway's database, safe for concurrent use.
type DB struct {
	path  string
	file  os.FileInfo // what path named when it was opened
	read  *gorm.DB
	write *gorm.DB
	pools []*sql.DB
	queue *committer

	reserve *reserve // nil: none
}

var _ models.Rows = (*DB)(nil)

// Open opens the database, and makes or migrates its tables.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Readers == 0 {
		o.Readers = max(4, 2*runtime.GOMAXPROCS(0))
	}
	if err := createPrivate(o.Path); err != nil {
		return nil, fmt.Errorf("sqlite: opening the database: %w", err)
	}
	db := &DB{path: o.Path, reserve: newReserve(o.Reserve)}
	var err error
	if db.file, err = os.Stat(o.Path); err != nil {
		return nil, fmt.Errorf("sqlite: opening the database: %w", err)
	}
	for err = db.start(ctx, o); isFull(err) && db.reserve.give(o.Path); {
		err = db.start(ctx, o)
	}
	if err != nil {
		return nil, err
	}
	if db.reserve != nil {
		if err = db.reserve.open(o.Path); err != nil {
			_ = db.closePools()
			db.reserve.close()
			return nil, err
		}
	}
	db.queue = newCommitter(db.write, db.reserve)
	return db, nil
}

// start connects, and makes or migrates the tables.
func (db *DB) start(ctx context.Context, o Options) (err error) {
	db.pools = nil
	// SQLite has one writer: one connection for it, and readers that can't write by mistake.
	// A thousand grants change a page each, of an index: at SQLite's defaults, 2 MB of cache and a checkpoint
	// after 4 MB of log, such a commit spills pages half-way and pays for a checkpoint every time.
	db.write, err = db.connect(sqliteDSN(o.Path, "cache_size(-16384)", fmt.Sprintf("wal_autocheckpoint(%d)", db.reserve.checkpoint())), 1)
	if err != nil {
		return err
	}
	if err = migrate(ctx, db.pools[0]); err != nil {
		_ = db.closePools()
		return err
	}
	if db.read, err = db.connect(sqliteDSN(o.Path, "query_only(ON)", "cache_size(-8192)"), o.Readers); err != nil {
		_ = db.closePools()
	}
	return err
}

// Full reports whether rows are not added, because the disk has no room beside the reserve.
func (db *DB) Full() bool { return db.reserve != nil && db.reserve.short.Load() }

// KeepReserve makes the reserve whole where it is not. models.ErrFull means that the disk has no room for it, and that rows
// are not added until it has.
func (db *DB) KeepReserve(ctx context.Context) error {
	if db.reserve == nil {
		return nil
	}
	for more := true; more; {
		err := db.queue.grow(ctx, func(tx *gorm.DB) (err error) {
			more, err = db.reserve.refill(tx)
			return err
		})
		if err != nil {
			db.reserve.short.Store(db.reserve.short.Load() || errors.Is(err, models.ErrFull))
			return err
		}
	}
	return nil
}

// createPrivate makes the file, readable by its owner only, before SQLite would make it wider.
func createPrivate(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func (db *DB) connect(dsn string, conns int) (*gorm.DB, error) {
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("sqlite: opening the database: %w", err)
	}
	if db.reserve != nil {
		pool = sql.OpenDB(persistent{dsn, pool.Driver()})
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	db.pools = append(db.pools, pool)
	g, err := gorm.Open(sqliteDialect{pool}, &gorm.Config{
		Logger:                 logger.Discard, // its lines hold values of rows
		SkipDefaultTransaction: true,
		PrepareStmt:            true,
		PrepareStmtMaxSize:     256,
		PrepareStmtTTL:         24 * time.Hour,
		DisableAutomaticPing:   true,
	})
	if err != nil {
		_ = db.closePools()
		return nil, fmt.Errorf("sqlite: opening the database: %w", err)
	}
	return g, nil
}

// query runs one of the hot reads through GORM's pool of prepared statements, without building the
// statement's text anew each time: it is in the engine's dialect already. SQLite answers from the file in
// microseconds, so a cancelled request is not worth the goroutine that would watch for it.
func (db *DB) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return db.read.ConnPool.QueryContext(context.WithoutCancel(ctx), text, args...)
}

// errMoved means that the open file is not what a restart would find.
var errMoved = errors.New("sqlite: the database's file has been moved or replaced")

// Ready reports whether the database answers, from the file that its path names: a process keeps
// reading and writing a file that was moved away, and all that it writes is lost to the next one.
func (db *DB) Ready(ctx context.Context) error {
	file, err := os.Stat(db.path)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	if !os.SameFile(file, db.file) {
		return errMoved
	}
	var rows int64
	return db.read.WithContext(ctx).Model(&models.Setting{}).Count(&rows).Error
}

// Close finishes the writes that were accepted, then closes the database. The reserve stays, for the next start.
func (db *DB) Close() error {
	if db.reserve == nil {
		db.queue.close()
		return db.closePools()
	}
	db.queue.destroyed.Store(true) // SQLite keeps the log for the reserve's sake, and may not keep what it holds
	if err := db.Settle(context.Background()); errors.Is(err, models.ErrClosed) {
		return nil
	}
	db.queue.close()
	err := db.closePools()
	if info, statErr := db.reserve.files[0].Stat(); statErr == nil {
		_ = db.reserve.fill(info.Size()) // SQLite has cut the files
	}
	db.reserve.close()
	return err
}

// Abort closes the connections without waiting, also while Close waits, which then returns soon: a transaction that is
// under way is rolled back at its next statement, and what was accepted behind it fails.
func (db *DB) Abort() error { return db.closePools() }

func (db *DB) closePools() error {
	var first error
	for _, p := range db.pools {
		if err := p.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
