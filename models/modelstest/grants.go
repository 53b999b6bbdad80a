package modelstest

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// testExtend: a grant that exists is extended, never shortened, each kind by itself.
func testExtend(t *testing.T, db *Database) {
	ctx := context.Background()
	Insert(t, db, []models.Token{Row("a", "clinic")}, Grant("s", "a", noon+100, noon+200))
	for _, step := range []struct{ read, store, wantRead, wantStore int64 }{
		{noon + 50, noon + 50, noon + 100, noon + 200},
		{0, 0, noon + 100, noon + 200},
		{noon + 300, 0, noon + 300, noon + 200},
		{0, noon + 250, noon + 300, noon + 250},
		{noon + 10, noon + 500, noon + 300, noon + 500},
	} {
		require.NoError(t, db.SaveGrants(ctx, []models.Grant{Grant("s", "a", step.read, step.store)}))
		read, store, _ := Held(t, db, "clinic", "s", "a")
		require.Equal(t, [2]int64{step.wantRead, step.wantStore}, [2]int64{read, store})
		var expires int64
		require.NoError(t, db.SQL.Raw("SELECT expires_at FROM grants").Scan(&expires).Error)
		require.Equal(t, max(read, store), expires, "the sweeper must not remove a grant in force")
	}
}

func testKinds(t *testing.T, db *Database) {
	Insert(t, db, []models.Token{Row("a", "clinic"), Row("b", "clinic")}, Grant("s", "a", noon+100, 0), Grant("s", "b", 0, noon+100))
	require.Equal(t, []string{"a"}, Readable(t, db, "clinic", "s", noon, "a", "b"), "STORE does not read")
	_, store, _ := Held(t, db, "clinic", "s", "a")
	require.Zero(t, store, "READ does not store")
}

func testSameGrantTwice(t *testing.T, db *Database) {
	Insert(t, db, []models.Token{Row("a", "clinic")}, Grant("s", "a", noon+100, 0), Grant("s", "a", noon+50, noon+70), Grant("s", "a", 0, noon+60))
	read, store, _ := Held(t, db, "clinic", "s", "a")
	require.Equal(t, [2]int64{noon + 100, noon + 70}, [2]int64{read, store})
	require.Equal(t, 1, count(t, db, "grants"))
}

// testGrantOnUnknownToken: a grant on a token that does not exist opens nothing.
func testGrantOnUnknownToken(t *testing.T, db *Database) {
	require.NoError(t, db.SaveGrants(context.Background(), []models.Grant{Grant("s", "a", noon+100, noon+100)}))
	require.Empty(t, Readable(t, db, "clinic", "s", noon, "a"))
	_, _, exists := Held(t, db, "clinic", "s", "a")
	require.False(t, exists)
}

func testRevoke(t *testing.T, db *Database) {
	ctx := context.Background()
	s1, s2 := Hash("s1"), Hash("s2")
	set := func() {
		t.Helper()
		require.NoError(t, db.SQL.Exec("DELETE FROM grants").Error)
		for _, s := range []string{"s1", "s2"} {
			for _, token := range []string{"a", "b"} {
				require.NoError(t, db.SaveGrants(ctx, []models.Grant{Grant(s, token, noon+100, noon+100)}))
			}
		}
		require.NoError(t, db.SaveGrants(ctx, []models.Grant{Grant("s1", "c", noon, noon+100), Grant("s2", "c", noon-1, noon)})) // one kind has expired, both have
	}
	Insert(t, db, []models.Token{Row("a", "clinic"), Row("b", "clinic"), Row("c", "clinic")})
	for name, test := range map[string]struct {
		filter  models.Revocation
		revoked int
		left    string // grants in force, as session token kind
	}{
		"a session":            {models.Revocation{Session: &s1}, 5, "s2aR s2aS s2bR s2bS"},
		"a session's READ":     {models.Revocation{Session: &s1, Kinds: ids.Read}, 2, "s1aS s1bS s1cS s2aR s2aS s2bR s2bS"},
		"a session's STORE":    {models.Revocation{Session: &s2, Kinds: ids.Store}, 2, "s1aR s1aS s1bR s1bS s1cS s2aR s2bR"},
		"a token":              {models.Revocation{Tokens: Digests("a")}, 4, "s1bR s1bS s1cS s2bR s2bS"},
		"a token's READ":       {models.Revocation{Tokens: Digests("a"), Kinds: ids.Read}, 2, "s1aS s1bR s1bS s1cS s2aS s2bR s2bS"},
		"tokens, one unknown":  {models.Revocation{Tokens: Digests("a", "x", "a")}, 4, "s1bR s1bS s1cS s2bR s2bS"},
		"a session's token":    {models.Revocation{Session: &s2, Tokens: Digests("b")}, 2, "s1aR s1aS s1bR s1bS s1cS s2aR s2aS"},
		"all filters":          {models.Revocation{Session: &s2, Tokens: Digests("b"), Kinds: ids.Store}, 1, "s1aR s1aS s1bR s1bS s1cS s2aR s2aS s2bR"},
		"both kinds by name":   {models.Revocation{Session: &s2, Kinds: ids.Read | ids.Store}, 4, "s1aR s1aS s1bR s1bS s1cS"},
		"one kind expired":     {models.Revocation{Session: &s1, Tokens: Digests("c")}, 1, "s1aR s1aS s1bR s1bS s2aR s2aS s2bR s2bS"},
		"both kinds expired":   {models.Revocation{Session: &s2, Tokens: Digests("c")}, 0, "s1aR s1aS s1bR s1bS s1cS s2aR s2aS s2bR s2bS"},
		"no tokens":            {models.Revocation{Tokens: []ids.Digest{}}, 0, "s1aR s1aS s1bR s1bS s1cS s2aR s2aS s2bR s2bS"},
		"no tokens of session": {models.Revocation{Session: &s1, Tokens: []ids.Digest{}}, 0, "s1aR s1aS s1bR s1bS s1cS s2aR s2aS s2bR s2bS"},
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
	_, err := db.RevokeGrants(ctx, "clinic", models.Revocation{Kinds: ids.Read}, noon)
	require.ErrorIs(t, err, models.ErrNoFilter)
}

func inForce(t *testing.T, db *Database) (s string) {
	for _, session := range []string{"s1", "s2"} {
		for _, token := range []string{"a", "b", "c"} {
			read, store, _ := Held(t, db, "clinic", session, token)
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

// testRevokeTenants: a revocation by tokens revokes only grants on the tenant's tokens.
func testRevokeTenants(t *testing.T, db *Database) {
	Insert(t, db, []models.Token{Row("a", "clinic")}, Grant("s", "a", noon+100, noon+100))
	s := Hash("s")
	for _, f := range []models.Revocation{{Tokens: Digests("a")}, {Session: &s, Tokens: Digests("a")}} {
		n, err := db.RevokeGrants(context.Background(), "bank", f, noon)
		require.NoError(t, err)
		require.Zero(t, n)
	}
	require.Equal(t, []string{"a"}, Readable(t, db, "clinic", "s", noon, "a"))
}

// testSweepGrants: expired grants are removed in batches, the oldest first; grants in force stay.
func testSweepGrants(t *testing.T, db *Database) {
	ctx := context.Background()
	var grants []models.Grant
	for i := range 25 {
		grants = append(grants, Grant("s", fmt.Sprint("old", i), noon-int64(i), noon-int64(i)-1))
	}
	grants = append(grants, Grant("s", "read", noon+1, 0), Grant("s", "store", noon-5, noon+1))
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
