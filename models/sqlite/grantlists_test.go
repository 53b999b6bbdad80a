package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/models"
)

// TestListThreshold: many grants that end together become lists, few become rows, and one call may have both.
func TestListThreshold(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
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

	// A token that is named twice, and a token with another end.
	require.NoError(t, db.SaveGrants(ctx, append(grantsOn("own", noon+100, 0, append(names, names[3])...), grant("own", names[0], 0, noon+7))))
	requireHeld(t, db, "own", noon+100, 0, names[1:]...)
	read, store, _ := held(t, db, "clinic", "own", names[0])
	require.Equal(t, [2]int64{noon + 100, noon + 7}, [2]int64{read, store})
	require.Equal(t, minList, count(t, db, "grants"))
}

// TestListsAreSwept: lists are swept as rows are, in batches, when the later of their ends has passed.
func TestListsAreSwept(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
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

// TestListsBeyondTheBoundBecomeRows: a list beyond the bound for a session and bucket becomes rows.
func TestListsBeyondTheBoundBecomeRows(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
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
	require.Equal(t, minList, count(t, db, "grants"), "a list that covers others replaces them")
	n, err := db.RevokeGrants(ctx, "clinic", models.Revocation{Tokens: digests(names[0])}, noon)
	require.NoError(t, err)
	require.Equal(t, 2, n)
}

// TestNumberOfStatementsForLists: the number of statements does not depend on the number of tokens.
func TestNumberOfStatementsForLists(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	ctx := context.Background()
	s := record(t, db)
	session, other := hash("s"), hash("other")
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
			{"MoveGrants", 9, func() error { return second(db.MoveGrants(ctx, "clinic", session, other, noon)) }},
			{"RevokeGrants", 8, func() error { return second(db.RevokeGrants(ctx, "clinic", models.Revocation{Tokens: ids}, noon)) }},
		} {
			s.take()
			require.NoError(t, step.do())
			list := s.take()
			require.Len(t, list, step.want, "%s of %d: %s", step.name, n, strings.Join(list, "\n"))
		}
	}
}

// TestRevocationIncludesListsCreatedMeanwhile: a revocation includes lists that are created while it looks for the lists to change.
func TestRevocationIncludesListsCreatedMeanwhile(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	ctx := context.Background()
	tokens, names := manyTokens("t", minList)
	insert(t, db, tokens)
	require.NoError(t, db.SaveGrants(ctx, grantsOn("before", noon+100, 0, names...)))
	found, err := db.findLists(ctx, digests(names[0]))
	require.NoError(t, err)
	require.Len(t, found.ids, 1)
	require.NoError(t, db.SaveGrants(ctx, grantsOn("before", noon+200, 0, names...))) // replaces the list that was found
	require.NoError(t, db.SaveGrants(ctx, grantsOn("after", noon+100, 0, names...)))
	f := revocation{models.Revocation{Tenant: "clinic", Tokens: digests(names[0])}, noon}
	lists, err := f.lists(db.read.WithContext(ctx), found)
	require.NoError(t, err)
	require.Len(t, slices.DeleteFunc(lists, func(l grantList) bool { return !l.tokens.has(digest(names[0])) }), 2)

	// Ids are not used again when all lists are removed: otherwise a new list would look old.
	require.NoError(t, second(db.SweepGrants(ctx, noon+200, 1000)))
	require.Zero(t, count(t, db, "grant_lists"))
	require.NoError(t, db.SaveGrants(ctx, grantsOn("late", noon+300, 0, names...)))
	lists, err = f.lists(db.read.WithContext(ctx), found)
	require.NoError(t, err)
	require.NotEmpty(t, lists)
}
