// Package clinic is an example application in front of a Cloakroom gateway: doctors keep records of patients, whose
// social security numbers, notes and documents are tokens. The clinic's database and its backend hold no
// value; the page sends values to the object store and fetches them from there.
//
// This needs the annotations in graph/schema, and a few lines in api/api.go. The rest is an ordinary
// application: a schema, a database (store), logins, and an access rule. A doctor sees her own
// patients and a patient himself (store.visible), so @token creates grants for these users' sessions.
//
// # Sessions
//
// A user who logs in has a session in the clinic's database, which ends at logout; the number of sessions per
// user is bounded. A visitor's session is anonymous: a random id in a signed cookie, and nothing on the
// server, because anonymous clients could fill a store of such sessions without bound. Visitors use the page /try,
// which tokenizes and detokenizes values without the clinic's API. A visitor keeps the tokens after a login.
//
// POST /.cloakroom/session?new=1 replaces the caller's session by an anonymous one, which ends a login.
// It is a feature of this example, to show that another session can't open a token; appkit doesn't have it.
package clinic

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/examples/clinic/api"
	"github.com/cloakroomhq/cloakroom/examples/clinic/store"
)

// Files in Options.DataDir.
const (
	SigningKeyFile   = "app-signing-key.jwk"
	CookieSecretFile = "app-cookie-secret"
	DatabaseFile     = "clinic.db"
)

// Options are the clinic's settings. Those without a default are required.
type Options struct {
	// BaseURL is the address of this application in browsers, such as http://127.0.0.1:8082.
	BaseURL string
	// GatewayURL is the gateway's base URL; the page calls its /graphql.
	GatewayURL string
	// ObjectsURL is any URL of the object store in browsers. The page may connect to its origin,
	// and to no other except the gateway's.
	ObjectsURL string
	// DataDir holds the secrets that have to survive a restart. It is made if it doesn't exist.
	DataDir string
	// Keys sign the session tokens: unless set, the key in DataDir, which is made if there is none.
	Keys *appkit.Keys
	// Grants is the gateway, for @token. EndSession ends a session there at logout, by its id at the gateway. Unless
	// Grants is set, both use a client of GatewayURL with the application's own credentials.
	Grants     directives.Grants
	EndSession func(ctx context.Context, session string) error
	// PlaygroundOrigins are origins whose pages may get session tokens too.
	PlaygroundOrigins []string
	// CarryGrants moves a session's grants to another session at the gateway, both by their ids there, so that a visitor
	// keeps the tokens after a login. Unless Grants is set, it uses the client too; if it is nil, no grants are moved.
	CarryGrants func(ctx context.Context, from, to string) error
	// GrantTimeout bounds each of @token's calls to the gateway: directives.DefaultTimeout unless set.
	GrantTimeout time.Duration
	// Logger gets errors: slog.Default() unless set.
	Logger *slog.Logger
	// Now is the clock: time.Now unless set.
	Now func() time.Time
}

// Clinic is the application, an http.Handler. Close it when it no longer serves.
type Clinic struct {
	mux   *http.ServeMux
	base  *url.URL
	api   *api.API
	store *store.Store
}

// New returns the application.
func New(options Options) (*Clinic, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	base, err := checkOptions(options)
	if err != nil {
		return nil, fmt.Errorf("clinic: %w", err)
	}
	rows, err := store.Open(context.Background(), filepath.Join(options.DataDir, DatabaseFile))
	if err != nil {
		return nil, fmt.Errorf("clinic: %w", err)
	}
	c := &Clinic{base: base, mux: http.NewServeMux(), store: rows}
	if err := c.mount(base, options); err != nil {
		return nil, fmt.Errorf("clinic: %w", errors.Join(err, rows.Close()))
	}
	return c, nil
}

// checkOptions returns the parsed BaseURL, and makes the folder.
func checkOptions(options Options) (*url.URL, error) {
	base, err := url.Parse(options.BaseURL)
	if err != nil || base.Path != "" {
		return nil, fmt.Errorf("BaseURL %q: write it as http://host:port, without a path", options.BaseURL)
	}
	if options.DataDir == "" {
		return nil, fmt.Errorf("DataDir is missing: give the folder for the clinic's secrets")
	}
	if err := os.MkdirAll(options.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("DataDir: %w", err)
	}
	return base, nil
}

func (c *Clinic) mount(base *url.URL, options Options) error {
	if err := seedUsers(context.Background(), c.store); err != nil {
		return err
	}
	sessions, err := newSessions(base, options, c.store)
	if err != nil {
		return err
	}
	kit, err := newKit(sessions, options)
	if err != nil {
		return err
	}
	if options.Grants == nil {
		if err := connect(kit, &options); err != nil {
			return err
		}
	}
	pages, err := newPage(base, options)
	if err != nil {
		return err
	}
	if c.api, err = api.New(api.Options{
		Store: c.store, Grants: options.Grants, Timeout: options.GrantTimeout, Logger: options.Logger, Now: options.Now,
	}); err != nil {
		return err
	}
	sessions.carry = options.CarryGrants
	sessions.ended = func(ctx context.Context, session string) {
		c.api.SessionEnded(session)
		if options.EndSession == nil {
			return
		}
		if err := options.EndSession(ctx, appkit.SessionID(session)); err != nil {
			options.Logger.ErrorContext(ctx, "a session that ended here could not be ended at the gateway", slog.Any("error", err))
		}
	}
	c.mux.Handle(appkit.Path, kit)
	c.mux.Handle("POST /graphql", kit.Middleware(c.api))
	// Forms of other sites are refused by the headers in which browsers name a request's origin.
	forms := http.NewCrossOriginProtection()
	c.mux.Handle("POST /login", forms.Handler(http.HandlerFunc(sessions.serveLogin)))
	c.mux.Handle("POST /logout", forms.Handler(http.HandlerFunc(sessions.serveLogout)))
	for path := range pages.files {
		c.mux.Handle("GET "+path, pages)
	}
	return nil
}

// ServeHTTP implements http.Handler. On loopback it answers under loopback's names only: if another name resolves to
// loopback (DNS rebinding), its page has the same origin to a browser, and to http.CrossOriginProtection. Elsewhere TLS
// prevents that.
func (c *Clinic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isLoopback(c.base.Hostname()) && !isLoopback((&url.URL{Host: r.Host}).Hostname()) {
		http.Error(w, "The clinic is at "+c.base.String()+".", http.StatusMisdirectedRequest)
		return
	}
	c.mux.ServeHTTP(w, r)
}

// Stop ends the subscriptions, which would delay a server's shutdown: pass it to RegisterOnShutdown.
func (c *Clinic) Stop() { c.api.Stop() }

// Close calls Stop, and closes the database. Stop serving first.
func (c *Clinic) Close() error {
	c.Stop()
	return c.store.Close()
}

// connect makes a client of the gateway, for @token.
func connect(kit *appkit.Kit, options *Options) error {
	c, err := client.New(client.Options{Endpoint: options.GatewayURL, Credentials: kit.ApplicationToken})
	if err != nil {
		return err
	}
	options.Grants = c
	options.EndSession = func(ctx context.Context, session string) error {
		_, err := c.EndSession(ctx, session)
		return err
	}
	options.CarryGrants = func(ctx context.Context, from, to string) error {
		_, err := c.CarryGrants(ctx, from, to)
		return err
	}
	return nil
}

func newKit(sessions *sessions, options Options) (*appkit.Kit, error) {
	keys := options.Keys
	if keys == nil {
		key, err := appkit.LoadOrCreateKey(filepath.Join(options.DataDir, SigningKeyFile))
		if err != nil {
			return nil, err
		}
		if keys, err = appkit.NewKeys(key); err != nil {
			return nil, err
		}
	}
	return appkit.New(appkit.Options{
		Issuer:         options.BaseURL,
		Audience:       options.GatewayURL,
		Keys:           keys,
		Session:        sessions.current,
		AllowedOrigins: options.PlaygroundOrigins,
		Logger:         options.Logger,
		Now:            options.Now,
	})
}

func newSessions(base *url.URL, options Options, rows *store.Store) (*sessions, error) {
	secret, err := appkit.LoadOrCreateSecret(filepath.Join(options.DataDir, CookieSecretFile))
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "cloakroom/clinic/session-cookie/v1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the cookie's key: %w", err)
	}
	return &sessions{
		key: key, name: cookieName(base), secure: base.Scheme == "https", now: options.Now,
		store: rows, log: options.Logger, checking: make(chan struct{}, maxChecking),
	}, nil
}
