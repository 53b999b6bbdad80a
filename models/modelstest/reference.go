package modelstest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

type refKey struct {
	session, token string
	kind           ids.Kind
}

// testMove: a grant that both sessions have ends at the later moment; the first session has no grants left.
func testMove(t *testing.T, db *Database) {
	ctx := context.Background()
	tokens, names := ManyTokens("t", many)
	Insert(t, db, append(tokens, Row("a", "clinic"), Row("b", "clinic")),
		Grant("old", "a", noon+100, noon+50), Grant("old", "b", noon+100, noon), Grant("new", "a", noon+40, noon+60), Grant("old", names[0], noon+5, 0))
	require.NoError(t, db.SaveGrants(ctx, GrantsOn("old", noon+100, 0, names...)))
	require.NoError(t, db.SaveGrants(ctx, GrantsOn("new", noon+70, noon+70, names...)))
	n, err := db.MoveGrants(ctx, "clinic", Hash("old"), Hash("new"), noon)
	require.NoError(t, err)
	require.Equal(t, 3+many, n, "grants in force; a grant in a row and a list counts once")
	RequireHeld(t, db, "new", noon+100, noon+70, names...)
	RequireHeld(t, db, "new", noon+100, noon+60, "a")
	RequireHeld(t, db, "new", noon+100, noon, "b")
	RequireHeld(t, db, "old", 0, 0, append(names, "a", "b")...)
	for _, again := range [][2]string{{"old", "new"}, {"new", "new"}, {"nobody", "new"}} {
		n, err = db.MoveGrants(ctx, "clinic", Hash(again[0]), Hash(again[1]), noon)
		require.NoError(t, err)
		require.Zero(t, n)
	}
	RequireHeld(t, db, "new", noon+100, noon+70, names...)
}

// testGrantsAgainstReference: after random sequences of changes, rows and lists give the same answers as one map of ends.
func testGrantsAgainstReference(t *testing.T, db *Database) {
	ctx := context.Background()
	const universe = many + 8
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		now, ref := noon, map[refKey]int64{}
		names, gone := make([]string, universe), map[string]bool{}
		tokens := make([]models.Token, universe)
		for i := range names {
			names[i] = fmt.Sprint(round, "-", i)
			tokens[i] = Row(names[i], "clinic")
		}
		require.NoError(t, db.InsertTokens(ctx, tokens, nil))
		sessions := []string{fmt.Sprint("x", round), fmt.Sprint("y", round)}
		session := func() string { return rapid.SampledFrom(sessions).Draw(t, "session") }
		some := func(most int) []string {
			first := rapid.IntRange(0, universe-1).Draw(t, "first")
			return names[first:min(universe, first+rapid.IntRange(1, most).Draw(t, "n"))]
		}
		inForce := func(k refKey) bool { return ref[k] > now && !gone[k.token] }
		t.Repeat(map[string]func(*rapid.T){
			"save": func(t *rapid.T) {
				s, list := session(), slices.DeleteFunc(slices.Clone(some(universe)), func(n string) bool { return gone[n] })
				read, store := int64(rapid.SampledFrom([]int{0, 40, 80}).Draw(t, "read")), int64(rapid.SampledFrom([]int{0, 40, 80}).Draw(t, "store"))
				if read > 0 {
					read += now
				}
				if store > 0 {
					store += now
				}
				require.NoError(t, db.SaveGrants(ctx, GrantsOn(s, read, store, list...)))
				for _, n := range list {
					ref[refKey{s, n, ids.Read}] = max(ref[refKey{s, n, ids.Read}], read)
					ref[refKey{s, n, ids.Store}] = max(ref[refKey{s, n, ids.Store}], store)
				}
			},
			"revoke": func(t *rapid.T) {
				f, by, s, list := models.Revocation{Kinds: ids.Kind(rapid.IntRange(0, 3).Draw(t, "kinds"))}, rapid.IntRange(1, 3).Draw(t, "by"), session(), some(10)
				named := map[string]bool{}
				if by&1 != 0 {
					id := Hash(s)
					f.Session = &id
				}
				if by&2 != 0 {
					f.Tokens = Digests(list...)
				}
				for _, n := range list {
					named[n] = true
				}
				want := 0
				for k := range ref {
					if (by&1 == 0 || k.session == s) && (by&2 == 0 || named[k.token]) && (f.Kinds == 0 || f.Kinds&k.kind != 0) {
						if inForce(k) {
							want++
						}
						delete(ref, k)
					}
				}
				got, err := db.RevokeGrants(ctx, "clinic", f, now)
				require.NoError(t, err)
				require.Equal(t, want, got)
			},
			"move": func(t *rapid.T) {
				from, to, want := session(), session(), 0
				for k, until := range ref {
					if k.session != from || from == to {
						continue
					}
					if inForce(k) {
						want++
					}
					delete(ref, k)
					k.session = to
					ref[k] = max(ref[k], until)
				}
				got, err := db.MoveGrants(ctx, "clinic", Hash(from), Hash(to), now)
				require.NoError(t, err)
				require.Equal(t, want, got)
			},
			"destroy": func(t *rapid.T) {
				list := some(3)
				require.NoError(t, second(db.DestroyTokens(ctx, "clinic", Digests(list...), now)))
				for _, n := range list {
					gone[n] = true
				}
			},
			"sweep": func(t *rapid.T) { require.NoError(t, second(db.SweepGrants(ctx, now, 50))) },
			"time":  func(t *rapid.T) { now += int64(rapid.IntRange(1, 30).Draw(t, "ms")) },
			"": func(t *rapid.T) { // after each of these
				s := rapid.SampledFrom(sessions).Draw(t, "of")
				asked := some(16)
				found, err := db.TokenGrants(ctx, "clinic", Hash(s), Digests(asked...), now)
				require.NoError(t, err)
				have := map[ids.Digest]models.TokenGrant{}
				for _, g := range found {
					have[g.TokenID] = g
				}
				readable, err := db.ReadableTokens(ctx, "clinic", Hash(s), Digests(asked...), now)
				require.NoError(t, err)
				n := 0
				for _, name := range asked {
					g, exists := have[Digest(name)]
					require.Equal(t, gone[name], !exists)
					require.Equal(t, inForce(refKey{s, name, ids.Read}), g.ReadUntil > now)
					require.Equal(t, inForce(refKey{s, name, ids.Store}), g.StoreUntil > now)
					if inForce(refKey{s, name, ids.Read}) {
						require.Equal(t, ref[refKey{s, name, ids.Read}], g.ReadUntil)
						n++
					}
				}
				require.Len(t, readable, n)
			},
		})
	})
}
