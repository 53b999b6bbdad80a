package vault_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// TestRevokeOwn: a session ends its own grants, all of them, and nobody else's.
func TestRevokeOwn(t *testing.T) {
	f := newFixture(t)
	mine, other, foreign := session("clinic", "s1"), session("clinic", "s2"), session("bank", "s1")
	token, kept, elsewhere := f.tokenize(t, mine, 0), f.tokenize(t, other, 0), f.tokenize(t, foreign, 0)
	var told []string
	f.OnRevoke(func(tenant, session string, tokens []ids.Token) {
		require.Nil(t, tokens)
		told = append(told, tenant+"/"+session)
	})
	n, err := f.RevokeOwn(mine)
	require.NoError(t, err)
	require.Equal(t, 2, n, "READ and STORE")
	want := objects.Signer{Tenant: "clinic", Session: caller.HashSession("clinic", "s1")}
	require.Equal(t, []objects.Signer{want}, f.store.signedOut)
	require.Equal(t, []string{"clinic/"}, told, "the id is not known here, so every session's are forgotten")
	_, err = f.Detokenize(mine, token)
	requireFault(t, err, fault.GrantRequired)
	_, err = f.Detokenize(other, kept)
	require.NoError(t, err)
	_, err = f.Detokenize(foreign, elsewhere)
	require.NoError(t, err)
	n, err = f.RevokeOwn(mine)
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = f.RevokeOwn(application("clinic"))
	requireFault(t, err, fault.Forbidden)
	_, err = f.RevokeOwn(context.Background())
	requireFault(t, err, fault.Unauthenticated)
	f.rows.err = errDown
	_, err = f.RevokeOwn(mine)
	requireFault(t, err, fault.Unavailable)
	require.Equal(t, []objects.Signer{want, want, want}, f.store.signedOut, "transfers stop whatever becomes of the grants")
}
