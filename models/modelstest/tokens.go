package modelstest

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/models"
)

func sealedOf(t *testing.T, db *Database, name string) (sealed []byte, exists bool) {
	t.Helper()
	rows, err := db.SQL.Raw("SELECT sealed FROM tokens WHERE id = ?", Digest(name)).Rows()
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		exists = true
		require.NoError(t, rows.Scan(&sealed))
	}
	return sealed, exists
}

// masterKeyOf returns a token's column master_key.
func masterKeyOf(t *testing.T, db *Database, name string) (key int64) {
	t.Helper()
	require.NoError(t, db.SQL.Raw("SELECT master_key FROM tokens WHERE id = ?", Digest(name)).Scan(&key).Error)
	return key
}

// testMasterKeys: a row has the id of the master key that it needs, or 0 if its key is destroyed.
func testMasterKeys(t *testing.T, db *Database) {
	first, last, expired := Row("first", "clinic"), Row("last", "bank"), Expiring("expired", "clinic", noon)
	first.MasterKey, last.MasterKey, expired.MasterKey = 1, math.MaxUint32, 7
	Insert(t, db, []models.Token{first, last, expired})
	for name, want := range map[string]int64{"first": 1, "last": math.MaxUint32, "expired": 7} {
		require.Equal(t, want, masterKeyOf(t, db, name), name)
	}
	_, err := db.DestroyTokens(context.Background(), "clinic", Digests("first"), noon)
	require.NoError(t, err)
	_, err = db.DueTokens(context.Background(), noon, 10)
	require.NoError(t, err)
	for name, want := range map[string]int64{"first": 0, "last": math.MaxUint32, "expired": 0} {
		require.Equal(t, want, masterKeyOf(t, db, name), name)
	}
}

// testDestroy: the key and every grant are destroyed at once; the row stays until its object is deleted.
func testDestroy(t *testing.T, db *Database) {
	ctx := context.Background()
	Insert(t, db, []models.Token{Row("a", "clinic"), Row("b", "clinic")}, Grant("s1", "a", noon+100, noon+100), Grant("s2", "a", noon+100, 0), Grant("s1", "b", noon+100, 0))
	gone, err := db.DestroyTokens(ctx, "clinic", Digests("a", "a", "unknown"), noon)
	require.NoError(t, err)
	require.Equal(t, []models.Token{{ID: Digest("a"), Object: "v/a", UploadUntil: noon + 1000}}, gone)
	sealed, exists := sealedOf(t, db, "a")
	require.True(t, exists)
	require.Nil(t, sealed)
	require.Equal(t, 1, count(t, db, "grants"))
	require.Equal(t, []string{"b"}, Readable(t, db, "clinic", "s1", noon, "a", "b"))
	require.NoError(t, db.SaveGrants(ctx, []models.Grant{Grant("s1", "a", noon+900, noon+900)})) // came too late
	require.Empty(t, Readable(t, db, "clinic", "s1", noon, "a"))
	_, _, exists = Held(t, db, "clinic", "s1", "a")
	require.False(t, exists)
	gone, err = db.DestroyTokens(ctx, "clinic", Digests("a"), noon)
	require.NoError(t, err)
	require.Empty(t, gone, "it is destroyed once")
}

func testDestroyTenants(t *testing.T, db *Database) {
	Insert(t, db, []models.Token{Row("a", "clinic")}, Grant("s", "a", noon+100, 0))
	gone, err := db.DestroyTokens(context.Background(), "bank", Digests("a"), noon)
	require.NoError(t, err)
	require.Empty(t, gone)
	require.Equal(t, []string{"a"}, Readable(t, db, "clinic", "s", noon, "a"))
}

// testPurge: a row whose upload may still arrive is kept until it can't, and is then due again.
func testPurge(t *testing.T, db *Database) {
	ctx := context.Background()
	late := Row("late", "clinic")
	late.UploadUntil = noon + 500
	past := Row("past", "clinic")
	past.UploadUntil = noon
	Insert(t, db, []models.Token{late, past, Row("alive", "clinic")})
	gone, err := db.DestroyTokens(ctx, "clinic", Digests("late", "past"), noon)
	require.NoError(t, err)
	require.Len(t, gone, 2)
	alive := Row("alive", "clinic")
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
	require.Equal(t, []string{"late"}, ObjectsOf(due))
	require.NoError(t, db.PurgeTokens(ctx, due, noon+500))
	require.Equal(t, 1, count(t, db, "tokens"))
}

// testDue: expired tokens of all tenants, and destroyed tokens whose objects remain, are due, in batches;
// each is due again until it is purged.
func testDue(t *testing.T, db *Database) {
	ctx := context.Background()
	var tokens []models.Token
	for i := range 12 {
		tokens = append(tokens, Expiring(fmt.Sprint("old", i), []string{"clinic", "bank"}[i%2], noon-int64(i)))
	}
	tokens = append(tokens, Expiring("later", "clinic", noon+1), Row("kept", "clinic"), Row("deleted", "clinic"))
	Insert(t, db, tokens, Grant("s", "old0", noon+100, 0), Grant("s", "later", noon+100, 0))
	_, err := db.DestroyTokens(ctx, "clinic", Digests("deleted"), noon)
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
			require.Nil(t, sealed, "the key is destroyed before the object")
		}
		again, err := db.DueTokens(ctx, noon, 100)
		require.NoError(t, err)
		require.Subset(t, ObjectsOf(again), ObjectsOf(due), "a token is due until its object is deleted")
		require.NoError(t, db.PurgeTokens(ctx, due, noon+1000))
	}
	require.Equal(t, 2, count(t, db, "tokens"))
	require.Equal(t, 1, count(t, db, "grants"))
}
