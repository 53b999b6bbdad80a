// Package sqlite is the engine that keeps rows in one SQLite file: one writer with group commit, and readers that can't
// write. Grants on many tokens are stored as lists (docs/adr/0013). On a full disk a reserve lets revocations, deletions
// and ends of sessions succeed (docs/adr/0022).
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

// Options are the settings of a database.
type Options struct {
	Path    string // the SQLite file; Open creates it and its folder if absent
	Readers int    // connections for reads; 0: two per processor, at least four
	Reserve int64  // bytes of the disk kept for revocations and deletions; 0: none
}

// DB is the gateway's database, safe for concurrent use.
type DB struct {
	path  string
	file  os.FileInfo // the file at path when it was opened
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
	for err = db.start(ctx, o); isFull(err) && db.reserve.shrinkStartFile(o.Path); {
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
	// SQLite has one writer: it has one connection, and the readers can't write by mistake.
	// Each of a thousand grants changes another page of an index. With SQLite's defaults, 2 MB of cache and a
	// checkpoint after 4 MB of log, such a commit would spill pages half-way and run a checkpoint every time.
	db.write, err = db.connect(sqliteDSN(o.Path, "cache_size(-16384)", fmt.Sprintf("wal_autocheckpoint(%d)", db.reserve.checkpoint())), 1)
	if err != nil {
		return err
	}
	if err = migrate(ctx, db.pools[0]); err != nil {
		_ = db.closePools()
		return err
	}
	// A reader's cache has room for the inner pages of the trees. More would save little, because each commit empties it, and a page
	// takes twice its size: the driver's allocator rounds it up with its header (bench/README.md).
	if db.read, err = db.connect(sqliteDSN(o.Path, "query_only(ON)", "cache_size(-2048)"), o.Readers); err != nil {
		_ = db.closePools()
	}
	return err
}

// Full reports whether new rows are refused because the disk has no room beside the reserve.
func (db *DB) Full() bool { return db.reserve != nil && db.reserve.incomplete.Load() }

// KeepReserve makes the reserve whole. It returns models.ErrFull if the disk has no room for it; new rows are then refused
// until it has.
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
			db.reserve.incomplete.Store(db.reserve.incomplete.Load() || errors.Is(err, models.ErrFull))
			return err
		}
	}
	return nil
}

// createPrivate creates the file, readable by its owner only. SQLite would create it with wider permissions.
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
		pool = sql.OpenDB(persistentLog{dsn, pool.Driver()})
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

// query runs one of the hot reads, in SQLite's dialect, through GORM's pool of prepared statements. GORM does
// not build its text again. SQLite answers from the file in microseconds, so no goroutine watches for a
// cancelled request.
func (db *DB) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return db.read.ConnPool.QueryContext(context.WithoutCancel(ctx), text, args...)
}

// errMoved means that a restart would not find the open file.
var errMoved = errors.New("sqlite: the database's file has been moved or replaced")

// Ready reports whether the database answers, from the file that its path names. A process goes on reading
// and writing a file that was moved away, and the next process does not find what it wrote.
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
	db.queue.destroyed.Store(true) // the log file stays for the reserve, and must not keep copies of destroyed keys
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

// Abort closes the connections without waiting. It may be called while Close waits; Close then returns soon. A transaction
// under way is rolled back at its next statement, and requests that wait behind it fail.
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
