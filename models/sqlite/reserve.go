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

	chunkPages = 16 // of a row of the table reserve
	chunkSize  = chunkPages * pageSize
	maxChunks  = 64
)

// What a row of each kind adds to the database at most, in bytes, its part of the indexes included.
const (
	tokenGrowth  = 2048
	grantGrowth  = 1024
	listedGrowth = 64
	leastGrowth  = 8 * pageSize // of a request
)

// reserve is room on the disk that only the database can use, and only to end something. With it, revocations and
// deletions succeed on a full disk, whoever filled it. Rows are added only while it is whole, so that they never use it
// up: docs/adr/0022. It has three parts.
//
// The log's: blocks allocated to the write-ahead log, whatever its length. The log begins at its start again once it is
// written back, which needs room for new pages in the database: they are allocated before a transaction may add them.
//
// The database's: rows of zeros, whose pages are free once such a row is removed.
//
// A start needs 32 KiB for the log's index, which SQLite makes anew: a file of its own gives them up.
type reserve struct {
	log    int64 // bytes of the write-ahead log
	index  int64 // bytes of the log's index
	start  int64 // bytes of the file that a start may use
	chunks int   // rows of the table reserve
	files  [4]*os.File
	short  atomic.Bool // not whole when last looked at: no rows are added
}

// newReserve parts a number of bytes; 0: nil, no reserve.
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

// checkpoint returns after how many frames the log is written back: while a third of the reserve's are left.
func (r *reserve) checkpoint() int64 {
	if r == nil {
		return checkpoint
	}
	return max(16, min(checkpoint, r.log/frameSize/3*2))
}

// open opens the files, once SQLite has made them. They stay open as long as the database: closing a file ends the
// locks of the whole process on it (POSIX), which are SQLite's.
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

// startSuffix names the file that is given up for a start.
const startSuffix = "-reserve"

// give frees half of what a start may use, and reports whether that could help.
func (r *reserve) give(path string) bool {
	if r == nil {
		return false
	}
	info, err := os.Stat(path + startSuffix)
	return err == nil && info.Size()/2 >= minStart && os.Truncate(path+startSuffix, info.Size()/2) == nil
}

// fill allocates what is missing, for a database of so many bytes. It returns models.ErrFull where that can't be.
func (r *reserve) fill(size int64) error {
	for i, want := range []int64{size, r.log, r.index, r.start} {
		switch err := allocate(r.files[i], want); {
		case errors.Is(err, errors.ErrUnsupported): // the file system can't; docs/operations.md
		case err != nil:
			r.short.Store(true)
			return fmt.Errorf("%w: %w", models.ErrFull, err)
		}
	}
	if err := r.files[3].Truncate(r.start); err != nil { // a length, so that it can be cut
		return fmt.Errorf("sqlite: the reserve: %w", err)
	}
	r.short.Store(false)
	return nil
}

// ensure makes the reserve whole, and room for growth bytes beside it, in the writer's turn. It returns models.ErrFull where
// that can't be.
func (r *reserve) ensure(w *gorm.DB, growth int64) error {
	if r == nil {
		return nil
	}
	pages, err := number(w, "PRAGMA page_count")
	if err != nil {
		return err
	}
	return r.fill(pages*pageSize + max(growth, leastGrowth))
}

// release frees pages for a transaction that ends something, where the disk may have none.
func (r *reserve) release(tx *gorm.DB) error {
	if r.spare() {
		return nil
	}
	free, err := number(tx, "PRAGMA freelist_count")
	if err != nil || free >= 2*chunkPages {
		return err
	}
	return execute(tx, `DELETE FROM reserve WHERE id IN (SELECT id FROM reserve ORDER BY id DESC LIMIT 2)`)
}

// refill adds a row of zeros, and reports whether more are missing. It adds none where the disk has little room.
func (r *reserve) refill(tx *gorm.DB) (more bool, err error) {
	have, err := number(tx, "SELECT COUNT(*) FROM reserve")
	if err != nil || have >= int64(r.chunks) {
		return false, err
	}
	if !r.spare() {
		return false, models.ErrFull
	}
	return true, execute(tx, `INSERT INTO reserve (room) VALUES (zeroblob(?))`, chunkSize-pageSize/2)
}

// number runs a statement that answers with one.
func number(tx *gorm.DB, text string) (n int64, err error) {
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

// spare reports whether the reserve could be given up and got back, whoever else asks for room.
func (r *reserve) spare() bool {
	return r == nil || room(r.files[1]) > 2*(r.log+int64(r.chunks)*chunkSize)
}

// growth bounds what a request adds to the database.
func (r *request) growth() int64 {
	n := int64(len(r.batch.Tokens))*tokenGrowth + int64(len(r.grants)+len(r.batch.Used))*grantGrowth
	for i := range r.batch.Tokens {
		n += 2 * int64(len(r.batch.Tokens[i].Sealed)) // a page may hold one row alone
	}
	for i := range r.lists {
		n += int64(r.lists[i].tokens.len()) * listedGrowth
	}
	return n
}

// isFull reports whether SQLite could not write. Quotas and the log's index fail as I/O errors.
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
