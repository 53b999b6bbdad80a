package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/examples/clinic"
	"github.com/cloakroomhq/cloakroom/internal/clientaddr"
)

// OwnTenant is the gateway's name for the application of Options.App.
const OwnTenant = "app"

// ownApplication sets the application's URL from --app: an origin, with or without a slash at its end, which is what the
// application calls itself.
func (s *stack) ownApplication(app string) error {
	base := strings.TrimSuffix(app, "/")
	u, err := url.Parse(base)
	refuse := func(why string) error {
		return fmt.Errorf("--app=%s: %s; write its base URL, such as http://localhost:3000", app, why)
	}
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return refuse("no URL of an application")
	case u.Scheme+"://"+u.Host != base || base != strings.ToLower(base):
		return refuse("the gateway compares it exactly: it must have a scheme, a host in lower case and a port alone")
	case u.Scheme == "http" && u.Port() == "80" || u.Scheme == "https" && u.Port() == "443":
		return refuse("browsers omit the scheme's own port")
	case u.Scheme == "http" && !clientaddr.Loopback(u.Hostname()):
		return refuse("over http an application may be on loopback only")
	}
	// For a browser localhost and 127.0.0.1 are two sites, and a page of one gets no cookie of the other: the playground
	// must be on the application's site.
	if u.Hostname() == "localhost" {
		_, port, err := net.SplitHostPort(s.gateway.Addr().String())
		if err != nil {
			return err
		}
		s.gatewayURL = "http://localhost:" + port
	}
	if s.appURL = base; base == s.gatewayURL || base == s.objectsURL {
		return refuse("this is where dev itself listens")
	}
	return nil
}

// startExample serves the example application, and returns a function that stops it. It calls fail if the application stops
// by itself.
func (s *stack) startExample(o Options, fail context.CancelCauseFunc) (stop func(), err error) {
	application := clinic.Options{
		BaseURL: s.appURL, GatewayURL: s.gatewayURL, ObjectsURL: s.objectsURL, DataDir: o.Data,
		PlaygroundOrigins: []string{s.gatewayURL}, Logger: o.Logger,
	}
	if o.Application != nil {
		o.Application(&application)
	}
	app, err := clinic.New(application)
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		Handler: app, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
	}
	server.RegisterOnShutdown(app.Stop)
	go func() {
		if err := server.Serve(s.app); !errors.Is(err, http.ErrServerClosed) {
			fail(fmt.Errorf("serving the application: %w", err))
		}
	}()
	return func() {
		bounded, done := context.WithTimeout(context.Background(), 5*time.Second)
		defer done()
		if server.Shutdown(bounded) != nil { // for example, a browser has opened a connection in advance
			_ = server.Close()
		}
		_ = app.Close()
	}, nil
}
