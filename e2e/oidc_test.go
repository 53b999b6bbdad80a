package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/oidc"
	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/gateway"
)

const callback = "http://127.0.0.1:9/callback" // no listener: the test reads the code from the redirect

// trusting makes a provider's users, and its clients' service accounts, a tenant.
func trusting(name string, p *oidc.Provider) stack.Option {
	return stack.Configure(func(c *gateway.Config) {
		i := gateway.DefaultIssuer()
		i.Name, i.Issuer, i.Audience, i.Discovery = name, p.Issuer, "cloakroom", true
		i.Types = []string{"JWT", "", "at+jwt"} // oidc-provider's ID tokens have no typ
		i.TrustRoles = true
		i.Claims.Roles = "realm_access.roles[?@=='vault-client'] && ['application']"
		i.JWKSRefresh = time.Second
		c.Issuers = append(c.Issuers, i)
	})
}

func newIDP(t testing.TB, algorithm string) *oidc.Provider {
	return oidc.Start(t, oidc.Settings{
		Clients: []oidc.Client{oidc.NewClient("cloakroom", callback)}, Algorithm: algorithm, Resource: "cloakroom",
		Roles: map[string][]string{"cloakroom": {"vault-client", "admin"}},
	})
}

// A user who logs in at an OpenID provider has a session at the gateway, with the provider's session id; a service
// account of the provider is the application; two providers are two tenants; and JWTs of a key that a provider has
// withdrawn are refused.
func TestAnOpenIDProvider(t *testing.T) {
	shop, bank := newIDP(t, "ES256"), newIDP(t, "RS256")
	s := stack.Start(t, trusting("shop", shop), trusting("bank", bank))
	ann, bob := oidc.NewBrowser(t, callback), oidc.NewBrowser(t, callback)

	jwt := shop.Login(t, ann, "ann")
	me := s.Query(t, jwt, stack.Viewer, nil).OK(t)
	require.Equal(t, "shop", me.At("viewer", "tenant"))
	require.Equal(t, "ann", me.At("viewer", "subject"))
	require.Empty(t, me.At("viewer", "roles"))
	again := shop.Login(t, ann, "nobody is asked")
	require.Equal(t, me.At("viewer", "sessionHash"), s.Query(t, again, stack.Viewer, nil).OK(t).At("viewer", "sessionHash"), "one login, one session")

	token, _ := s.Store(t, jwt, []byte("a value"), nil)
	require.Equal(t, "a value", string(s.Read(t, again, token)))
	foreign := bank.Login(t, bob, "ann")
	other := s.Query(t, foreign, stack.Viewer, nil).OK(t)
	require.Equal(t, "bank", other.At("viewer", "tenant"))
	require.NotEqual(t, me.At("viewer", "sessionHash"), other.At("viewer", "sessionHash"))
	require.Equal(t, "GRANT_REQUIRED", s.Detokenize(t, foreign, token).Code())

	second := shop.Login(t, oidc.NewBrowser(t, callback), "carl")
	require.Equal(t, "GRANT_REQUIRED", s.Detokenize(t, second, token).Code())
	application := shop.ClientToken(t, ann)
	require.Equal(t, []any{"application"}, s.Query(t, application, stack.Viewer, nil).OK(t).At("viewer", "roles"), "and not admin")
	s.Query(t, application, stack.CreateGrants, stack.Vars{"input": stack.Vars{
		"sessionId": stack.SessionID(t, second), "grants": []stack.Vars{{"tokens": []string{token}, "kinds": []string{"READ"}}},
	}}).OK(t)
	require.Equal(t, "a value", string(s.Read(t, second, token)))
	none := s.Query(t, bank.ClientToken(t, bob), stack.CreateGrants, stack.Vars{"input": stack.Vars{
		"sessionId": stack.SessionID(t, foreign), "grants": []stack.Vars{{"tokens": []string{token}, "kinds": []string{"READ"}}},
	}}).OK(t)
	require.Equal(t, []any{token}, none.At("createGrants", "grants", 0, "missing"), "the bank's tenant has no such token")
	require.Equal(t, "GRANT_REQUIRED", s.Detokenize(t, foreign, token).Code(), "another tenant's grants don't count")

	shop.Rotate(t)
	stack.Await(t, "the withdrawn key to be refused", func() bool { return s.Query(t, jwt, stack.Viewer, nil).Code() == "UNAUTHENTICATED" })
	require.Equal(t, "ann", s.Query(t, shop.Login(t, ann, "nobody is asked"), stack.Viewer, nil).OK(t).At("viewer", "subject"))
	s.Query(t, foreign, stack.Viewer, nil).OK(t)
}

// The provider's tokens for others are not credentials: an access token of another type, an ID token for another client.
func TestAnOpenIDProvidersOtherTokens(t *testing.T) {
	idp := newIDP(t, "ES256")
	narrow := stack.Configure(func(c *gateway.Config) { c.Issuers[len(c.Issuers)-1].Types = []string{""} })
	s := stack.Start(t, trusting("shop", idp), narrow)
	browser := oidc.NewBrowser(t, callback)
	s.Query(t, idp.Login(t, browser, "ann"), stack.Viewer, nil).OK(t)
	a := s.Query(t, idp.ClientToken(t, browser), stack.Viewer, nil)
	require.Equal(t, http.StatusUnauthorized, a.Status)

	elsewhere := stack.Start(t, trusting("shop", idp), stack.Configure(func(c *gateway.Config) { c.Issuers[len(c.Issuers)-1].Audience = "another-client" }))
	require.Equal(t, "UNAUTHENTICATED", elsewhere.Query(t, idp.Login(t, browser, "ann"), stack.Viewer, nil).Code())
	parts := strings.Split(idp.Login(t, browser, "ann"), ".")
	require.Len(t, parts, 3)
	require.Equal(t, "UNAUTHENTICATED", s.Query(t, parts[0]+"."+parts[1]+".AAAA", stack.Viewer, nil).Code())
}

// With one provider down, the gateway starts, and only that provider's users can't sign in.
func TestAnOpenIDProviderThatIsDown(t *testing.T) {
	s := stack.Start(t, stack.Configure(func(c *gateway.Config) {
		i := gateway.DefaultIssuer()
		i.Name, i.Issuer, i.Discovery = "down", "http://127.0.0.1:1", true
		c.Issuers = append(c.Issuers, i)
	}))
	s.Query(t, s.Session(t).JWT, stack.Viewer, nil).OK(t)
	stack.Await(t, "a warning that names it", func() bool {
		return strings.Contains(s.Logs.String(), `"msg":"an issuer's keys could not be fetched","issuer":"down"`)
	})
}
