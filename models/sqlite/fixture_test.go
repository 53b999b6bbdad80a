package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/models"
	"github.com/cloakroomhq/cloakroom/models/modelstest"
)

const noon = modelstest.Noon

// The suite's helpers that make rows.
var (
	digest, digests, hash                      = modelstest.Digest, modelstest.Digests, modelstest.Hash
	row, expiring, grant, grantsOn, manyTokens = modelstest.Row, modelstest.Expiring, modelstest.Grant, modelstest.GrantsOn, modelstest.ManyTokens
	ended                                      = modelstest.Ended
)

// database is a DB with the suite's methods for batches.
type database struct {
	*DB
	modelstest.Writer
}

func openSQLite(t testing.TB) *database {
	t.Helper()
	return openFile(t, filepath.Join(t.TempDir(), "rows.db"))
}

func openFile(t testing.TB, path string) *database {
	t.Helper()
	return openWith(t, Options{Path: path})
}

func openWith(t testing.TB, o Options) *database {
	t.Helper()
	db, err := Open(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return &database{db, modelstest.Writer{Rows: db}}
}

// TestRows: this engine passes the contract suite.
func TestRows(t *testing.T) {
	modelstest.Run(t, func(t *testing.T) *modelstest.Database {
		// With a reserve, as the gateway opens it.
		db := openWith(t, Options{Path: filepath.Join(t.TempDir(), "rows.db"), Reserve: 1 << 20})
		conn, err := db.connect(sqliteDSN(db.path), 1)
		require.NoError(t, err)
		return &modelstest.Database{Writer: db.Writer, SQL: conn}
	})
}

func insert(t *testing.T, db *database, tokens []models.Token, grants ...models.Grant) {
	t.Helper()
	modelstest.Insert(t, db.DB, tokens, grants...)
}

func readable(t *testing.T, db *database, tenant, session string, now int64, names ...string) []string {
	t.Helper()
	return modelstest.Readable(t, db.DB, tenant, session, now, names...)
}

func held(t *testing.T, db *database, tenant, session, token string) (read, store int64, exists bool) {
	t.Helper()
	return modelstest.Held(t, db.DB, tenant, session, token)
}

func endedSince(t *testing.T, db *database, since, now int64) []models.Ended {
	t.Helper()
	return modelstest.EndedSince(t, db.DB, since, now)
}

func requireHeld(t *testing.T, db *database, session string, read, store int64, names ...string) {
	t.Helper()
	modelstest.RequireHeld(t, db.DB, session, read, store, names...)
}

func exists(t *testing.T, db *database, name string) bool {
	t.Helper()
	return count(t, db, fmt.Sprintf("tokens WHERE id = x'%x'", digest(name))) == 1
}

func second[T any](_ T, err error) error { return err }

func count(t *testing.T, db *database, table string) (n int) {
	t.Helper()
	require.NoError(t, db.read.Raw("SELECT count(*) FROM "+table).Scan(&n).Error)
	return n
}

// statements records the SQL that reaches GORM's pools, except BEGIN, COMMIT and ROLLBACK.
type statements struct {
	mu   sync.Mutex
	list []string
}

// recording is a pool that records the statements that it runs.
type recording struct {
	gorm.ConnPool
	s *statements
}

func (r *recording) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r.s.note(query)
	return r.ConnPool.ExecContext(ctx, query, args...)
}

func (r *recording) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	r.s.note(query)
	return r.ConnPool.QueryContext(ctx, query, args...)
}

func record(_ *testing.T, db *database) *statements {
	s := &statements{}
	for _, g := range []*gorm.DB{db.read, db.write} {
		pool := &recording{g.ConnPool, s}
		g.ConnPool, g.Statement.ConnPool = pool, pool
	}
	return s
}

func (s *statements) note(query string) {
	if query == "BEGIN IMMEDIATE" || query == "COMMIT" || query == "ROLLBACK" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, query)
}

func (s *statements) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.list
	s.list = nil
	return list
}

// everyConnection runs f on each connection of a pool, all held at once so that none is seen twice.
func everyConnection(t *testing.T, pool *sql.DB, f func(c *sql.Conn)) {
	t.Helper()
	for range pool.Stats().MaxOpenConnections {
		c, err := pool.Conn(context.Background())
		require.NoError(t, err)
		defer c.Close()
		f(c)
	}
}
