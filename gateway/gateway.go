// Package gateway wires all other packages: from settings it makes an http.Handler. The program, the
// end-to-end tests and Go services that embed the gateway start here.
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/graph"
	"github.com/cloakroomhq/cloakroom/internal/httpd"
	"github.com/cloakroomhq/cloakroom/internal/keyring"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/revocation"
	"github.com/cloakroomhq/cloakroom/internal/settings"
	"github.com/cloakroomhq/cloakroom/internal/signin"
	"github.com/cloakroomhq/cloakroom/internal/space"
	"github.com/cloakroomhq/cloakroom/internal/telemetry"
	"github.com/cloakroomhq/cloakroom/internal/vault"
	"github.com/cloakroomhq/cloakroom/models/sqlite"
	"github.com/cloakroomhq/cloakroom/resolvers"
)

// Config has the gateway's settings. Package config describes the fields; docs/configuration.md says more of each.
type Config = config.Config

// Issuer is one trusted signer of JWTs, an entry of Config.Issuers.
type Issuer = config.Issuer

// Rate is one of Config.Rates.
type Rate = config.Rate

// DefaultConfig returns the defaults of all settings. HTTP.PublicURL, Issuers, Database.Path, Keys.File
// and Objects have no default.
func DefaultConfig() *Config { return config.Default() }

// DefaultIssuer returns the defaults of an issuer's settings. Name, Issuer and the source of its keys (one of
// Discovery, JWKSURL and JWKS) have no default; an empty Audience means HTTP.PublicURL.
func DefaultIssuer() Issuer { return config.DefaultIssuer() }

// LoadConfig reads settings from a YAML file ("" for none), then from the environment, which overrides the file
// and has lines of NAME=value. It does not verify the settings: New does. Errors: the error of reading the file,
// wrapped (fs.ErrNotExist); or, joined and without sentinels, one for each name that is no setting and each value that can't be read.
func LoadConfig(file string, environ []string) (*Config, error) { return settings.Load(file, environ) }

// Version is the program's, set at build time.
var Version = "dev"

// Gateway is a running gateway: an http.Handler for its own routes, and the handler of the embedded
// object store if there is one.
type Gateway struct {
	cfg         *Config
	log         *slog.Logger
	vault       *vault.Vault
	revocations *revocation.Set
	handler     http.Handler
	objects     http.Handler // nil unless embedded
	metrics     http.Handler

	telemetry *telemetry.Metrics
	admission *admission

	tls      *tls.Config // nil: Serve speaks HTTP
	closers  []func(context.Context) error
	stop     context.CancelFunc
	running  sync.WaitGroup
	closing  atomic.Bool
	closed   chan struct{} // closed once closeErr is set
	closeErr error
}

// New checks the settings, opens everything, tests the object store with a canary, and starts the
// background work. The logger gets no secrets; nil discards.
//
// If settings are wrong or unsafe it returns the error of Config.Verify, which names each with its remedy. Other errors say
// what can't be opened: a file of the settings, the database, the keyset, which must be the keyset that the database was made
// with, or the store. They wrap the cause: fs.ErrNotExist, or ctx's error if ctx has ended. After an error nothing is left open.
func New(ctx context.Context, cfg *Config, log *slog.Logger) (*Gateway, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := cfg.Verify(); err != nil {
		return nil, err
	}
	log = slog.New(httpd.LogRequestIDs(log.Handler()))
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	g := &Gateway{cfg: cfg, log: log, stop: stop, closed: make(chan struct{}), telemetry: telemetry.NewMetrics(Version)}
	if err := g.open(ctx, background); err != nil {
		return nil, errors.Join(err, g.closeWithin(ctx))
	}
	return g, nil
}

func (g *Gateway) open(ctx, background context.Context) error {
	metrics := g.telemetry
	tracer, stopTracing, err := telemetry.NewTracer(ctx, g.cfg.Tracing, Version)
	if err != nil {
		return err
	}
	g.closers = append(g.closers, stopTracing)
	if g.tls, err = newTLS(g.cfg, g.log); err != nil {
		return err
	}
	rows, err := g.openDatabase(ctx)
	if err != nil {
		return err
	}
	keys, err := openKeys(ctx, g.cfg, rows)
	if err != nil {
		return err
	}
	store, err := g.openObjects(ctx)
	if err != nil {
		return err
	}
	ends, err := g.openRevocations(ctx, rows, store, metrics)
	if err != nil {
		return err
	}
	rates, err := g.newLimiter(metrics)
	if err != nil {
		return err
	}
	v, err := vault.New(vault.Options{
		Rows: rows, Keys: keys, Objects: store, Sessions: ends, Space: g.admission, Rates: rates, Observer: metrics, Logger: g.log, Limits: limits(g.cfg), Mode: mode(g.cfg),
		Prefixes: append([]string{g.cfg.Tokens.Prefix}, g.cfg.Tokens.AcceptedPrefixes...),
		Framed:   framed(g.cfg),
	})
	if err != nil {
		return err
	}
	g.vault, g.revocations = v, ends
	auth, err := g.newAuthenticator(rates, metrics)
	if err != nil {
		return err
	}
	v.OnGrant(auth.Named)
	flow, err := g.newSignIn(ctx, auth, keys, rows, ends, rates, metrics)
	if err != nil {
		return err
	}
	guarded := ends.Guard(flow)
	if err := g.route(httpd.Options{
		Schema:        graph.NewExecutableSchema(graph.Config{Resolvers: &resolvers.Resolver{Vault: v}}),
		Authenticator: guarded, Rates: rates, Observer: metrics, Logger: g.log, Tracer: tracer,
		Checks: g.checks(rows, keys),
		SignIn: flow, Logout: g.backChannelLogout(ends, auth, rates, metrics),
	}, metrics, store); err != nil {
		return err
	}
	g.work(background, auth.Run, g.admission.run,
		func(ctx context.Context) { g.pollRevocations(ctx, ends) },
		g.sweeper("tokens and grants", v.Sweep), g.sweeper("uploads in parts", v.SweepUploads), g.sweeper("ended sessions", ends.Sweep), g.sweeper("sign-in states", flow.Sweep))
	return nil
}

// work starts the background work, which runs until ctx ends.
func (g *Gateway) work(ctx context.Context, runs ...func(context.Context)) {
	for _, run := range runs {
		g.running.Go(func() { run(ctx) })
	}
}

// checks returns the parts of /readyz.
func (g *Gateway) checks(rows database, keys *keyring.Keyring) []httpd.Check {
	return []httpd.Check{
		{Name: "database", Ask: rows.Ready}, {Name: "objects", Ask: g.admission.storeReady}, {Name: "keys", Ask: keys.Ready},
		{Name: "space", Ask: g.admission.ready, Degrades: true},
	}
}

// database has the methods of an engine that the packages need. Only those packages know the types of rows.
type database interface {
	vault.Rows
	revocation.Rows
	signin.Rows
	reserved
	Setting(ctx context.Context, name string, initial []byte) ([]byte, error)
	Ready(ctx context.Context) error
}

func (g *Gateway) openDatabase(ctx context.Context) (database, error) {
	reserve := g.cfg.Database.Reserve
	if reserve == 0 {
		var err error
		if reserve, err = space.Reserve(filepath.Dir(g.cfg.Database.Path)); err != nil {
			return nil, fmt.Errorf("config: database.path: %w", err)
		}
	}
	rows, err := sqlite.Open(ctx, sqlite.Options{Path: g.cfg.Database.Path, Reserve: reserve})
	if err != nil {
		return nil, err
	}
	g.closers = append(g.closers, func(ctx context.Context) error { return finish(ctx, "the database", rows.Close, rows.Abort) })
	return rows, g.openAdmission(rows)
}

// openKeys refuses a keyset other than the one that sealed the database: with it, every token would be
// unreadable, and new tokens would hide the error.
func openKeys(ctx context.Context, cfg *Config, rows database) (*keyring.Keyring, error) {
	load := keyring.LoadFile
	if cfg.Keys.Create {
		load = keyring.LoadOrCreateFile
	}
	keys, err := load(cfg.Keys.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("config: keys.file: %w (`cloakroom keys create` makes a keyset, once)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("config: keys.file: %w", err)
	}
	mark, err := keys.NewCheck()
	if err != nil {
		return nil, err
	}
	if mark, err = rows.Setting(ctx, "keyset-check", mark); err != nil {
		return nil, err
	}
	if err := keys.Check(mark); err != nil {
		return nil, fmt.Errorf("config: keys.file: %w; name the keyset that belongs to database.path", err)
	}
	return keys, nil
}

func (g *Gateway) route(o httpd.Options, metrics *telemetry.Metrics, store objects.Store) error {
	o.HTTP, o.GraphQL = g.cfg.HTTP, g.cfg.GraphQL
	g.metrics = metrics.Handler()
	if l := g.cfg.Metrics.Listen; l == config.MetricsOnGateway || l == "" && g.cfg.Development {
		o.Metrics = g.metrics
	}
	var err error
	if o.Playground, err = g.playground(store); err != nil {
		return err
	}
	g.handler, err = httpd.New(o)
	return err
}

// ServeHTTP implements http.Handler: /graphql, /session/…, /healthz, /readyz and, as configured, /metrics and the
// playground at /.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }

// Objects returns the embedded object store's handler, to be served at Objects.Embedded.PublicURL. It is
// nil if the store is S3.
func (g *Gateway) Objects() http.Handler { return g.objects }

// framed returns the tenants whose values are read in the gateway's own pages only. An issuer's tenant decides for all of its callers.
func framed(cfg *Config) map[string]bool {
	tenants := map[string]bool{}
	for _, i := range cfg.Issuers {
		if i.Detokenize.From == config.FromFrame {
			tenants[i.TenantName()] = true
		}
	}
	return tenants
}

func limits(cfg *Config) vault.Limits {
	o := cfg.Objects
	l := vault.Limits{
		Batch: cfg.Tokens.MaxBatch, GrantBatch: cfg.Grants.MaxBatch, MaxTTL: cfg.Tokens.MaxTTL,
		ObjectSize: o.MaxSize, UnsizedSize: min(o.MaxUnsizedSize, o.MaxSize), RequireSize: o.RequireSize,
		DefaultGrant: cfg.Grants.DefaultDuration, MaxGrant: cfg.Grants.MaxDuration,
		MultipartSize: o.MaxMultipartSize, UploadLifetime: o.MultipartLifetime, SessionUploads: o.MaxSessionUploads, TenantUploads: o.MaxTenantUploads,
	}
	if o.Store == "embedded" {
		l.MultipartSize = min(l.MultipartSize, o.MaxSize)
	}
	for _, r := range []config.Rate{cfg.Rates.BytesReserved.Session, cfg.Rates.BytesReserved.Tenant} {
		if !r.Off() && (l.PartSize == 0 || r.Burst < l.PartSize) {
			l.PartSize = r.Burst // a larger part could never be signed
		}
	}
	return l
}
