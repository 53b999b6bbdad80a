package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/oidc"
	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/gateway"
)

// A user who logs out at an OpenID provider is logged out at the gateway too: the provider's logout token ends that session,
// with its grants, and no other.
func TestALogoutAtAnOpenIDProvider(t *testing.T) {
	var gatewayURL atomic.Pointer[url.URL] // the provider's settings need it before the gateway runs
	relay := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(gatewayURL.Load()) }})
	t.Cleanup(relay.Close)
	party := oidc.NewClient("cloakroom", callback)
	party.BackChannelLogoutURI = relay.URL + "/session/back-channel-logout"
	idp := oidc.Start(t, oidc.Settings{Clients: []oidc.Client{party}, Resource: "cloakroom"})
	s := stack.Start(t, trusting("shop", idp), stack.Configure(func(c *gateway.Config) { c.Issuers[len(c.Issuers)-1].BackChannelLogout = true }))
	at, err := url.Parse(s.GatewayURL)
	require.NoError(t, err)
	gatewayURL.Store(at)

	browser := oidc.NewBrowser(t, callback)
	jwt, other := idp.Login(t, browser, "ann"), idp.Login(t, oidc.NewBrowser(t, callback), "ann")
	token, _ := s.Store(t, jwt, []byte("a value"), nil)
	require.Equal(t, "a value", string(s.Read(t, jwt, token)))
	s.Query(t, other, stack.Viewer, nil).OK(t)

	_, page := oidc.Visit(t, browser, idp.Issuer+"/session/end?id_token_hint="+jwt, "")
	form := regexp.MustCompile(`name="xsrf" value="([^"]+)"`).FindStringSubmatch(page)
	require.Len(t, form, 2, page)
	answer, err := browser.PostForm(idp.Issuer+"/session/end/confirm", url.Values{"xsrf": {form[1]}, "logout": {"yes"}})
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)

	stack.Await(t, "the logout token to arrive", func() bool { return s.Query(t, jwt, stack.Viewer, nil).Code() == "UNAUTHENTICATED" })
	s.Query(t, other, stack.Viewer, nil).OK(t)
	require.Equal(t, "ann", s.Query(t, idp.Login(t, browser, "ann"), stack.Viewer, nil).OK(t).At("viewer", "subject"), "a new login is a new session")
}
