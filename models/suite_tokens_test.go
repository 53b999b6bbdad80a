package models

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func sealedOf(t *testing.T, db *DB, name string) (sealed []byte, exists bool) {
	t.Helper()
	rows, err := db.read.Raw("SELECT sealed FROM tokens WHERE id = ?", digest(name)).Rows()
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		exists = true
		require.NoError(t, rows.Scan(&sealed))
	}
	return sealed, exists
}

// testDestroy: the key and every grant go at once; the row stays for its object.
func testDestroy(t *testing.T, db *DB) {
	ctx := context.Background()
	insert(t, db, []Token{row("a", "clinic"), row("b", "clinic")}, grant("s1", "a", noon+100, noon+100), grant("s2", "a", noon+100, 0), grant("s1", "b", noon+100, 0))
	gone, err := db.DestroyTokens(ctx, "clinic", digests("a", "a", "unknown"), noon)
	require.NoError(t, err)
	require.Equal(t, []Token{{ID: digest("a"), Object: "v/a", UploadUntil: noon + 1000}}, gone)
	sealed, exists := sealedOf(t, db, "a")
	require.True(t, exists)
	require.Nil(t, sealed)
	require.Equal(t, 1, count(t, db, "grants"))
	require.Equal(t, []string{"b"}, readable(t, db, "clinic", "s1", noon, "a", "b"))
	require.NoError(t, db.SaveGrants(ctx, []Grant{grant("s1", "a", noon+900, noon+900)})) // came too late
	require.Empty(t, readable(t, db, "clinic", "s1", noon, "a"))
	_, _, exists = held(t, db, "clinic", "s1", "a")
	require.False(t, exists)
	gone, err = db.DestroyTokens(ctx, "clinic", digests("a"), noon)
	require.NoError(t, err)
	require.Empty(t, gone, "it is destroyed once")
}

func testDestroyTenants(t *testing.T, db *DB) {
	insert(t, db, []Token{row("a", "clinic")}, grant("s", "a", noon+100, 0))
	gone, err := db.DestroyTokens(context.Background(), "bank", digests("a"), noon)
	require.NoError(t, err)
	require.Empty(t, gone)
	require.Equal(t, []string{"a"}, readable(t, db, "clinic", "s", noon, "a"))
}

// testPurge: a row whose upload may still arrive is kept until then, and comes up again.
func testPurge(t *testing.T, db *DB) {
	ctx := context.Background()
	late := row("late", "clinic")
	late.UploadUntil = noon + 500
	past := row("past", "clinic")
	past.UploadUntil = noon
	insert(t, db, []Token{late, past, row("alive", "clinic")})
	gone, err := db.DestroyTokens(ctx, "clinic", digests("late", "past"), noon)
	require.NoError(t, err)
	require.Len(t, gone, 2)
	alive := row("alive", "clinic")
	require.NoError(t, db.PurgeTokens(ctx, append(gone, alive), noon))
	_, exists := sealedOf(t, db, "past")
	require.False(t, exists)
	_, exists = sealedOf(t, db, "late")
	require.True(t, exists)
	sealed, _ := sealedOf(t, db, "alive")
	require.NotNil(t, sealed, "a token that was not destroyed is not purged")

	due, err := db.DueTokens(ctx, noon+499, 10)
	require.NoError(t, err)
	require.Empty(t, due)
	due, err = db.DueTokens(ctx, noon+500, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"late"}, objectsOf(due))
	require.NoError(t, db.PurgeTokens(ctx, due, noon+500))
	require.Equal(t, 1, count(t, db, "tokens"))
}

// testDue: expired tokens of all tenants, and destroyed ones whose objects remain, in batches; each
// comes up again until it is purged.
func testDue(t *testing.T, db *DB) {
	ctx := context.Background()
	var tokens []Token
	for i := range 12 {
		tokens = append(tokens, expiring(fmt.Sprint("old", i), []string{"clinic", "bank"}[i%2], noon-int64(i)))
	}
	tokens = append(tokens, expiring("later", "clinic", noon+1), row("kept", "clinic"), row("deleted", "clinic"))
	insert(t, db, tokens, grant("s", "old0", noon+100, 0), grant("s", "later", noon+100, 0))
	_, err := db.DestroyTokens(ctx, "clinic", digests("deleted"), noon)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, want := range []int{5, 5, 3, 0} {
		due, err := db.DueTokens(ctx, noon, 5)
		require.NoError(t, err)
		require.Len(t, due, want)
		for _, d := range due {
			require.False(t, seen[d.Object])
			seen[d.Object] = true
			sealed, _ := sealedOf(t, db, d.Object[2:])
			require.Nil(t, sealed, "the key goes before the object")
		}
		again, err := db.DueTokens(ctx, noon, 100)
		require.NoError(t, err)
		require.Subset(t, objectsOf(again), objectsOf(due), "until its object is gone")
		require.NoError(t, db.PurgeTokens(ctx, due, noon+1000))
	}
	require.Equal(t, 2, count(t, db, "tokens"))
	require.Equal(t, 1, count(t, db, "grants"))
}
