package models

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSQLite(t *testing.T) { testRows(t, openSQLite) }

// testRows is the contract of the rows; every engine runs it.
func testRows(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, *DB){
		"Read": testRead, "Tenants": testTenants, "Sessions": testSessions, "Lists": testLists,
		"Extend": testExtend, "Kinds": testKinds, "OneStatementUpsertsARowOnce": testSameGrantTwice, "GrantsOfNothing": testGrantsOfNothing,
		"Revoke": testRevoke, "RevokeIsTheTenants": testRevokeTenants, "Destroy": testDestroy, "DestroyIsTheTenants": testDestroyTenants,
		"ListThreshold": testListThreshold, "ListExtend": testListExtend, "ListRevoke": testListRevoke, "ListTenants": testListTenants,
		"ListDestroy": testListDestroy, "ListSweep": testListSweep, "TooManyLists": testTooManyLists, "ListStatements": testListStatements,
		"ListsMadeMeanwhile": testListsMadeMeanwhile, "ListRace": testListRace, "Move": testMove, "GrantsAgainstReference": testGrantsAgainstReference,
		"Purge": testPurge, "Due": testDue, "SweepGrants": testSweepGrants, "Setting": testSetting,
		"ConsumeState": testConsumeState, "ConsumeStateRace": testConsumeStateRace, "SweepStates": testSweepStates,
		"GroupCommit": testGroupCommit, "BadRowFailsAlone": testBadRow, "Order": testOrder, "Panic": testPanic,
		"Close": testClose, "Cancel": testCancel, "Statements": testStatements, "Plans": testPlans,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func testRead(t *testing.T, db *DB) {
	ctx := context.Background()
	require.NoError(t, db.Ready(ctx))
	ends := noon + 5000
	insert(t, db, []Token{row("a", "clinic"), expiring("b", "clinic", ends)}, grant("s", "a", noon+100, 0), grant("s", "b", noon+9000, 0))
	rows, err := db.ReadableTokens(ctx, "clinic", digest("s"), digests("a", "b"), noon)
	require.NoError(t, err)
	want := []Token{
		{ID: digest("a"), Object: "v/a", Sealed: []byte("sealed a"), CreatedAt: noon},
		{ID: digest("b"), Object: "v/b", Sealed: []byte("sealed b"), CreatedAt: noon, ExpiresAt: &ends},
	}
	require.ElementsMatch(t, want, rows)
	rows, err = db.Tokens(ctx, "clinic", digests("a", "b"), noon)
	require.NoError(t, err)
	require.ElementsMatch(t, want, rows)
	// Ends are exclusive: at the moment itself a grant, or a token, is over.
	require.ElementsMatch(t, []string{"a", "b"}, readable(t, db, "clinic", "s", noon+99, "a", "b"))
	require.Equal(t, []string{"b"}, readable(t, db, "clinic", "s", noon+100, "a", "b"))
	require.Equal(t, []string{"b"}, readable(t, db, "clinic", "s", ends-1, "a", "b"))
	require.Empty(t, readable(t, db, "clinic", "s", ends, "a", "b"))
	rows, err = db.Tokens(ctx, "clinic", digests("a", "b"), ends)
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, objectsOf(rows))
}

func testTenants(t *testing.T, db *DB) {
	ctx := context.Background()
	// The same session's digest on purpose: the tenant alone must keep them apart.
	insert(t, db, []Token{row("a", "clinic"), row("b", "bank")}, grant("s", "a", noon+100, noon+100), grant("s", "b", noon+100, noon+100))
	for tenant, own := range map[string]string{"clinic": "a", "bank": "b"} {
		require.Equal(t, []string{own}, readable(t, db, tenant, "s", noon, "a", "b"))
		rows, err := db.Tokens(ctx, tenant, digests("a", "b"), noon)
		require.NoError(t, err)
		require.Equal(t, []string{own}, objectsOf(rows))
		grants, err := db.TokenGrants(ctx, tenant, digest("s"), digests("a", "b"), noon)
		require.NoError(t, err)
		require.Len(t, grants, 1)
		require.Equal(t, digest(own), grants[0].TokenID)
	}
	require.Empty(t, readable(t, db, "", "s", noon, "a", "b"))
	require.Empty(t, readable(t, db, "CLINIC", "s", noon, "a", "b"))
}

func testSessions(t *testing.T, db *DB) {
	insert(t, db, []Token{row("a", "clinic"), row("b", "clinic")}, grant("s1", "a", noon+100, 0), grant("s2", "b", noon+100, 0))
	require.Equal(t, []string{"a"}, readable(t, db, "clinic", "s1", noon, "a", "b"))
	require.Equal(t, []string{"b"}, readable(t, db, "clinic", "s2", noon, "a", "b"))
	require.Empty(t, readable(t, db, "clinic", "s3", noon, "a", "b"))
	read, store, exists := held(t, db, "clinic", "s2", "a")
	require.True(t, exists, "the token is there, the grants are not")
	require.Zero(t, read+store)
	_, _, exists = held(t, db, "clinic", "s1", "unknown")
	require.False(t, exists)
}

// testLists: any length, repeated and unknown names, and none at all.
func testLists(t *testing.T, db *DB) {
	ctx := context.Background()
	for _, n := range []int{1, 2, 3, 7, 255, 256, 257, 1000} {
		names := make([]string, n)
		tokens, grants := make([]Token, n), make([]Grant, n)
		for i := range names {
			names[i] = fmt.Sprintf("list-%d-%d", n, i)
			tokens[i], grants[i] = row(names[i], "clinic"), grant("s", names[i], noon+100, noon+100)
		}
		insert(t, db, tokens, grants...)
		asked := append([]string{"unknown", names[0]}, names...)
		require.ElementsMatch(t, names, readable(t, db, "clinic", "s", noon, asked...))
		found, err := db.TokenGrants(ctx, "clinic", digest("s"), digests(asked...), noon)
		require.NoError(t, err)
		require.Len(t, found, n)
		gone, err := db.DestroyTokens(ctx, "clinic", digests(asked...), noon)
		require.NoError(t, err)
		require.ElementsMatch(t, names, objectsOf(gone))
		require.NoError(t, db.PurgeTokens(ctx, gone, noon+2000))
		require.Zero(t, count(t, db, "tokens"))
		require.Zero(t, count(t, db, "grants"))
	}
	for _, none := range [][]Digest{nil, {}} {
		rows, err := db.ReadableTokens(ctx, "clinic", digest("s"), none, noon)
		require.NoError(t, err)
		require.Empty(t, rows)
		rows, err = db.Tokens(ctx, "clinic", none, noon)
		require.NoError(t, err)
		require.Empty(t, rows)
		grants, err := db.TokenGrants(ctx, "clinic", digest("s"), none, noon)
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

func testSetting(t *testing.T, db *DB) {
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
