// Package dev starts a gateway, the embedded object store and the example application together on
// loopback, for development: with default settings, and with all data in one folder. Your own application can replace the
// example.
package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"

	"github.com/cloakroomhq/cloakroom/examples/clinic"
	"github.com/cloakroomhq/cloakroom/gateway"
)

// Tenant is the example application's name at the gateway.
const Tenant = "clinic"

// Options are the options of the command line.
type Options struct {
	Data          string // folder of all data
	Listen        string // gateway; port 0 picks a free one
	ObjectsListen string
	AppListen     string                // example application; unused with App
	App           string                // base URL of your application, which may start later; "": the example
	Config        string                // YAML file of settings; "": none
	Environ       []string              // lines of NAME=value: CLOAKROOM_… are settings
	Configure     func(*gateway.Config) // changes settings, in tests and benchmarks; may be nil
	Application   func(*clinic.Options) // changes the example application's; may be nil
	Logger        *slog.Logger
	Out           io.Writer // the lines printed at start
}

// stack has the listeners and the URLs of the servers.
type stack struct {
	gateway, objects, app          net.Listener
	gatewayURL, objectsURL, appURL string
}

// Run starts the servers, prints their URLs, and serves until ctx ends.
func Run(ctx context.Context, o Options) error {
	s, err := listen(ctx, o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cfg, err := s.config(o)
	if err != nil {
		s.close()
		return err
	}
	// The application first: the gateway fetches its keys.
	stop := func() {}
	if o.App == "" {
		if stop, err = s.startExample(o, cancel); err != nil {
			s.close()
			return err
		}
	}
	if o.Configure != nil {
		o.Configure(cfg)
	}
	g, err := gateway.New(ctx, cfg, o.Logger)
	if err != nil {
		s.close()
		stop()
		return err
	}
	if err := keepSettings(o, cfg); err != nil {
		s.close()
		stop()
		return errors.Join(err, g.Close(context.WithoutCancel(ctx)))
	}
	s.print(o)
	err = g.Serve(ctx, gateway.Listeners{Gateway: s.gateway, Objects: s.objects})
	stop()
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
		if l.listener == &s.app && o.App != "" {
			continue
		}
		if *l.listener, err = sockets.Listen(ctx, "tcp", l.address); err != nil {
			s.close()
			return nil, fmt.Errorf("%s: %w; name another address, or port 0 for a free one", l.flag, err)
		}
		*l.url = "http://" + (*l.listener).Addr().String()
	}
	if o.App != "" {
		if err := s.ownApplication(o.App); err != nil {
			s.close()
			return nil, err
		}
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

func (s *stack) print(o Options) {
	if o.App != "" {
		s.printOwn(o)
		return
	}
	_, _ = fmt.Fprintf(o.Out, `Cloakroom is running.
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

func (s *stack) printOwn(o Options) {
	_, _ = fmt.Fprintf(o.Out, `Cloakroom is running, for the application at %[3]s.
  playground   %[1]s/
  GraphQL      %[1]s/graphql
  objects      %[2]s

Set these in the application's appkit.Options:
  Issuer          %[3]s
  Audience        %[1]s
  AllowedOrigins  %[1]s (the playground: it asks POST %[3]s/.cloakroom/session)
Its keys are fetched from %[3]s/.cloakroom/jwks.json, as soon as it is up.
If a JWT is refused: cloakroom doctor --config %[4]s --jwt FILE

Ctrl-C stops it; what is stored is kept.
`, s.gatewayURL, s.objectsURL, s.appURL, settingsFile(o))
}
