package sqlite

import (
	"compress/gzip"
	"context"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/models"
)

// TestStoredDataStays: a database made by the code of commit c41d292 (testdata) opens, with the same content. It has the
// tokens a, b (of the tenant bank), old (expired at noon), destroyed, and t0 to t99 with grants as lists.
func TestStoredDataStays(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	packed, err := os.Open(filepath.Join("testdata", "c41d292.db.gz"))
	require.NoError(t, err)
	defer packed.Close()
	from, err := gzip.NewReader(packed)
	require.NoError(t, err)
	b, err := io.ReadAll(from)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "rows.db")
	require.NoError(t, os.WriteFile(path, b, 0o600))

	found, err := Inspect(ctx, path)
	require.NoError(t, err)
	require.LessOrEqual(t, found.Have, found.Want)
	require.Equal(t, []byte("mark"), found.KeysetMark)

	db := openFile(t, path)
	require.Equal(t, []string{"a"}, readable(t, db, "clinic", "s", noon, "a", "b", "old", "destroyed"))
	require.Equal(t, []string{"b"}, readable(t, db, "bank", "s2", noon, "a", "b"))
	read, store, _ := held(t, db, "clinic", "s", "a")
	require.Equal(t, [2]int64{noon + 100, noon + 200}, [2]int64{read, store})
	_, names := manyTokens("t", 100)
	requireHeld(t, db, "listed", noon+100, 0, names...)
	require.Equal(t, []models.Ended{{ID: hash("over"), IssuedBefore: noon, EndedAt: noon, ExpiresAt: noon + 1000}}, endedSince(t, db, 0, noon))
	mark, err := db.Setting(ctx, "keyset-check", []byte("another"))
	require.NoError(t, err)
	require.Equal(t, []byte("mark"), mark)
	first, err := db.ConsumeState(ctx, digest("state"), noon)
	require.NoError(t, err)
	require.False(t, first)
	due, err := db.DueTokens(ctx, noon, 10)
	require.NoError(t, err)
	require.Len(t, due, 2, "old and destroyed")
	swept, err := db.SweepGrants(ctx, noon, 10)
	require.NoError(t, err)
	require.Equal(t, 1, swept)
	session := hash("listed")
	revoked, err := db.RevokeGrants(ctx, "clinic", models.Revocation{Session: &session}, noon)
	require.NoError(t, err)
	require.Equal(t, 100, revoked)
}

// TestMasterKeysOfStoredRows: the migration that adds master_key fills it in from the envelopes.
func TestMasterKeysOfStoredRows(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "rows.db")
	old := openFile(t, path)
	files, err := fs.Sub(migrations, "migrations")
	require.NoError(t, err)
	p, err := goose.NewProvider(goose.DialectSQLite3, old.pools[0], files, goose.WithDisableGlobalRegistry(true))
	require.NoError(t, err)
	_, err = p.DownTo(ctx, 5)
	require.NoError(t, err)
	stored := map[string]struct {
		sealed []byte
		want   int64
	}{
		"one":       {[]byte{1, 1, 0, 0, 0, 1, 0xab}, 1},
		"large":     {[]byte{1, 1, 0xfe, 0xdc, 0xba, 0x98, 0}, 0xfedcba98},
		"largest":   {[]byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0}, math.MaxUint32},
		"destroyed": {nil, 0},
		"short":     {[]byte{1, 1, 0, 0}, 0},
		"other":     {[]byte("sealed by another"), 0},
	}
	for name, c := range stored {
		_, err := old.pools[0].Exec("INSERT INTO tokens (id, tenant, object, sealed, created_at, upload_until) VALUES (?, 'clinic', ?, ?, 0, 0)", digest(name), name, c.sealed)
		require.NoError(t, err)
	}
	require.NoError(t, old.Close())

	db := openFile(t, path)
	for name, c := range stored {
		t.Run(name, func(t *testing.T) {
			var got int64
			require.NoError(t, db.pools[0].QueryRow("SELECT master_key FROM tokens WHERE id = ?", digest(name)).Scan(&got))
			require.Equal(t, c.want, got)
		})
	}
}
