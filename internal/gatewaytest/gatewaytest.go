// Package gatewaytest starts a whole gateway for tests: loopback listeners, the embedded object store, a
// database and keys in the test's folder, and two applications that sign their own JWTs.
package gatewaytest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/gateway"
)

// The applications, by their names as tenants.
const (
	Own   = "own"
	Other = "other"
)

// Gateway is a gateway that serves until the test ends.
type Gateway struct {
	*gateway.Gateway
	Config *gateway.Config
	URL    string
	kits   map[string]*appkit.Kit
}

// Credentials is the type of client.Options.Credentials.
type Credentials = func(context.Context) (string, time.Time, error)

// Start starts a gateway; configure may be nil.
func Start(t testing.TB, configure func(*gateway.Config)) *Gateway {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		return l
	}
	listeners := gateway.Listeners{Gateway: listen(), Objects: listen()}
	g := &Gateway{URL: "http://" + listeners.Gateway.Addr().String(), kits: map[string]*appkit.Kit{}}
	g.configure(t, "http://"+listeners.Objects.Addr().String())
	if configure != nil {
		configure(g.Config)
	}
	var err error
	g.Gateway, err = gateway.New(t.Context(), g.Config, nil)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, listeners) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-served)
	})
	return g
}

func (g *Gateway) configure(t testing.TB, objectsURL string) {
	t.Helper()
	dir := t.TempDir()
	cfg := gateway.DefaultConfig()
	cfg.Development = true // for /metrics
	cfg.HTTP.PublicURL = g.URL
	cfg.HTTP.RequestTimeout, cfg.HTTP.ShutdownTimeout = time.Minute, 30*time.Second // race detector, busy machines
	cfg.Rates = gateway.Config{}.Rates                                              // off: tests do in a second what no page does
	cfg.Database.Path = filepath.Join(dir, "cloakroom.db")
	cfg.Database.Reserve = 4 << 20 // many tests run at once
	cfg.Keys.File, cfg.Keys.Create = filepath.Join(dir, "keyset.json"), true
	cfg.Objects.Store = "embedded"
	cfg.Objects.Embedded.Dir = filepath.Join(dir, "objects")
	cfg.Objects.Embedded.Listen, cfg.Objects.Embedded.PublicURL = "127.0.0.1:0", objectsURL
	for _, tenant := range []string{Own, Other} {
		issuer := gateway.DefaultIssuer()
		issuer.Name, issuer.Issuer = tenant, "http://"+tenant+".test"
		issuer.TrustRoles = true
		key, err := appkit.GenerateKey()
		require.NoError(t, err)
		keys, err := appkit.NewKeys(key)
		require.NoError(t, err)
		kit, err := appkit.New(appkit.Options{
			Issuer: issuer.Issuer, Audience: g.URL, Keys: keys,
			Session: func(http.ResponseWriter, *http.Request) (appkit.Session, error) {
				return appkit.Session{}, appkit.ErrNoSession
			},
		})
		require.NoError(t, err)
		answer := httptest.NewRecorder()
		kit.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, appkit.Path+"jwks.json", nil))
		issuer.JWKS = answer.Body.String()
		g.kits[tenant] = kit
		cfg.Issuers = append(cfg.Issuers, issuer)
	}
	g.Config = cfg
}

// Application returns the credentials of a tenant's application.
func (g *Gateway) Application(tenant string) Credentials { return g.kits[tenant].ApplicationToken }

// Session returns the credentials of one of a tenant's sessions, whose id at the gateway is
// appkit.SessionID(id).
func (g *Gateway) Session(tenant, id string) Credentials {
	return func(ctx context.Context) (string, time.Time, error) {
		return g.kits[tenant].SessionToken(ctx, appkit.Session{ID: id, Subject: "user"})
	}
}

// Requests returns, from the gateway's metrics, how many requests of a root field it has answered, whatever
// the outcome.
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
