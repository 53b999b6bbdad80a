package models

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// manyTokens returns n tokens of the tenant clinic, and their names.
func manyTokens(prefix string, n int) (tokens []Token, names []string) {
	for i := range n {
		names = append(names, fmt.Sprint(prefix, i))
		tokens = append(tokens, row(names[i], "clinic"))
	}
	return tokens, names
}

// grantsOn returns grants that end together.
func grantsOn(session string, read, store int64, names ...string) []Grant {
	grants := make([]Grant, len(names))
	for i, n := range names {
		grants[i] = grant(session, n, read, store)
	}
	return grants
}

// requireHeld checks a session's grants on tokens, asked for at once and one by one.
func requireHeld(t *testing.T, db *DB, session string, read, store int64, names ...string) {
	t.Helper()
	found, err := db.TokenGrants(context.Background(), "clinic", digest(session), digests(names...), noon)
	require.NoError(t, err)
	require.Len(t, found, len(names))
	for _, g := range found {
		require.Equal(t, [2]int64{read, store}, [2]int64{g.ReadUntil, g.StoreUntil})
	}
	for _, n := range []string{names[0], names[len(names)-1]} {
		r, s, exists := held(t, db, "clinic", session, n)
		require.True(t, exists)
		require.Equal(t, [2]int64{read, store}, [2]int64{r, s})
		require.Equal(t, read > noon, len(readable(t, db, "clinic", session, noon, n)) == 1)
	}
	want := 0
	if read > noon {
		want = len(names)
	}
	require.Len(t, readable(t, db, "clinic", session, noon, names...), want)
}

// testListThreshold: many grants that end together are lists, few are rows, and a call may hold both.
func testListThreshold(t *testing.T, db *DB) {
	ctx := context.Background()
	tokens, names := manyTokens("t", minList)
	insert(t, db, tokens)
	require.NoError(t, db.SaveGrants(ctx, grantsOn("few", noon+100, noon+200, names[1:]...)))
	require.Equal(t, minList-1, count(t, db, "grants"))
	require.Zero(t, count(t, db, "grant_lists"))
	requireHeld(t, db, "few", noon+100, noon+200, names[1:]...)

	require.NoError(t, db.SaveGrants(ctx, append(grantsOn("many", noon+100, noon+200, names...), grantsOn("mixed", noon+5, 0, names...)...)))
	require.Equal(t, minList-1, count(t, db, "grants"))
	require.LessOrEqual(t, count(t, db, "grant_lists"), 32)
	requireHeld(t, db, "many", noon+100, noon+200, names...)
	requireHeld(t, db, "mixed", noon+5, 0, names...)

	// A token named twice, and an end of its own.
	require.NoError(t, db.SaveGrants(ctx, append(grantsOn("own", noon+100, 0, append(names, names[3])...), grant("own", names[0], 0, noon+7))))
	requireHeld(t, db, "own", noon+100, 0, names[1:]...)
	read, store, _ := held(t, db, "clinic", "own", names[0])
	require.Equal(t, [2]int64{noon + 100, noon + 7}, [2]int64{read, store})
	require.Equal(t, minList, count(t, db, "grants"))
}

// testListExtend: the latest end is the grant's, of rows and lists; a list that another covers goes.
func testListExtend(t *testing.T, db *DB) {
	ctx := context.Background()
	tokens, names := manyTokens("t", minList+10)
	insert(t, db, tokens)
	save := func(g []Grant) { t.Helper(); require.NoError(t, db.SaveGrants(ctx, g)) }
	save(grantsOn("s", noon+100, 0, names...))
	lists := count(t, db, "grant_lists")
	save(grantsOn("s", noon+50, 0, names...))
	requireHeld(t, db, "s", noon+100, 0, names...)
	save(grantsOn("s", noon+300, 0, names...))
	requireHeld(t, db, "s", noon+300, 0, names...)
	require.Equal(t, lists, count(t, db, "grant_lists"), "the longest covers both others")
	save(grantsOn("s", 0, noon+70, names...))
	requireHeld(t, db, "s", noon+300, noon+70, names...)
	save(grantsOn("s", noon+900, 0, names[:minList]...))
	requireHeld(t, db, "s", noon+900, noon+70, names[:minList]...)
	requireHeld(t, db, "s", noon+300, noon+70, names[minList:]...)
	save([]Grant{grant("s", names[0], noon+10, noon+80), grant("s", names[1], noon+1000, 0)})
	requireHeld(t, db, "s", noon+900, noon+80, names[0])
	requireHeld(t, db, "s", noon+1000, noon+70, names[1])
	require.Empty(t, readable(t, db, "clinic", "s", noon+900, names[2]), "ends are exclusive")
	require.Len(t, readable(t, db, "clinic", "s", noon+900, names...), 1)
}

// testListRevoke: in each form, counting what is in force by a list and a row once.
func testListRevoke(t *testing.T, db *DB) {
	ctx := context.Background()
	tokens, names := manyTokens("t", minList)
	insert(t, db, tokens)
	s1 := digest("s1")
	const n = minList
	for name, test := range map[string]struct {
		filter  GrantFilter
		revoked int
		left    [4]int // READ and STORE in force of s1, of s2
	}{
		"a session":          {GrantFilter{Session: &s1}, 2 * n, [4]int{0, 0, n, n}},
		"a session's READ":   {GrantFilter{Session: &s1, Kinds: Read}, n, [4]int{0, n, n, n}},
		"a session's STORE":  {GrantFilter{Session: &s1, Kinds: Store}, n, [4]int{n, 0, n, n}},
		"a token":            {GrantFilter{Tokens: digests(names[5])}, 4, [4]int{n - 1, n - 1, n - 1, n - 1}},
		"a token's READ":     {GrantFilter{Tokens: digests(names[5]), Kinds: Read}, 2, [4]int{n - 1, n, n - 1, n}},
		"tokens":             {GrantFilter{Tokens: digests(append(names[:3:3], "x", names[0])...)}, 12, [4]int{n - 3, n - 3, n - 3, n - 3}},
		"all tokens":         {GrantFilter{Tokens: digests(names...), Kinds: Read | Store}, 4 * n, [4]int{}},
		"all tokens' STORE":  {GrantFilter{Tokens: digests(names...), Kinds: Store}, 2 * n, [4]int{n, 0, n, 0}},
		"a session's tokens": {GrantFilter{Session: &s1, Tokens: digests(names[0], names[1])}, 4, [4]int{n - 2, n - 2, n, n}},
		"of them the READ":   {GrantFilter{Session: &s1, Tokens: digests(names[0], names[1]), Kinds: Read}, 2, [4]int{n - 2, n, n, n}},
		"unknown tokens":     {GrantFilter{Tokens: digests("x", "y")}, 0, [4]int{n, n, n, n}},
	} {
		require.NoError(t, db.write.Exec("DELETE FROM grants").Error)
		require.NoError(t, db.write.Exec("DELETE FROM grant_lists").Error)
		for _, s := range []string{"s1", "s2"} {
			require.NoError(t, db.SaveGrants(ctx, grantsOn(s, noon+100, noon+100, names...)))
			require.NoError(t, db.SaveGrants(ctx, grantsOn(s, noon+200, 0, names...)))
			require.NoError(t, db.SaveGrants(ctx, grantsOn(s, noon+50, noon-1, names[:7]...))) // rows of what lists hold
		}
		got, err := db.RevokeGrants(ctx, "clinic", test.filter, noon)
		require.NoError(t, err, name)
		require.Equal(t, test.revoked, got, name)
		var left [4]int
		for i, s := range []string{"s1", "s2"} {
			found, err := db.TokenGrants(ctx, "clinic", digest(s), digests(names...), noon)
			require.NoError(t, err)
			for _, g := range found {
				if g.ReadUntil > noon {
					left[2*i]++
				}
				if g.StoreUntil > noon {
					left[2*i+1]++
				}
			}
			require.Len(t, readable(t, db, "clinic", s, noon, names...), left[2*i], name)
		}
		require.Equal(t, test.left, left, name)
		got, err = db.RevokeGrants(ctx, "clinic", test.filter, noon)
		require.NoError(t, err)
		require.Zero(t, got, name+", again")
	}
}

// testListTenants: a list opens nothing of another tenant's, whose revocations don't reach it.
func testListTenants(t *testing.T, db *DB) {
	ctx := context.Background()
	tokens, names := manyTokens("t", minList)
	insert(t, db, tokens)
	s := digest("s")
	require.NoError(t, db.SaveGrants(ctx, grantsOn("s", noon+100, 0, names...)))
	require.Empty(t, readable(t, db, "bank", "s", noon, names...))
	require.Empty(t, readable(t, db, "bank", "s", noon, names[0]))
	for _, f := range []GrantFilter{{Tokens: digests(names...)}, {Tokens: digests(names[0])}, {Session: &s, Tokens: digests(names...)}} {
		n, err := db.RevokeGrants(ctx, "bank", f, noon)
		require.NoError(t, err)
		require.Zero(t, n)
	}
	requireHeld(t, db, "s", noon+100, 0, names...)
}

// testListDestroy: a destroyed token opens nothing and counts for nothing, though a list still has its hash.
func testListDestroy(t *testing.T, db *DB) {
	ctx := context.Background()
	tokens, names := manyTokens("t", minList)
	insert(t, db, tokens)
	require.NoError(t, db.SaveGrants(ctx, grantsOn("s", noon+100, 0, names...)))
	gone, err := db.DestroyTokens(ctx, "clinic", digests(names[0], names[1]), noon)
	require.NoError(t, err)
	require.Empty(t, readable(t, db, "clinic", "s", noon, names[0]))
	_, _, exists := held(t, db, "clinic", "s", names[0])
	require.False(t, exists)
	require.NoError(t, db.PurgeTokens(ctx, gone[:1], noon+2000))
	require.Len(t, readable(t, db, "clinic", "s", noon, names...), minList-2)
	n, err := db.RevokeGrants(ctx, "clinic", GrantFilter{Tokens: digests(names[:3]...)}, noon)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	s := digest("s")
	n, err = db.RevokeGrants(ctx, "clinic", GrantFilter{Session: &s}, noon)
	require.NoError(t, err)
	require.Equal(t, minList-3, n)
	require.Zero(t, count(t, db, "grant_lists"))
}

// testListSweep: lists go as rows do, in batches, when the later of their ends has passed.
func testListSweep(t *testing.T, db *DB) {
	ctx := context.Background()
	_, names := manyTokens("t", 4*minList)
	require.NoError(t, db.SaveGrants(ctx, grantsOn("s", noon, noon-5, names...)))
	require.NoError(t, db.SaveGrants(ctx, grantsOn("s", noon-5, noon+1, names...)))
	require.NoError(t, db.SaveGrants(ctx, grantsOn("s", noon, 0, names[:5]...)))
	require.Equal(t, 32, count(t, db, "grant_lists"))
	for _, want := range []int{10, 10, 1, 0} {
		n, err := db.SweepGrants(ctx, noon, 10)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.Zero(t, count(t, db, "grants"))
	require.Equal(t, 16, count(t, db, "grant_lists"))
}

// testTooManyLists: what a session has more than reading is to be held up by becomes rows.
func testTooManyLists(t *testing.T, db *DB) {
	ctx := context.Background()
	tokens, names := manyTokens("t", minList)
	insert(t, db, tokens)
	for i := range maxLists { // none covers another
		require.NoError(t, db.SaveGrants(ctx, grantsOn("s", noon+100+int64(i), noon+200-int64(i), names...)))
	}
	require.Zero(t, count(t, db, "grants"))
	require.NoError(t, db.SaveGrants(ctx, grantsOn("s", noon+500, noon+1, names...)))
	require.Equal(t, minList, count(t, db, "grants"))
	requireHeld(t, db, "s", noon+500, noon+200, names...)
	var most int
	require.NoError(t, db.read.Raw("SELECT max(n) FROM (SELECT count(*) AS n FROM grant_lists GROUP BY session_id, bucket)").Scan(&most).Error)
	require.Equal(t, maxLists, most)
	require.NoError(t, db.SaveGrants(ctx, grantsOn("s", noon+1000, noon+1000, names...)))
	requireHeld(t, db, "s", noon+1000, noon+1000, names...)
	require.Equal(t, minList, count(t, db, "grants"), "what covers others has room")
	n, err := db.RevokeGrants(ctx, "clinic", GrantFilter{Tokens: digests(names[0])}, noon)
	require.NoError(t, err)
	require.Equal(t, 2, n)
}

// testListStatements: however many tokens a list has.
func testListStatements(t *testing.T, db *DB) {
	ctx := context.Background()
	s := record(t, db)
	session, other := digest("s"), digest("other")
	for _, n := range []int{minList, 1000} {
		tokens, names := manyTokens(fmt.Sprint(n, "-"), n)
		insert(t, db, tokens)
		ids := digests(names...)
		for _, step := range []struct {
			name string
			want int
			do   func() error
		}{
			{"SaveGrants", 2, func() error { return db.SaveGrants(ctx, grantsOn("s", noon+100, 0, names...)) }},
			{"SaveGrants again", 3, func() error { return db.SaveGrants(ctx, grantsOn("s", noon+200, 0, names...)) }},
			{"ReadableTokens", 1, func() error { return second(db.ReadableTokens(ctx, "clinic", session, ids, noon)) }},
			{"ReadableTokens of one", 1, func() error { return second(db.ReadableTokens(ctx, "clinic", session, ids[:1], noon)) }},
			{"TokenGrants", 1, func() error { return second(db.TokenGrants(ctx, "clinic", session, ids, noon)) }},
			{"MoveGrants", 8, func() error { return second(db.MoveGrants(ctx, "clinic", session, other, noon)) }},
			{"RevokeGrants", 7, func() error { return second(db.RevokeGrants(ctx, "clinic", GrantFilter{Tokens: ids}, noon)) }},
		} {
			s.take()
			require.NoError(t, step.do())
			list := s.take()
			require.Len(t, list, step.want, "%s of %d: %s", step.name, n, strings.Join(list, "\n"))
		}
	}
}
