package models

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// testExtend: a grant that exists is extended, never shortened, each kind by itself.
func testExtend(t *testing.T, db *DB) {
	ctx := context.Background()
	insert(t, db, []Token{row("a", "clinic")}, grant("s", "a", noon+100, noon+200))
	for _, step := range []struct{ read, store, wantRead, wantStore int64 }{
		{noon + 50, noon + 50, noon + 100, noon + 200},
		{0, 0, noon + 100, noon + 200},
		{noon + 300, 0, noon + 300, noon + 200},
		{0, noon + 250, noon + 300, noon + 250},
		{noon + 10, noon + 500, noon + 300, noon + 500},
	} {
		require.NoError(t, db.SaveGrants(ctx, []Grant{grant("s", "a", step.read, step.store)}))
		read, store, _ := held(t, db, "clinic", "s", "a")
		require.Equal(t, [2]int64{step.wantRead, step.wantStore}, [2]int64{read, store})
		var expires int64
		require.NoError(t, db.read.Raw("SELECT expires_at FROM grants").Scan(&expires).Error)
		require.Equal(t, max(read, store), expires, "the sweeper must not take what is in force")
	}
}

func testKinds(t *testing.T, db *DB) {
	insert(t, db, []Token{row("a", "clinic"), row("b", "clinic")}, grant("s", "a", noon+100, 0), grant("s", "b", 0, noon+100))
	require.Equal(t, []string{"a"}, readable(t, db, "clinic", "s", noon, "a", "b"), "STORE does not read")
	_, store, _ := held(t, db, "clinic", "s", "a")
	require.Zero(t, store, "READ does not store")
}

func testSameGrantTwice(t *testing.T, db *DB) {
	insert(t, db, []Token{row("a", "clinic")}, grant("s", "a", noon+100, 0), grant("s", "a", noon+50, noon+70), grant("s", "a", 0, noon+60))
	read, store, _ := held(t, db, "clinic", "s", "a")
	require.Equal(t, [2]int64{noon + 100, noon + 70}, [2]int64{read, store})
	require.Equal(t, 1, count(t, db, "grants"))
}

// testGrantsOfNothing: a grant on a token that does not exist opens nothing.
func testGrantsOfNothing(t *testing.T, db *DB) {
	require.NoError(t, db.SaveGrants(context.Background(), []Grant{grant("s", "a", noon+100, noon+100)}))
	require.Empty(t, readable(t, db, "clinic", "s", noon, "a"))
	_, _, exists := held(t, db, "clinic", "s", "a")
	require.False(t, exists)
}

func testRevoke(t *testing.T, db *DB) {
	ctx := context.Background()
	s1, s2 := digest("s1"), digest("s2")
	set := func() {
		t.Helper()
		require.NoError(t, db.write.Exec("DELETE FROM grants").Error)
		for _, s := range []string{"s1", "s2"} {
			for _, token := range []string{"a", "b"} {
				require.NoError(t, db.SaveGrants(ctx, []Grant{grant(s, token, noon+100, noon+100)}))
			}
		}
		require.NoError(t, db.SaveGrants(ctx, []Grant{grant("s1", "c", noon, noon+100), grant("s2", "c", noon-1, noon)})) // partly over
	}
	insert(t, db, []Token{row("a", "clinic"), row("b", "clinic"), row("c", "clinic")})
	for name, test := range map[string]struct {
		filter  GrantFilter
		revoked int
		left    string // grants in force, as session token kind
	}{
		"a session":            {GrantFilter{Session: &s1}, 5, "s2aR s2aS s2bR s2bS"},
		"a session's READ":     {GrantFilter{Session: &s1, Kinds: Read}, 2, "s1aS s1bS s1cS s2aR s2aS s2bR s2bS"},
		"a session's STORE":    {GrantFilter{Session: &s2, Kinds: Store}, 2, "s1aR s1aS s1bR s1bS s1cS s2aR s2bR"},
		"a token":              {GrantFilter{Tokens: digests("a")}, 4, "s1bR s1bS s1cS s2bR s2bS"},
		"a token's READ":       {GrantFilter{Tokens: digests("a"), Kinds: Read}, 2, "s1aS s1bR s1bS s1cS s2aS s2bR s2bS"},
		"tokens, one unknown":  {GrantFilter{Tokens: digests("a", "x", "a")}, 4, "s1bR s1bS s1cS s2bR s2bS"},
		"a session's token":    {GrantFilter{Session: &s2, Tokens: digests("b")}, 2, "s1aR s1aS s1bR s1bS s1cS s2aR s2aS"},
		"everything there":     {GrantFilter{Session: &s2, Tokens: digests("b"), Kinds: Store}, 1, "s1aR s1aS s1bR s1bS s1cS s2aR s2aS s2bR"},
		"both kinds by name":   {GrantFilter{Session: &s2, Kinds: Read | Store}, 4, "s1aR s1aS s1bR s1bS s1cS"},
		"what is partly over":  {GrantFilter{Session: &s1, Tokens: digests("c")}, 1, "s1aR s1aS s1bR s1bS s2aR s2aS s2bR s2bS"},
		"what is over":         {GrantFilter{Session: &s2, Tokens: digests("c")}, 0, "s1aR s1aS s1bR s1bS s1cS s2aR s2aS s2bR s2bS"},
		"no tokens":            {GrantFilter{Tokens: []Digest{}}, 0, "s1aR s1aS s1bR s1bS s1cS s2aR s2aS s2bR s2bS"},
		"no tokens of session": {GrantFilter{Session: &s1, Tokens: []Digest{}}, 0, "s1aR s1aS s1bR s1bS s1cS s2aR s2aS s2bR s2bS"},
	} {
		set()
		n, err := db.RevokeGrants(ctx, "clinic", test.filter, noon)
		require.NoError(t, err, name)
		require.Equal(t, test.revoked, n, name)
		require.Equal(t, test.left, inForce(t, db), name)
		n, err = db.RevokeGrants(ctx, "clinic", test.filter, noon)
		require.NoError(t, err)
		require.Zero(t, n, name+", again")
	}
	_, err := db.RevokeGrants(ctx, "clinic", GrantFilter{Kinds: Read}, noon)
	require.ErrorIs(t, err, ErrNoFilter)
}

func inForce(t *testing.T, db *DB) (s string) {
	for _, session := range []string{"s1", "s2"} {
		for _, token := range []string{"a", "b", "c"} {
			read, store, _ := held(t, db, "clinic", session, token)
			for kind, until := range map[string]int64{"R": read, "S": store} {
				if until > noon && kind == "R" {
					s += " " + session + token + "R"
				}
			}
			if store > noon {
				s += " " + session + token + "S"
			}
		}
	}
	return s[1:]
}

// testRevokeTenants: by tokens, only grants on the tenant's own are reached.
func testRevokeTenants(t *testing.T, db *DB) {
	insert(t, db, []Token{row("a", "clinic")}, grant("s", "a", noon+100, noon+100))
	s := digest("s")
	for _, f := range []GrantFilter{{Tokens: digests("a")}, {Session: &s, Tokens: digests("a")}} {
		n, err := db.RevokeGrants(context.Background(), "bank", f, noon)
		require.NoError(t, err)
		require.Zero(t, n)
	}
	require.Equal(t, []string{"a"}, readable(t, db, "clinic", "s", noon, "a"))
}

// testSweepGrants: what has expired, in batches, the oldest first; what is in force stays.
func testSweepGrants(t *testing.T, db *DB) {
	ctx := context.Background()
	var grants []Grant
	for i := range 25 {
		grants = append(grants, grant("s", fmt.Sprint("old", i), noon-int64(i), noon-int64(i)-1))
	}
	grants = append(grants, grant("s", "read", noon+1, 0), grant("s", "store", noon-5, noon+1))
	require.NoError(t, db.SaveGrants(ctx, grants))
	for _, want := range []int{10, 10, 5, 0} {
		n, err := db.SweepGrants(ctx, noon, 10)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.Equal(t, 2, count(t, db, "grants"))
	n, err := db.SweepGrants(ctx, noon+1, 10)
	require.NoError(t, err)
	require.Equal(t, 2, n)
}
