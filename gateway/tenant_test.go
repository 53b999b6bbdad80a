package gateway_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// TestAProvidersUsersAndAnApplication: users log in at one issuer, whose roles are ignored. The application that creates
// their grants is another issuer of the same tenant.
func TestAProvidersUsersAndAnApplication(t *testing.T) {
	g := gatewaytest.Start(t, func(c *gateway.Config) {
		for n := range c.Issuers {
			if i := &c.Issuers[n]; i.Name == gatewaytest.Other {
				i.Tenant, i.TrustRoles = gatewaytest.Own, false
			}
		}
	})
	ctx := t.Context()
	app := clientOf(t, g.URL, g.Application(gatewaytest.Own))
	user := clientOf(t, g.URL, g.Session(gatewaytest.Other, "login"))
	stranger := clientOf(t, g.URL, g.Session(gatewaytest.Other, "another"))
	reserved, err := user.Tokenize(ctx, client.Value{})
	require.NoError(t, err)
	session := appkit.SessionID("login")
	missing, err := app.VerifyGrants(ctx, session, []directives.Check{{Token: reserved.Token, Kind: directives.GrantKindStore}})
	require.NoError(t, err)
	require.Empty(t, missing)
	_, err = stranger.Detokenize(ctx, reserved.Token)
	require.ErrorIs(t, err, client.ErrGrantRequired)
	granted, err := app.CreateGrants(ctx, appkit.SessionID("another"), []directives.Grant{{Tokens: []string{reserved.Token}, Kinds: []directives.GrantKind{directives.GrantKindRead}}})
	require.NoError(t, err)
	require.Len(t, granted, 1)
	require.Empty(t, granted[0].Missing)
	_, err = stranger.Detokenize(ctx, reserved.Token)
	require.NoError(t, err)
	_, err = app.EndSession(ctx, session)
	require.NoError(t, err)
	require.True(t, refused(t, user))
	_, err = clientOf(t, g.URL, g.Application(gatewaytest.Other)).EndSession(ctx, session)
	require.Error(t, err, "the provider's roles are ignored")
}
