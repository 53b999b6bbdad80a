// Package gatewaytest adds a second application to cloakroomtest, for tests of the isolation of tenants.
package gatewaytest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/cloakroomtest"
	"github.com/cloakroomhq/cloakroom/gateway"
)

// The applications, by their names as tenants.
const (
	Own   = cloakroomtest.Tenant
	Other = "other"
)

// Gateway is a gateway that serves until the test ends.
type Gateway struct {
	*gateway.Gateway
	Config *gateway.Config
	URL    string

	own   *cloakroomtest.Gateway
	other *appkit.Kit
}

// Credentials is the type of client.Options.Credentials.
type Credentials = func(context.Context) (string, time.Time, error)

// Start starts a gateway; configure may be nil.
func Start(t testing.TB, configure func(*gateway.Config)) *Gateway {
	t.Helper()
	g := &Gateway{}
	g.own = cloakroomtest.Start(t, func(cfg *gateway.Config) {
		g.addOther(t, cfg)
		if configure != nil {
			configure(cfg)
		}
	})
	g.Gateway, g.Config, g.URL = g.own.Gateway, g.own.Config, g.own.URL
	return g
}

// addOther creates the other application. The gateway trusts its JWTs as well.
func (g *Gateway) addOther(t testing.TB, cfg *gateway.Config) {
	t.Helper()
	key, err := appkit.GenerateKey()
	require.NoError(t, err)
	keys, err := appkit.NewKeys(key)
	require.NoError(t, err)
	issuer := gateway.DefaultIssuer()
	issuer.Name, issuer.Issuer, issuer.TrustRoles = Other, "http://"+Other+".test", true
	g.other, err = appkit.New(appkit.Options{
		Issuer: issuer.Issuer, Audience: cfg.HTTP.PublicURL, Keys: keys,
		Session: func(http.ResponseWriter, *http.Request) (appkit.Session, error) {
			return appkit.Session{}, appkit.ErrNoSession
		},
	})
	require.NoError(t, err)
	answer := httptest.NewRecorder()
	g.other.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, appkit.Path+"jwks.json", http.NoBody))
	issuer.JWKS = answer.Body.String()
	cfg.Issuers = append(cfg.Issuers, issuer)
}

// Application returns the credentials of a tenant's application.
func (g *Gateway) Application(tenant string) Credentials {
	if tenant == Other {
		return g.other.ApplicationToken
	}
	return g.own.Application
}

// Session returns the credentials of one of a tenant's sessions, whose id at the gateway is
// appkit.SessionID(id).
func (g *Gateway) Session(tenant, id string) Credentials {
	if tenant == Own {
		return g.own.Session(id).Credentials
	}
	return func(ctx context.Context) (string, time.Time, error) {
		return g.other.SessionToken(ctx, appkit.Session{ID: id, Subject: id})
	}
}

// Requests returns how many requests of a root field the gateway has answered, with any outcome, by the gateway's metrics.
func (g *Gateway) Requests(t testing.TB, field string) (n int) {
	t.Helper()
	answer, err := http.Get(g.URL + "/metrics")
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	line := regexp.MustCompile(fmt.Sprintf(`(?m)^cloakroom_requests_total\{code="[^"]*",field="%s"\} (\S+)$`, field))
	for _, m := range line.FindAllSubmatch(text, -1) {
		count, err := strconv.ParseFloat(string(m[1]), 64)
		require.NoError(t, err)
		n += int(count)
	}
	return n
}
