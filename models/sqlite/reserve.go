package sqlite

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"gorm.io/gorm"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/cloakroomhq/cloakroom/models"
)

// Sizes of SQLite's files: https://www.sqlite.org/walformat.html.
const (
	pageSize    = 8192
	frameSize   = pageSize + 24
	indexRegion = 32 << 10 // bytes of the log's index, for indexFrames frames
	indexFrames = 4096
	checkpoint  = 4000 // frames of the log, after which it is written back
	minLog      = 1 << 20
	minStart    = 2 * indexRegion
	maxStart    = 4 << 20

	chunkPages = 16 // pages of a row of the table reserve
	chunkSize  = chunkPages * pageSize
	maxChunks  = 64
)

// The most bytes that a row of each kind adds to the database, indexes included.
const (
	tokenGrowth  = 2048
	grantGrowth  = 1024
	listedGrowth = 64
	uploadGrowth = 4096
	// completedGrowth is for an envelope that moves to its token: the longest has less.
	completedGrowth = 4 * pageSize
	leastGrowth     = 8 * pageSize // of a request
)

// reserve is room on the disk that only the database can use, and only to end something. With it, revocations and
// deletions succeed on a full disk, whoever filled it. Rows are added only while it is whole, so that they never use it
// up (docs/adr/0022). It has three parts.
//
// In the log: blocks allocated to the write-ahead log, whatever its length. Once the log is written back, SQLite writes it
// from its start again. Writing it back needs room for new pages in the database: these are allocated before a transaction
// may add them.
//
// In the database: rows of zeros. Removing such a row frees its pages.
//
// In a separate file: at a start SQLite creates the log's index, which needs 32 KiB. Shortening the file frees them.
type reserve struct {
	log        int64 // bytes of the write-ahead log
	index      int64 // bytes of the log's index
	start      int64 // bytes of the file that a start may use
	chunks     int   // rows of the table reserve
	files      [4]*os.File
	incomplete atomic.Bool // the reserve was not whole at the last check: new rows are refused
}

// newReserve divides a number of bytes into the parts of a reserve. For 0 it returns nil: no reserve.
func newReserve(bytes int64) *reserve {
	if bytes == 0 {
		return nil
	}
	r := &reserve{chunks: int(max(4, min(bytes/8, maxChunks*chunkSize)/chunkSize))}
	r.log = max(bytes-int64(r.chunks)*chunkSize, minLog)
	r.start = min(bytes/8, maxStart)
	r.index = (r.log/frameSize/indexFrames + 2) * indexRegion
	return r
}

// checkpoint returns the number of frames after which the log is written back. A third of the reserve's frames is then left.
func (r *reserve) checkpoint() int64 {
	if r == nil {
		return checkpoint
	}
	return max(16, min(checkpoint, r.log/frameSize/3*2))
}

// open opens the files after SQLite has created them. They stay open as long as the database: closing a file releases all
// locks of the process on it (POSIX), and these are SQLite's.
func (r *reserve) open(path string) error {
	for i, suffix := range []string{"", "-wal", "-shm", startSuffix} {
		var err error
		if r.files[i], err = os.OpenFile(path+suffix, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
			return fmt.Errorf("sqlite: opening the reserve: %w", err)
		}
	}
	return nil
}

func (r *reserve) close() {
	for _, f := range r.files {
		if f != nil {
			_ = f.Close()
		}
	}
}

// startSuffix is the suffix of the file that is shortened for a start.
const startSuffix = "-reserve"

// shrinkStartFile frees half of the file that a start may use, and reports whether it did.
func (r *reserve) shrinkStartFile(path string) bool {
	if r == nil {
		return false
	}
	info, err := os.Stat(path + startSuffix)
	return err == nil && info.Size()/2 >= minStart && os.Truncate(path+startSuffix, info.Size()/2) == nil
}

// fill allocates the missing blocks, for a database of size bytes. It returns models.ErrFull if the disk has no room.
func (r *reserve) fill(size int64) error {
	for i, want := range []int64{size, r.log, r.index, r.start} {
		switch err := allocate(r.files[i], want); {
		case errors.Is(err, errors.ErrUnsupported): // the file system can't allocate: docs/operations.md
		case err != nil:
			r.incomplete.Store(true)
			return fmt.Errorf("%w: %w", models.ErrFull, err)
		}
	}
	if err := r.files[3].Truncate(r.start); err != nil { // only a file with a length can be shortened
		return fmt.Errorf("sqlite: the reserve: %w", err)
	}
	r.incomplete.Store(false)
	return nil
}

// ensure makes the reserve whole, with room for growth bytes beside it. It runs on the writer's goroutine. It returns
// models.ErrFull if the disk has no room.
func (r *reserve) ensure(w *gorm.DB, growth int64) error {
	if r == nil {
		return nil
	}
	pages, err := queryNumber(w, "PRAGMA page_count")
	if err != nil {
		return err
	}
	return r.fill(pages*pageSize + max(growth, leastGrowth))
}

// release frees pages for a transaction that ends something, if the disk may have none.
func (r *reserve) release(tx *gorm.DB) error {
	if r.hasSpareRoom() {
		return nil
	}
	free, err := queryNumber(tx, "PRAGMA freelist_count")
	if err != nil || free >= 2*chunkPages {
		return err
	}
	return execute(tx, `DELETE FROM reserve WHERE id IN (SELECT id FROM reserve ORDER BY id DESC LIMIT 2)`)
}

// refill adds a row of zeros, and reports whether more are missing. If the disk has little room, it adds none and returns
// models.ErrFull.
func (r *reserve) refill(tx *gorm.DB) (more bool, err error) {
	have, err := queryNumber(tx, "SELECT COUNT(*) FROM reserve")
	if err != nil || have >= int64(r.chunks) {
		return false, err
	}
	if !r.hasSpareRoom() {
		return false, models.ErrFull
	}
	return true, execute(tx, `INSERT INTO reserve (room) VALUES (zeroblob(?))`, chunkSize-pageSize/2)
}

// queryNumber runs a statement that returns one number.
func queryNumber(tx *gorm.DB, text string) (n int64, err error) {
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, text)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	if rows.Next() {
		err = rows.Scan(&n)
	}
	return n, errors.Join(err, rows.Err())
}

// hasSpareRoom reports whether the disk has so much room that the reserve could be released and allocated again.
func (r *reserve) hasSpareRoom() bool {
	return r == nil || freeBytes(r.files[1]) > 2*(r.log+int64(r.chunks)*chunkSize)
}

// growth returns the most bytes that a request adds to the database.
func (r *request) growth() int64 {
	n := int64(len(r.batch.Tokens))*tokenGrowth + int64(len(r.grants)+len(r.batch.Used))*grantGrowth
	for i := range r.batch.Tokens {
		n += 2 * int64(len(r.batch.Tokens[i].Sealed)) // a page may hold one row alone
	}
	if b := r.batch.Begin; b != nil {
		n += uploadGrowth + 2*int64(len(b.Sealed))
	}
	if r.batch.Started != nil {
		n += uploadGrowth
	}
	if r.batch.Complete != nil {
		n += grantGrowth + completedGrowth
	}
	for i := range r.lists {
		n += int64(r.lists[i].tokens.len()) * listedGrowth
	}
	return n
}

// isFull reports whether SQLite had no room to write. A quota that is used up, and a log's index that can't grow, are I/O
// errors.
func isFull(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP:
		return true
	}
	return false
}
