package modelstest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// testListExtend: a grant's end is the latest of rows and lists; a list that another covers is removed.
func testListExtend(t *testing.T, db *Database) {
	ctx := context.Background()
	tokens, names := ManyTokens("t", many+10)
	Insert(t, db, tokens)
	save := func(g []models.Grant) { t.Helper(); require.NoError(t, db.SaveGrants(ctx, g)) }
	save(GrantsOn("s", noon+100, 0, names...))
	lists := count(t, db, "grant_lists")
	save(GrantsOn("s", noon+50, 0, names...))
	RequireHeld(t, db, "s", noon+100, 0, names...)
	save(GrantsOn("s", noon+300, 0, names...))
	RequireHeld(t, db, "s", noon+300, 0, names...)
	require.Equal(t, lists, count(t, db, "grant_lists"), "the longest covers both others")
	save(GrantsOn("s", 0, noon+70, names...))
	RequireHeld(t, db, "s", noon+300, noon+70, names...)
	save(GrantsOn("s", noon+900, 0, names[:many]...))
	RequireHeld(t, db, "s", noon+900, noon+70, names[:many]...)
	RequireHeld(t, db, "s", noon+300, noon+70, names[many:]...)
	save([]models.Grant{Grant("s", names[0], noon+10, noon+80), Grant("s", names[1], noon+1000, 0)})
	RequireHeld(t, db, "s", noon+900, noon+80, names[0])
	RequireHeld(t, db, "s", noon+1000, noon+70, names[1])
	require.Empty(t, Readable(t, db, "clinic", "s", noon+900, names[2]), "ends are exclusive")
	require.Len(t, Readable(t, db, "clinic", "s", noon+900, names...), 1)
}

// testListRevoke: each form of revocation counts a grant that is in force by a list and a row once.
func testListRevoke(t *testing.T, db *Database) {
	ctx := context.Background()
	tokens, names := ManyTokens("t", many)
	Insert(t, db, tokens)
	s1 := Hash("s1")
	const n = many
	for name, test := range map[string]struct {
		filter  models.Revocation
		revoked int
		left    [4]int // READ and STORE in force of s1, of s2
	}{
		"a session":          {models.Revocation{Session: &s1}, 2 * n, [4]int{0, 0, n, n}},
		"a session's READ":   {models.Revocation{Session: &s1, Kinds: ids.Read}, n, [4]int{0, n, n, n}},
		"a session's STORE":  {models.Revocation{Session: &s1, Kinds: ids.Store}, n, [4]int{n, 0, n, n}},
		"a token":            {models.Revocation{Tokens: Digests(names[5])}, 4, [4]int{n - 1, n - 1, n - 1, n - 1}},
		"a token's READ":     {models.Revocation{Tokens: Digests(names[5]), Kinds: ids.Read}, 2, [4]int{n - 1, n, n - 1, n}},
		"tokens":             {models.Revocation{Tokens: Digests(append(names[:3:3], "x", names[0])...)}, 12, [4]int{n - 3, n - 3, n - 3, n - 3}},
		"all tokens":         {models.Revocation{Tokens: Digests(names...), Kinds: ids.Read | ids.Store}, 4 * n, [4]int{}},
		"all tokens' STORE":  {models.Revocation{Tokens: Digests(names...), Kinds: ids.Store}, 2 * n, [4]int{n, 0, n, 0}},
		"a session's tokens": {models.Revocation{Session: &s1, Tokens: Digests(names[0], names[1])}, 4, [4]int{n - 2, n - 2, n, n}},
		"their READ":         {models.Revocation{Session: &s1, Tokens: Digests(names[0], names[1]), Kinds: ids.Read}, 2, [4]int{n - 2, n, n, n}},
		"unknown tokens":     {models.Revocation{Tokens: Digests("x", "y")}, 0, [4]int{n, n, n, n}},
	} {
		require.NoError(t, db.SQL.Exec("DELETE FROM grants").Error)
		require.NoError(t, db.SQL.Exec("DELETE FROM grant_lists").Error)
		for _, s := range []string{"s1", "s2"} {
			require.NoError(t, db.SaveGrants(ctx, GrantsOn(s, noon+100, noon+100, names...)))
			require.NoError(t, db.SaveGrants(ctx, GrantsOn(s, noon+200, 0, names...)))
			require.NoError(t, db.SaveGrants(ctx, GrantsOn(s, noon+50, noon-1, names[:7]...))) // rows of grants that lists have too
		}
		got, err := db.RevokeGrants(ctx, "clinic", test.filter, noon)
		require.NoError(t, err, name)
		require.Equal(t, test.revoked, got, name)
		var left [4]int
		for i, s := range []string{"s1", "s2"} {
			found, err := db.TokenGrants(ctx, "clinic", Hash(s), Digests(names...), noon)
			require.NoError(t, err)
			for _, g := range found {
				if g.ReadUntil > noon {
					left[2*i]++
				}
				if g.StoreUntil > noon {
					left[2*i+1]++
				}
			}
			require.Len(t, Readable(t, db, "clinic", s, noon, names...), left[2*i], name)
		}
		require.Equal(t, test.left, left, name)
		got, err = db.RevokeGrants(ctx, "clinic", test.filter, noon)
		require.NoError(t, err)
		require.Zero(t, got, name+", again")
	}
}

// testListTenants: another tenant can't read by a list, and its revocations don't change the list.
func testListTenants(t *testing.T, db *Database) {
	ctx := context.Background()
	tokens, names := ManyTokens("t", many)
	Insert(t, db, tokens)
	s := Hash("s")
	require.NoError(t, db.SaveGrants(ctx, GrantsOn("s", noon+100, 0, names...)))
	require.Empty(t, Readable(t, db, "bank", "s", noon, names...))
	require.Empty(t, Readable(t, db, "bank", "s", noon, names[0]))
	for _, f := range []models.Revocation{{Tokens: Digests(names...)}, {Tokens: Digests(names[0])}, {Session: &s, Tokens: Digests(names...)}} {
		n, err := db.RevokeGrants(ctx, "bank", f, noon)
		require.NoError(t, err)
		require.Zero(t, n)
	}
	RequireHeld(t, db, "s", noon+100, 0, names...)
}

// testListDestroy: a destroyed token is neither readable nor counted, though a list still has its hash.
func testListDestroy(t *testing.T, db *Database) {
	ctx := context.Background()
	tokens, names := ManyTokens("t", many)
	Insert(t, db, tokens)
	require.NoError(t, db.SaveGrants(ctx, GrantsOn("s", noon+100, 0, names...)))
	gone, err := db.DestroyTokens(ctx, "clinic", Digests(names[0], names[1]), noon)
	require.NoError(t, err)
	require.Empty(t, Readable(t, db, "clinic", "s", noon, names[0]))
	_, _, exists := Held(t, db, "clinic", "s", names[0])
	require.False(t, exists)
	require.NoError(t, db.PurgeTokens(ctx, gone[:1], noon+2000))
	require.Len(t, Readable(t, db, "clinic", "s", noon, names...), many-2)
	n, err := db.RevokeGrants(ctx, "clinic", models.Revocation{Tokens: Digests(names[:3]...)}, noon)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	s := Hash("s")
	n, err = db.RevokeGrants(ctx, "clinic", models.Revocation{Session: &s}, noon)
	require.NoError(t, err)
	require.Equal(t, many-3, n)
	require.Zero(t, count(t, db, "grant_lists"))
}
