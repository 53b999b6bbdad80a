package vault_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

// TestVerifyGrantsOfSeveralKinds: each check has its own result, and one call to the database reads all.
func TestVerifyGrantsOfSeveralKinds(t *testing.T) {
	f := newFixture(t)
	user, app := session("clinic", "owner"), application("clinic")
	read, store, both, none := f.tokenize(t, user, 0), f.tokenize(t, user, 0), f.tokenize(t, user, 0), f.tokenize(t, user, 0)
	_, err := f.CreateGrants(app, "s", []vault.GrantRequest{
		{Tokens: []ids.Token{read}, Kinds: ids.Read, Duration: ptr(time.Hour)}, {Tokens: []ids.Token{store}, Kinds: ids.Store, Duration: ptr(time.Hour)},
		{Tokens: []ids.Token{both}, Kinds: ids.Read | ids.Store, Duration: ptr(time.Hour)},
	})
	require.NoError(t, err)
	check := func(token ids.Token, kind ids.Kind) vault.GrantCheck {
		return vault.GrantCheck{Token: token, Kind: kind}
	}
	for name, test := range map[string]struct {
		ask     []vault.GrantCheck
		missing []int // indexes of ask
		lookups int   // tokens in the call to the database
		counted sums
	}{
		"each kind of each token": {
			[]vault.GrantCheck{check(read, ids.Store), check(read, ids.Read), check(store, ids.Read), check(store, ids.Store), check(both, ids.Store), check(both, ids.Read)},
			[]int{0, 2}, 3, sums{"held READ": 2, "missing READ": 1, "held STORE": 2, "missing STORE": 1},
		},
		"both kinds in one check": {
			[]vault.GrantCheck{check(read, ids.Read|ids.Store), check(both, ids.Read|ids.Store)},
			[]int{0}, 2, sums{"held READ": 2, "held STORE": 1, "missing STORE": 1},
		},
		"duplicates": {
			[]vault.GrantCheck{check(none, ids.Read), check(read, ids.Read), check(none, ids.Read), check(read, ids.Read)},
			[]int{0, 2}, 2, sums{"held READ": 2, "missing READ": 2},
		},
		"unknown": {
			[]vault.GrantCheck{check(unknown, ids.Read), check(unknown, ids.Store)},
			[]int{0, 1}, 1, sums{"missing READ": 1, "missing STORE": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			clear(f.sums)
			f.rows.take()
			missing, err := f.VerifyGrants(app, "s", test.ask)
			require.NoError(t, err)
			var want []vault.GrantCheck
			for _, i := range test.missing {
				want = append(want, test.ask[i])
			}
			require.Equal(t, want, missing)
			require.Equal(t, map[string]int{"TokenGrants": 1}, f.rows.take())
			require.Equal(t, test.lookups, f.rows.asked)
			for k, n := range test.counted {
				require.Equal(t, n, f.sums[k], k)
			}
		})
	}
}
