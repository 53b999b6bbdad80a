package sqlite

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/models"
)

// TestStoredDataStays: a database that the code of commit c41d292 has made (testdata) opens, and says what it said. It
// holds the tokens a, b (of the tenant bank), old (expired at noon), destroyed, and t0 to t99 with grants as lists.
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
