package modelstest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// Run checks that an engine keeps the contract of models.Rows. Each test opens a new, empty database; the tests run in
// parallel.
func Run(t *testing.T, open func(t *testing.T) *Database) {
	for name, test := range map[string]func(*testing.T, *Database){
		"Read": testRead, "Tenants": testTenants, "Sessions": testSessions, "Lists": testLists,
		"Extend": testExtend, "Kinds": testKinds, "SameGrantTwice": testSameGrantTwice, "GrantOnUnknownToken": testGrantOnUnknownToken,
		"Revoke": testRevoke, "RevokeOtherTenant": testRevokeTenants, "Destroy": testDestroy, "DestroyOtherTenant": testDestroyTenants,
		"ManyExtend": testListExtend, "ManyRevoke": testListRevoke, "ManyTenants": testListTenants, "ManyDestroy": testListDestroy,
		"Race": testListRace, "Move": testMove, "GrantsAgainstReference": testGrantsAgainstReference,
		"MasterKeys": testMasterKeys, "Purge": testPurge, "Due": testDue, "SweepGrants": testSweepGrants, "Setting": testSetting, "SettingRace": testSettingRace,
		"ConsumeState": testConsumeState, "ConsumeStateRace": testConsumeStateRace, "SweepStates": testSweepStates,
		"EndSession": testEndSession, "EndedSince": testEndedSince, "EndedStays": testEndedStays, "EndedPages": testEndedPages,
		"EndSessionIsWhole": testEndSessionIsWhole, "SweepEnded": testSweepEnded,
		"BatchIsWhole": testBatchIsWhole, "BatchOrder": testBatchOrder, "EmptyBatches": testEmptyBatches, "Events": testEvents,
		"Upload": testUpload, "UploadOnce": testUploadOnce, "UploadEnds": testUploadEnds, "UploadGoesOn": testUploadGoesOn, "UploadMoves": testUploadMoves,
		"UploadBounds": testUploadBounds, "DueUploads": testDueUploads,
		"Groups": testGroups, "Cancel": testCancel, "Close": testClose,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func testRead(t *testing.T, db *Database) {
	ctx := context.Background()
	require.NoError(t, db.Ready(ctx))
	ends := noon + 5000
	Insert(t, db, []models.Token{Row("a", "clinic"), Expiring("b", "clinic", ends)}, Grant("s", "a", noon+100, 0), Grant("s", "b", noon+9000, 0))
	rows, err := db.ReadableTokens(ctx, "clinic", Hash("s"), Digests("a", "b"), noon)
	require.NoError(t, err)
	want := []models.Token{
		{ID: Digest("a"), Object: "v/a", Sealed: []byte("sealed a"), CreatedAt: noon},
		{ID: Digest("b"), Object: "v/b", Sealed: []byte("sealed b"), CreatedAt: noon, ExpiresAt: &ends},
	}
	require.ElementsMatch(t, want, rows)
	rows, err = db.Tokens(ctx, "clinic", Digests("a", "b"), noon)
	require.NoError(t, err)
	require.ElementsMatch(t, want, rows)
	// Ends are exclusive: at the moment itself a grant, or a token, has expired.
	require.ElementsMatch(t, []string{"a", "b"}, Readable(t, db, "clinic", "s", noon+99, "a", "b"))
	require.Equal(t, []string{"b"}, Readable(t, db, "clinic", "s", noon+100, "a", "b"))
	require.Equal(t, []string{"b"}, Readable(t, db, "clinic", "s", ends-1, "a", "b"))
	require.Empty(t, Readable(t, db, "clinic", "s", ends, "a", "b"))
	rows, err = db.Tokens(ctx, "clinic", Digests("a", "b"), ends)
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, ObjectsOf(rows))
}

func testTenants(t *testing.T, db *Database) {
	ctx := context.Background()
	// Both grants have the same session hash on purpose: the tenant alone must separate them.
	Insert(t, db, []models.Token{Row("a", "clinic"), Row("b", "bank")}, Grant("s", "a", noon+100, noon+100), Grant("s", "b", noon+100, noon+100))
	for tenant, token := range map[string]string{"clinic": "a", "bank": "b"} {
		require.Equal(t, []string{token}, Readable(t, db, tenant, "s", noon, "a", "b"))
		rows, err := db.Tokens(ctx, tenant, Digests("a", "b"), noon)
		require.NoError(t, err)
		require.Equal(t, []string{token}, ObjectsOf(rows))
		grants, err := db.TokenGrants(ctx, tenant, Hash("s"), Digests("a", "b"), noon)
		require.NoError(t, err)
		require.Len(t, grants, 1)
		require.Equal(t, Digest(token), grants[0].TokenID)
	}
	require.Empty(t, Readable(t, db, "", "s", noon, "a", "b"))
	require.Empty(t, Readable(t, db, "CLINIC", "s", noon, "a", "b"))
}

func testSessions(t *testing.T, db *Database) {
	Insert(t, db, []models.Token{Row("a", "clinic"), Row("b", "clinic")}, Grant("s1", "a", noon+100, 0), Grant("s2", "b", noon+100, 0))
	require.Equal(t, []string{"a"}, Readable(t, db, "clinic", "s1", noon, "a", "b"))
	require.Equal(t, []string{"b"}, Readable(t, db, "clinic", "s2", noon, "a", "b"))
	require.Empty(t, Readable(t, db, "clinic", "s3", noon, "a", "b"))
	read, store, exists := Held(t, db, "clinic", "s2", "a")
	require.True(t, exists, "the token is there, the grants are not")
	require.Zero(t, read+store)
	_, _, exists = Held(t, db, "clinic", "s1", "unknown")
	require.False(t, exists)
}

// testLists: lists of any length, with repeated and unknown names, and empty lists.
func testLists(t *testing.T, db *Database) {
	ctx := context.Background()
	for _, n := range []int{1, 2, 3, 7, 255, 256, 257, 1000} {
		names := make([]string, n)
		tokens, grants := make([]models.Token, n), make([]models.Grant, n)
		for i := range names {
			names[i] = fmt.Sprintf("list-%d-%d", n, i)
			tokens[i], grants[i] = Row(names[i], "clinic"), Grant("s", names[i], noon+100, noon+100)
		}
		Insert(t, db, tokens, grants...)
		asked := append([]string{"unknown", names[0]}, names...)
		require.ElementsMatch(t, names, Readable(t, db, "clinic", "s", noon, asked...))
		found, err := db.TokenGrants(ctx, "clinic", Hash("s"), Digests(asked...), noon)
		require.NoError(t, err)
		require.Len(t, found, n)
		gone, err := db.DestroyTokens(ctx, "clinic", Digests(asked...), noon)
		require.NoError(t, err)
		require.ElementsMatch(t, names, ObjectsOf(gone))
		require.NoError(t, db.PurgeTokens(ctx, gone, noon+2000))
		require.Zero(t, count(t, db, "tokens"))
		require.Zero(t, count(t, db, "grants"))
	}
	for _, none := range [][]ids.Digest{nil, {}} {
		rows, err := db.ReadableTokens(ctx, "clinic", Hash("s"), none, noon)
		require.NoError(t, err)
		require.Empty(t, rows)
		rows, err = db.Tokens(ctx, "clinic", none, noon)
		require.NoError(t, err)
		require.Empty(t, rows)
		grants, err := db.TokenGrants(ctx, "clinic", Hash("s"), none, noon)
		require.NoError(t, err)
		require.Empty(t, grants)
		gone, err := db.DestroyTokens(ctx, "clinic", none, noon)
		require.NoError(t, err)
		require.Empty(t, gone)
	}
	require.NoError(t, db.InsertTokens(ctx, nil, nil))
	require.NoError(t, db.SaveGrants(ctx, nil))
	require.NoError(t, db.PurgeTokens(ctx, nil, noon))
}

func testSetting(t *testing.T, db *Database) {
	ctx := context.Background()
	for range 2 {
		v, err := db.Setting(ctx, "mark", []byte("first"))
		require.NoError(t, err)
		require.Equal(t, []byte("first"), v)
		_, err = db.Setting(ctx, "mark", []byte("second"))
		require.NoError(t, err)
	}
	v, err := db.Setting(ctx, "other", []byte{0, 1})
	require.NoError(t, err)
	require.Equal(t, []byte{0, 1}, v)
}

// testSettingRace: concurrent calls, each with another value, all get the same one, which stays.
func testSettingRace(t *testing.T, db *Database) {
	require.Equal(t, SettingRace(t, "raced", db.Rows), SettingRace(t, "raced", db.Rows))
}

// SettingRace has some callers of each engine set one name concurrently, and returns the value that all of them get.
func SettingRace(t *testing.T, name string, engines ...models.Rows) string {
	const callers = 8
	begin, kept := make(chan struct{}), make(chan string, callers*len(engines))
	var all sync.WaitGroup
	for i, db := range engines {
		for j := range callers {
			all.Go(func() {
				<-begin
				v, err := db.Setting(context.Background(), name, fmt.Appendf(nil, "%d of %d", j, i))
				assert.NoError(t, err)
				kept <- string(v)
			})
		}
	}
	close(begin)
	all.Wait()
	close(kept)
	value := <-kept
	for v := range kept {
		require.Equal(t, value, v)
	}
	return value
}
