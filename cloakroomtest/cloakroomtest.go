// Package cloakroomtest starts a whole gateway for an application's own tests, in one line:
//
//	gw := cloakroomtest.Start(t)
//	session := gw.Session("ada")
//	token := gw.Tokenize(t, session, "123-45-6789")
//	// … the application under test, with gw.Client() or gw.Grants as the Grants of directives.Options …
//	gw.RequireGrant(t, session.ID, token, grant.Read)
//
// It is the real gateway with the embedded object store: loopback listeners on free ports, values in the test's temporary
// folder, one application whose JWTs it trusts. Database and keys are in memory on Linux (in /dev/shm, if that has a GiB free
// and temporary files go to /tmp), otherwise in the test's temporary folder. It ends with the test.
package cloakroomtest

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/gateway"
)

// The application's settings at the gateway.
const (
	Tenant = "app"             // its issuer's name, and so its tenant
	Issuer = "http://app.test" // the iss claim of its JWTs; nothing is fetched from it
)

// Gateway is a gateway that serves until its test ends. It is safe for concurrent use.
type Gateway struct {
	// URL is the gateway's base URL: client.Options.Endpoint, and the audience of JWTs.
	URL string
	// Keys sign the application's JWTs. An application under test that has its own appkit.Kit makes it with these
	// keys, Issuer and, as its audience, URL.
	Keys *appkit.Keys
	// Grants creates and verifies the application's grants in process: for directives.Options.
	Grants directives.Grants
	// Gateway is the gateway itself, with its metrics at /metrics of URL.
	Gateway *gateway.Gateway
	// Config has the settings that it was started with; it must not be changed.
	Config *gateway.Config

	kit *appkit.Kit
	app *client.Client
}

// Start starts a gateway, which ends with the test; the test fails at once if it can't be started. Each of configure may
// change the settings before the start. Rate limits are off, and every other limit is the default.
func Start(t testing.TB, configure ...func(*gateway.Config)) *Gateway {
	t.Helper()
	listeners := gateway.Listeners{Gateway: listen(t), Objects: listen(t)}
	gw := &Gateway{URL: "http://" + listeners.Gateway.Addr().String()}
	jwks := gw.newKit(t)
	gw.Config = settings(databaseFolder(t), t.TempDir(), gw.URL, "http://"+listeners.Objects.Addr().String(), jwks)
	for _, change := range configure {
		change(gw.Config)
	}
	var err error
	if gw.Gateway, err = gateway.New(t.Context(), gw.Config, nil); err != nil {
		t.Fatalf("cloakroomtest: the gateway can't be started: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- gw.Gateway.Serve(ctx, listeners) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("cloakroomtest: the gateway did not shut down cleanly: %v", err)
		}
	})
	if gw.Grants, err = gw.Gateway.Grants(Tenant); err != nil {
		t.Fatalf("cloakroomtest: %v", err)
	}
	gw.app = newClient(t, gw.URL, gw.Application)
	return gw
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	var sockets net.ListenConfig
	l, err := sockets.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("cloakroomtest: %v", err)
	}
	return l
}

// newKit makes the application's keys, and returns the set of their public halves.
func (gw *Gateway) newKit(t testing.TB) (jwks string) {
	t.Helper()
	key, err := appkit.GenerateKey()
	if err != nil {
		t.Fatalf("cloakroomtest: %v", err)
	}
	if gw.Keys, err = appkit.NewKeys(key); err != nil {
		t.Fatalf("cloakroomtest: %v", err)
	}
	gw.kit, err = appkit.New(appkit.Options{
		Issuer: Issuer, Audience: gw.URL, Keys: gw.Keys,
		Session: func(http.ResponseWriter, *http.Request) (appkit.Session, error) {
			return appkit.Session{}, appkit.ErrNoSession
		},
	})
	if err != nil {
		t.Fatalf("cloakroomtest: %v", err)
	}
	answer := httptest.NewRecorder()
	gw.kit.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, appkit.Path+"jwks.json", http.NoBody))
	return answer.Body.String()
}

func settings(database, objects, url, objectsURL, jwks string) *gateway.Config {
	cfg := gateway.DefaultConfig()
	cfg.Development = true // for http, and /metrics
	cfg.HTTP.PublicURL = url
	cfg.HTTP.RequestTimeout, cfg.HTTP.ShutdownTimeout = time.Minute, 30*time.Second // tests run on busy machines
	cfg.Rates = gateway.Config{}.Rates                                              // off: tests send more requests a second than pages
	cfg.Database.Path = filepath.Join(database, "cloakroom.db")
	cfg.Database.Reserve = 4 << 20 // many gateways run at once
	cfg.Keys.File, cfg.Keys.Create = filepath.Join(database, "keyset.json"), true
	cfg.Objects.Store = "embedded"
	cfg.Objects.Embedded.Dir = objects
	cfg.Objects.Embedded.Listen, cfg.Objects.Embedded.PublicURL = "127.0.0.1:0", objectsURL
	issuer := gateway.DefaultIssuer()
	issuer.Name, issuer.Issuer, issuer.JWKS, issuer.TrustRoles = Tenant, Issuer, jwks, true
	cfg.Issuers = []gateway.Issuer{issuer}
	return cfg
}

// Application returns the application's credential, as appkit.Kit.ApplicationToken does: it is a
// client.Options.Credentials. Its errors are those of signing.
func (gw *Gateway) Application(ctx context.Context) (jwt string, expiresAt time.Time, err error) {
	return gw.kit.ApplicationToken(ctx)
}

// Client returns a client of the gateway that is the application.
func (gw *Gateway) Client() *client.Client { return gw.app }

func newClient(t testing.TB, url string, credentials func(context.Context) (string, time.Time, error)) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Endpoint: url, Credentials: credentials, Timeout: time.Minute})
	if err != nil {
		t.Fatalf("cloakroomtest: %v", err)
	}
	return c
}
