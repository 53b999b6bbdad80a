package models

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// testListsMadeMeanwhile: lists that come while a revocation looks for those to change are not left out.
func testListsMadeMeanwhile(t *testing.T, db *DB) {
	ctx := context.Background()
	tokens, names := manyTokens("t", minList)
	insert(t, db, tokens)
	require.NoError(t, db.SaveGrants(ctx, grantsOn("before", noon+100, 0, names...)))
	found, err := db.look(ctx, digests(names[0]))
	require.NoError(t, err)
	require.Len(t, found.ids, 1)
	require.NoError(t, db.SaveGrants(ctx, grantsOn("before", noon+200, 0, names...))) // the list that was found goes
	require.NoError(t, db.SaveGrants(ctx, grantsOn("after", noon+100, 0, names...)))
	f := GrantFilter{Tokens: digests(names[0])}
	lists, err := f.lists(db.read.WithContext(ctx), found)
	require.NoError(t, err)
	require.Len(t, slices.DeleteFunc(lists, func(l grantList) bool { return !l.tokens.has(digest(names[0])) }), 2)

	// Ids are not used again when all lists are gone, or a new one would look old.
	require.NoError(t, second(db.SweepGrants(ctx, noon+200, 1000)))
	require.Zero(t, count(t, db, "grant_lists"))
	require.NoError(t, db.SaveGrants(ctx, grantsOn("late", noon+300, 0, names...)))
	lists, err = f.lists(db.read.WithContext(ctx), found)
	require.NoError(t, err)
	require.NotEmpty(t, lists)
}

// testListRace: while grants are created, moved and read, a revocation that has returned is not undone but by what was
// created after it began.
func testListRace(t *testing.T, db *DB) {
	ctx := context.Background()
	tokens, names := manyTokens("t", 2*minList)
	insert(t, db, tokens)
	ids := digests(names...)
	var all sync.WaitGroup
	for w := range 3 {
		all.Go(func() {
			for i := range 15 {
				from := (w*15 + i) % minList
				require.NoError(t, db.SaveGrants(ctx, grantsOn(fmt.Sprint("s", w), noon+100+int64(i), noon+100, names[from:from+minList]...)))
			}
		})
	}
	all.Go(func() {
		for i := range 30 {
			require.NoError(t, second(db.MoveGrants(ctx, "clinic", digest(fmt.Sprint("s", i%3)), digest(fmt.Sprint("s", (i+1)%3)), noon)))
		}
	})
	all.Go(func() {
		for i := range 30 {
			require.NoError(t, second(db.RevokeGrants(ctx, "clinic", GrantFilter{Tokens: ids[i : i+5], Kinds: Kind(i % 4)}, noon)))
			require.NoError(t, second(db.SweepGrants(ctx, noon, 100)))
		}
	})
	all.Go(func() {
		for i := range 60 {
			session := digest(fmt.Sprint("s", i%3))
			require.NoError(t, second(db.ReadableTokens(ctx, "clinic", session, ids, noon)))
			require.NoError(t, second(db.TokenGrants(ctx, "clinic", session, ids, noon)))
		}
	})
	all.Wait()
	inForce := 0
	for w := range 3 {
		found, err := db.TokenGrants(ctx, "clinic", digest(fmt.Sprint("s", w)), ids, noon)
		require.NoError(t, err)
		for _, g := range found {
			for _, until := range []int64{g.ReadUntil, g.StoreUntil} {
				if until > noon {
					inForce++
				}
			}
		}
	}
	n, err := db.RevokeGrants(ctx, "clinic", GrantFilter{Tokens: ids}, noon)
	require.NoError(t, err)
	require.Equal(t, inForce, n)
	for w := range 3 {
		require.Empty(t, readable(t, db, "clinic", fmt.Sprint("s", w), noon, names...))
	}
}
