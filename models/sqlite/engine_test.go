package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/models"
	"github.com/cloakroomhq/cloakroom/models/modelstest"
)

// TestPragmas: the settings that durability and secrecy need hold on every connection of both pools.
func TestPragmas(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	require.Len(t, db.pools, 2)
	require.Equal(t, 1, db.pools[0].Stats().MaxOpenConnections, "SQLite has one writer")
	for i, pool := range db.pools {
		everyConnection(t, pool, func(c *sql.Conn) {
			for pragma, want := range map[string]string{
				"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "foreign_keys": "1", "trusted_schema": "0", "temp_store": "2",
				"busy_timeout": "10000", "query_only": fmt.Sprint(i),
			} {
				t.Run(pragma, func(t *testing.T) {
					var got string
					require.NoError(t, c.QueryRowContext(context.Background(), "PRAGMA "+pragma).Scan(&got))
					require.Equal(t, want, got, pragma)
				})
			}
		})
	}
}

func TestReadersCannotWrite(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	insert(t, db, []models.Token{row("a", "clinic")})
	everyConnection(t, db.pools[1], func(c *sql.Conn) {
		for _, query := range []string{"DELETE FROM tokens", "UPDATE tokens SET tenant = 'x'", "DROP TABLE grants", "CREATE TABLE x (y)"} {
			_, err := c.ExecContext(context.Background(), query)
			require.ErrorContains(t, err, "readonly", query)
		}
	})
	require.Equal(t, 1, count(t, db, "tokens"))
}

// TestFilesArePrivate: only the owner can access the database and the files beside it, under any umask and name.
func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "fold er")
	path := filepath.Join(dir, "r%o?w#s&.db")
	db := openFile(t, path)
	insert(t, db, []models.Token{row("a", "clinic")})
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.EqualValues(t, 0o700, info.Mode().Perm())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm(), f.Name())
		require.Contains(t, f.Name(), filepath.Base(path))
	}
	_, err = Open(context.Background(), Options{Path: filepath.Join(path, "below", "a.file")})
	require.Error(t, err)
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	require.NoError(t, os.WriteFile(garbage, bytes.Repeat([]byte("no database "), 1000), 0o600))
	_, err = Open(context.Background(), Options{Path: garbage})
	require.Error(t, err)
}

// TestRowsStayAfterReopening: stored rows are there, and the migration does not run again.
func TestRowsStayAfterReopening(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rows.db")
	db := openFile(t, path)
	insert(t, db, []models.Token{row("a", "clinic")}, grant("s", "a", noon+100, 0))
	require.NoError(t, db.Close())
	db = openFile(t, path)
	require.Equal(t, []string{"a"}, readable(t, db, "clinic", "s", noon, "a"))
}

// TestInsertedRowsAreDurable: when InsertTokens has returned, its rows are in the files, though nothing was closed.
func TestInsertedRowsAreDurable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := openFile(t, filepath.Join(dir, "rows.db"))
	insert(t, db, []models.Token{row("a", "clinic")}, grant("s", "a", noon+100, 0))
	copied := t.TempDir() // as a crash would leave them
	for _, name := range []string{"rows.db", "rows.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(copied, name), b, 0o600))
	}
	after := openFile(t, filepath.Join(copied, "rows.db"))
	require.Equal(t, []string{"a"}, readable(t, after, "clinic", "s", noon, "a"))
}

// TestDestroyedKeysAreGone: a destroyed key is in no file, once Settle has written the log back.
func TestDestroyedKeysAreGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := openFile(t, filepath.Join(dir, "rows.db"))
	secret := row("a", "clinic")
	secret.Sealed = bytes.Repeat([]byte("SEALED-KEY-"), 20)
	insert(t, db, []models.Token{secret, row("b", "clinic")})
	gone, err := db.DestroyTokens(context.Background(), "clinic", digests("a"), noon)
	require.NoError(t, err)
	require.Len(t, gone, 1)
	require.NoError(t, db.Settle(context.Background()))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		require.NotContains(t, string(b), "SEALED-KEY-", f.Name())
	}
}

// TestATransactionLeftOpenIsEnded: a transaction that a failed ROLLBACK leaves open does not block writes, and is not stored.
func TestATransactionLeftOpenIsEnded(t *testing.T) {
	t.Parallel()
	db := openFile(t, filepath.Join(t.TempDir(), "rows.db"))
	_, err := db.pools[0].Exec("BEGIN IMMEDIATE")
	require.NoError(t, err)
	_, err = db.pools[0].Exec("INSERT INTO settings (name, value) VALUES ('left', x'00')")
	require.NoError(t, err)
	insert(t, db, []models.Token{row("a", "clinic")})
	require.Equal(t, 1, count(t, db, "tokens"))
	require.Zero(t, count(t, db, "settings"))
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rows.db")
	db := openFile(t, path)
	_, err := db.pools[0].Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = Open(context.Background(), Options{Path: path})
	require.ErrorContains(t, err, "99999")
	require.ErrorContains(t, err, "newer")
}

// TestTwoOpenDatabasesShareAFile: two open databases share the file, as those of two processes do.
func TestTwoOpenDatabasesShareAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rows.db")
	var all sync.WaitGroup
	dbs := make([]*database, 2)
	for i := range dbs {
		all.Go(func() {
			db, err := Open(context.Background(), Options{Path: path})
			if err != nil {
				t.Error(err)
				return
			}
			dbs[i] = &database{db, modelstest.Writer{Rows: db}}
		})
	}
	all.Wait()
	for i, db := range dbs {
		t.Cleanup(func() { _ = db.Close() })
		all.Go(func() {
			for j := range 50 {
				if err := db.InsertTokens(context.Background(), []models.Token{row(fmt.Sprint(i, "-", j), "clinic")}, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.Equal(t, 100, count(t, dbs[0], "tokens"))
}

// TestCloseWhileWriting: each insert that returned nil is stored, and each other returned models.ErrClosed.
func TestCloseWhileWriting(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rows.db")
	db := openFile(t, path)
	const writers = 50
	stored := make(chan string, 1<<16)
	var all sync.WaitGroup
	enough := make(chan struct{})
	var once sync.Once
	for w := range writers {
		all.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprint(w, "-", i)
				if err := db.InsertTokens(context.Background(), []models.Token{row(name, "clinic")}, nil); err != nil {
					if !errors.Is(err, models.ErrClosed) {
						t.Error(err)
					}
					return
				}
				if stored <- name; len(stored) > 300 {
					once.Do(func() { close(enough) })
				}
			}
		})
	}
	<-enough
	require.NoError(t, db.Close())
	all.Wait()
	close(stored)
	db = openFile(t, path)
	n := 0
	for name := range stored {
		require.True(t, exists(t, db, name), name)
		n++
	}
	require.Equal(t, n, count(t, db, "tokens"))
}

// TestACancelledCaller gets no result of the work that the writer goes on with, and shares no memory with it.
func TestACancelledCaller(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	insert(t, db, []models.Token{row("a", "clinic"), row("b", "clinic")}, grant("s", "a", noon+100, 0), grant("s", "b", noon-100, 0))
	other, err := sql.Open("sqlite", sqliteDSN(db.path))
	require.NoError(t, err)
	defer func() { _ = other.Close() }()
	s := hash("s")
	for name, work := range map[string]func(context.Context) (int, error){
		"RevokeGrants": func(ctx context.Context) (int, error) {
			return db.RevokeGrants(ctx, "clinic", models.Revocation{Session: &s}, noon)
		},
		"SweepGrants": func(ctx context.Context) (int, error) { return db.SweepGrants(ctx, noon, 10) },
	} {
		t.Run(name, func(t *testing.T) {
			insert(t, db, nil, grant("s", "a", noon+100, 0), grant("s", "b", noon-100, 0))
			lock, err := other.Begin()
			require.NoError(t, err)
			// A file tells the goroutine that lets the writer go on to do so: any lock or channel would order the writer's
			// work after ours, and the race detector would find nothing.
			left, log, before := filepath.Join(t.TempDir(), "left"), db.path+"-wal", time.Unix(0, 0)
			require.NoError(t, os.Chtimes(log, before, before))
			go func() {
				for _, err := os.Stat(left); err != nil; _, err = os.Stat(left) {
					time.Sleep(time.Millisecond)
				}
				_ = lock.Rollback()
			}()
			n, err := work(leaving(t))
			require.NoError(t, os.Mkdir(left, 0o700))
			require.Eventually(t, func() bool {
				info, err := os.Stat(log)
				return err == nil && !info.ModTime().Equal(before)
			}, 30*time.Second, time.Millisecond, "the writer does not commit")
			require.ErrorIs(t, err, context.Canceled, name)
			require.Zero(t, n, name)
			require.Eventually(t, func() bool {
				read, _, _ := held(t, db, "clinic", "s", "b")
				return read == 0
			}, 30*time.Second, 5*time.Millisecond, name)
		})
	}
}

// leavingContext ends when the writer, which checks each request's context once, has begun with the request.
type leavingContext struct {
	context.Context
	leave context.CancelFunc
}

func leaving(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	return leavingContext{ctx, cancel}
}

func (c leavingContext) Err() error {
	err := c.Context.Err()
	c.leave()
	return err
}
