// Package dev starts a gateway, the embedded object store and the example application together on
// loopback, for development: everything on defaults, everything kept in one folder.
package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/cloakroomhq/cloakroom/examples/clinic"
	"github.com/cloakroomhq/cloakroom/gateway"
)

// Tenant is the example application's name at the gateway.
const Tenant = "clinic"

// Options are the command line's.
type Options struct {
	Data          string // folder of everything that is kept
	Listen        string // gateway; port 0 picks a free one
	ObjectsListen string
	AppListen     string
	Environ       []string              // lines of NAME=value: CLOAKROOM_… for what is not set here
	Configure     func(*gateway.Config) // changes settings, in tests and benchmarks; may be nil
	Application   func(*clinic.Options) // changes the example application's; may be nil
	Logger        *slog.Logger
	Out           io.Writer // the lines printed at start
}

// stack is what runs.
type stack struct {
	gateway, objects, app          net.Listener
	gatewayURL, objectsURL, appURL string
}

// Run starts all of it, prints where it is, and serves until ctx ends.
func Run(ctx context.Context, o Options) error {
	s, err := listen(ctx, o)
	if err != nil {
		return err
	}
	application := clinic.Options{
		BaseURL: s.appURL, GatewayURL: s.gatewayURL, ObjectsURL: s.objectsURL, DataDir: o.Data,
		PlaygroundOrigins: []string{s.gatewayURL}, Logger: o.Logger,
	}
	if o.Application != nil {
		o.Application(&application)
	}
	app, err := clinic.New(application)
	if err != nil {
		s.close()
		return err
	}
	// The application first: the gateway fetches its keys.
	server := &http.Server{
		Handler: app, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
	}
	server.RegisterOnShutdown(app.Stop)
	defer func() { _ = app.Close() }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		if err := server.Serve(s.app); !errors.Is(err, http.ErrServerClosed) {
			cancel(fmt.Errorf("serving the application: %w", err))
		}
	}()
	cfg, err := s.config(o)
	if err != nil {
		s.close()
		return errors.Join(err, server.Close())
	}
	if o.Configure != nil {
		o.Configure(cfg)
	}
	g, err := gateway.New(ctx, cfg, o.Logger)
	if err != nil {
		s.close()
		return errors.Join(err, server.Close())
	}
	s.print(o.Out)
	err = g.Serve(ctx, gateway.Listeners{Gateway: s.gateway, Objects: s.objects})
	bounded, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer done()
	if server.Shutdown(bounded) != nil { // such as for a connection that a browser has opened ahead
		_ = server.Close()
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(err, cause)
	}
	return err
}

// Verify refuses addresses beyond loopback, naming the flag and the remedy: a development stack signs anybody in.
func (o Options) Verify() error {
	for _, l := range []struct{ flag, address string }{
		{"--listen", o.Listen}, {"--objects-listen", o.ObjectsListen}, {"--app-listen", o.AppListen},
	} {
		host, port, err := net.SplitHostPort(l.address)
		switch {
		case err != nil:
			return fmt.Errorf("%s=%s: no address; write host:port, such as 127.0.0.1:8080", l.flag, l.address)
		case !gateway.Loopback(host):
			return fmt.Errorf("%[1]s=%[2]s: dev listens on loopback only, because it signs anybody in; write %[1]s=127.0.0.1:%[3]s, "+
				"or use `cloakroom serve` for a gateway that others reach", l.flag, l.address, port)
		}
	}
	return nil
}

func listen(ctx context.Context, o Options) (s *stack, err error) {
	if err := o.Verify(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	s = &stack{}
	var sockets net.ListenConfig
	for _, l := range []struct {
		flag, address string
		listener      *net.Listener
		url           *string
	}{
		{"--listen", o.Listen, &s.gateway, &s.gatewayURL},
		{"--objects-listen", o.ObjectsListen, &s.objects, &s.objectsURL},
		{"--app-listen", o.AppListen, &s.app, &s.appURL},
	} {
		if *l.listener, err = sockets.Listen(ctx, "tcp", l.address); err != nil {
			s.close()
			return nil, fmt.Errorf("%s: %w; name another address, or port 0 for a free one", l.flag, err)
		}
		*l.url = "http://" + (*l.listener).Addr().String()
	}
	return s, nil
}

func (s *stack) close() {
	for _, l := range []net.Listener{s.gateway, s.objects, s.app} {
		if l != nil {
			_ = l.Close()
		}
	}
}

// config is a development gateway's: nothing here weakens what protects values.
func (s *stack) config(o Options) (*gateway.Config, error) {
	cfg, err := gateway.LoadConfig("", o.Environ)
	if err != nil {
		return nil, err
	}
	cfg.Development = true
	cfg.HTTP.Listen = s.gateway.Addr().String()
	cfg.HTTP.PublicURL = s.gatewayURL
	cfg.HTTP.AllowedOrigins = []string{s.appURL}
	cfg.GraphQL.Introspection = true
	cfg.Database.Path = filepath.Join(o.Data, "cloakroom.db")
	cfg.Keys.File = filepath.Join(o.Data, "keyset.json")
	cfg.Keys.Create = true
	cfg.Objects.Store = "embedded"
	cfg.Objects.Embedded.Dir = filepath.Join(o.Data, "objects")
	cfg.Objects.Embedded.Listen = s.objects.Addr().String()
	cfg.Objects.Embedded.PublicURL = s.objectsURL
	cfg.Playground.Enabled = true
	cfg.Playground.SessionURL = s.appURL + "/.cloakroom/session"
	issuer := gateway.DefaultIssuer()
	issuer.Name, issuer.Issuer, issuer.JWKSURL = Tenant, s.appURL, s.appURL+"/.cloakroom/jwks.json"
	issuer.SignIn.Enabled, issuer.SignIn.ReturnTo = true, []string{s.appURL, s.gatewayURL}
	cfg.Issuers = []gateway.Issuer{issuer}
	return cfg, nil
}

func (s *stack) print(out io.Writer) {
	_, _ = fmt.Fprintf(out, `Cloakroom is running.
  playground   %[1]s/
  GraphQL      %[1]s/graphql
  objects      %[2]s
  example app  %[3]s/

Try it from another terminal:
  JWT=$(curl -s -X POST %[3]s/.cloakroom/session | sed 's/.*"token":"\([^"]*\)".*/\1/')
  curl -s %[1]s/graphql -H "Authorization: Bearer $JWT" -H 'Content-Type: application/json' -d '{"query":"{ viewer { tenant sessionHash expiresAt } }"}'
  curl -s %[1]s/graphql -H "Authorization: Bearer $JWT" -H 'Content-Type: application/json' -d '{"query":"mutation { tokenize { token upload { method url headers { name value } } } }"}'

Ctrl-C stops it; what is stored is kept.
`, s.gatewayURL, s.objectsURL, s.appURL)
}
