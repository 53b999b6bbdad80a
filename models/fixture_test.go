package models

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
)

const noon = int64(1_777_888_800_000) // the moment of most tests, Unix milliseconds

// opener opens a new, empty database of one engine.
type opener func(t *testing.T) *DB

func openSQLite(t *testing.T) *DB {
	t.Helper()
	return openFile(t, filepath.Join(t.TempDir(), "rows.db"))
}

func openFile(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(context.Background(), Options{Path: path})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func digest(name string) Digest { return sha256.Sum256([]byte(name)) }

func digests(names ...string) []Digest {
	out := make([]Digest, len(names))
	for i, n := range names {
		out[i] = digest(n)
	}
	return out
}

func row(name, tenant string) Token {
	return Token{
		ID: digest(name), Tenant: tenant, Object: "v/" + name, Sealed: []byte("sealed " + name), CreatedAt: noon, UploadUntil: noon + 1000,
	}
}

// expiring is row for a token that ends at the moment.
func expiring(name, tenant string, at int64) Token {
	t := row(name, tenant)
	t.ExpiresAt, t.PurgeAt = &at, &at
	return t
}

func grant(session, token string, read, store int64) Grant {
	return Grant{SessionID: digest(session), TokenID: digest(token), ReadUntil: read, StoreUntil: store, ExpiresAt: max(read, store)}
}

func insert(t *testing.T, db *DB, tokens []Token, grants ...Grant) {
	t.Helper()
	require.NoError(t, db.InsertTokens(context.Background(), tokens, grants))
}

// readable returns the objects that a session may read.
func readable(t *testing.T, db *DB, tenant, session string, now int64, names ...string) []string {
	t.Helper()
	rows, err := db.ReadableTokens(context.Background(), tenant, digest(session), digests(names...), now)
	require.NoError(t, err)
	return objectsOf(rows)
}

func objectsOf(rows []Token) []string {
	out := []string{}
	for _, r := range rows {
		out = append(out, strings.TrimPrefix(r.Object, "v/"))
	}
	return out
}

// held returns a session's grants on a token: until when it may read and store.
func held(t *testing.T, db *DB, tenant, session, token string) (read, store int64, exists bool) {
	t.Helper()
	rows, err := db.TokenGrants(context.Background(), tenant, digest(session), digests(token), noon)
	require.NoError(t, err)
	if len(rows) == 0 {
		return 0, 0, false
	}
	require.Len(t, rows, 1)
	require.Equal(t, digest(token), rows[0].TokenID)
	return rows[0].ReadUntil, rows[0].StoreUntil, true
}

func count(t *testing.T, db *DB, table string) (n int) {
	t.Helper()
	require.NoError(t, db.read.Raw("SELECT count(*) FROM "+table).Scan(&n).Error)
	return n
}

// statements records the SQL that reaches GORM's pools, but for the limits of transactions.
type statements struct {
	mu   sync.Mutex
	list []string
}

// recording is a pool that notes what it runs.
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

func record(_ *testing.T, db *DB) *statements {
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
