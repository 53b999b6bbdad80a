package gateway

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// everyRole has the claims in which providers keep roles, groups and user-written values, with the names of the gateway's roles.
func everyRole() claimSet {
	both := []string{"application", "admin"}
	return claimSet{
		"roles": both, "role_names": both, "groups": both, "permissions": both, "cognito:groups": both, "cognito:roles": both, "scp": both, "wids": both, "org_role": "admin",
		"realm_access": claimSet{"roles": both}, "resource_access": claimSet{"account": claimSet{"roles": both}}, "https://www.example.org/roles": both,
		"app_metadata": claimSet{"roles": both}, "user_metadata": claimSet{"roles": both}, "o": claimSet{"rol": "admin"},
	}
}

// TestProviders: with the settings of its recipe, a provider's token is its user's session in the application's tenant,
// whatever roles the token has; tokens for another audience or purpose are refused.
func TestProviders(t *testing.T) {
	for _, p := range providers() {
		t.Run(p.heading+" "+p.typ, func(t *testing.T) {
			s := p.signer()
			cfg := recipe(t, p.heading, s)
			now := time.Now().Truncate(time.Second)
			times := claimSet{"iat": now.Unix(), "exp": now.Add(p.life).Unix()}
			claims := p.claims.with(times)
			accepted := func(claims claimSet) *caller.Caller {
				who, err := authenticate(t, cfg, s.sign(t, p.typ, claims))
				require.NoError(t, err)
				require.Equal(t, "shop", who.Tenant)
				require.False(t, who.IsApplication())
				require.Empty(t, who.Roles)
				return who
			}
			refused := func(name string, claims claimSet) {
				t.Run(name, func(t *testing.T) {
					_, err := authenticate(t, cfg, s.sign(t, p.typ, claims))
					require.Equal(t, fault.Unauthenticated, fault.Public(err).Code)
				})
			}
			who := accepted(claims)
			require.Equal(t, caller.HashSession("shop", p.session), *who.Session)
			require.Equal(t, who.Session, accepted(claims.with(claimSet{"iat": now.Unix() - 1, "jti": "refreshed", "at_hash": "refreshed"})).Session)
			require.NotEqual(t, who.Session, accepted(claims.with(p.login)).Session)
			accepted(claims.with(everyRole()).with(claimSet{"scp": claims["scp"], "o": claims["o"]}))

			audience, value := "aud", cfg.Issuers[0].Audience
			if cfg.Issuers[0].AudienceClaim != "" {
				audience = cfg.Issuers[0].AudienceClaim
				refused("with aud as well", claims.with(claimSet{"aud": value}))
				refused("with aud instead", claims.with(claimSet{"aud": value, audience: nil}))
			} else {
				refused("azp instead of aud", claims.with(claimSet{"aud": nil, "azp": value, "client_id": value}))
			}
			refused("another's", claims.with(claimSet{audience: "somebody-else"}))
			refused("nobody's", claims.with(claimSet{audience: nil}))
			refused("nearly ours", claims.with(claimSet{audience: value + "/"}))
			refused("for too long", claims.with(claimSet{"exp": now.Add(32 * 24 * time.Hour).Unix()}))
			for name, other := range p.otherwise {
				refused(name, other.with(times))
			}
		})
	}
}

// TestProviderRolesByMapping: only an explicit mapping makes a provider's role a role of the gateway.
func TestProviderRolesByMapping(t *testing.T) {
	p := providers()[7]
	require.Equal(t, "Keycloak, access tokens", p.heading)
	now := time.Now()
	claims := p.claims.with(claimSet{"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "realm_access": claimSet{"roles": []string{"vault-client"}}})
	cfg := recipe(t, p.heading, p.signer())
	cfg.Issuers[0].Claims.Roles = "realm_access.roles[?@=='vault-client'] && ['application']"
	require.ErrorContains(t, cfg.Verify(), "claims.roles")
	cfg.Issuers[0].TrustRoles = true
	require.NoError(t, cfg.Verify())
	who, err := authenticate(t, cfg, p.signer().sign(t, "JWT", claims))
	require.NoError(t, err)
	require.True(t, who.IsApplication())
	who, err = authenticate(t, cfg, p.signer().sign(t, "JWT", claims.with(everyRole())))
	require.NoError(t, err)
	require.False(t, who.IsApplication())
}

// TestManyGroups: a token of Entra's with 200 groups is accepted; for a longer token than the setting allows the error says so.
func TestManyGroups(t *testing.T) {
	p := providers()[3]
	require.Equal(t, "Microsoft Entra ID", p.heading)
	now := time.Now()
	groups := make([]string, 200)
	for i := range groups {
		groups[i] = fmt.Sprintf("%08x-6c67-4c5b-b112-36a304b66dad", i)
	}
	cfg := recipe(t, p.heading, p.signer())
	jwt := p.signer().sign(t, "JWT", p.claims.with(claimSet{"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "groups": groups}))
	require.Greater(t, len(jwt), 11_000)
	_, err := authenticate(t, cfg, jwt)
	require.NoError(t, err)
	cfg.Credentials.MaxSize = len(jwt) - 1
	_, err = authenticate(t, cfg, jwt)
	require.Equal(t, fault.LimitExceeded, fault.Public(err).Code)
	require.Contains(t, fault.Public(err).Message, "too long")
	require.Contains(t, fault.Public(err).Message, fmt.Sprint(len(jwt)))
	cfg.Credentials.MaxSize = len(jwt)
	_, err = authenticate(t, cfg, jwt)
	require.NoError(t, err)
}
