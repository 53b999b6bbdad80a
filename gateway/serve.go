package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"github.com/cloakroomhq/cloakroom/internal/config"
)

// maxHeader bounds a request's headers, in bytes: a JWT and what browsers send.
const maxHeader = 32 << 10

// Listeners are the sockets to serve on; a nil one is opened as configured.
type Listeners struct{ Gateway, Objects net.Listener }

// maxStreams bounds what one connection asks at once over HTTP/2, so that http.max_connections bounds what runs.
const maxStreams = 32

// Serve serves the gateway, and what is configured beside it, until ctx ends. Then it stops accepting,
// finishes what runs within http.shutdown_timeout, and closes the gateway.
func (g *Gateway) Serve(ctx context.Context, l Listeners) error {
	servers, err := g.servers(ctx, l)
	if err != nil {
		return errors.Join(err, g.Close(ctx))
	}
	failed := make(chan error, len(servers))
	for _, s := range servers {
		go func() {
			if err := s.serve(); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serving %s: %w", s.name, err)
			}
		}()
		g.log.InfoContext(ctx, "serving", slog.String("what", s.name), slog.String("address", s.listener.Addr().String()))
	}
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	return errors.Join(err, g.shutdown(context.WithoutCancel(ctx), servers))
}

func (g *Gateway) shutdown(ctx context.Context, servers []served) error {
	bounded, cancel := context.WithTimeout(ctx, g.cfg.HTTP.ShutdownTimeout)
	defer cancel()
	var errs []error
	for _, s := range servers {
		if err := s.server.Shutdown(bounded); err != nil {
			errs = append(errs, fmt.Errorf("stopping %s: %w", s.name, errors.Join(err, s.server.Close())))
		}
	}
	return errors.Join(append(errs, g.Close(ctx))...)
}

type served struct {
	name     string
	server   *http.Server
	listener net.Listener
}

// serve speaks TLS where the server is told how, and HTTP/2 then.
func (s *served) serve() error {
	if s.server.TLSConfig != nil {
		return s.server.ServeTLS(s.listener, "", "")
	}
	return s.server.Serve(s.listener)
}

// servers opens what is not open yet; where one can't be opened, it closes all.
func (g *Gateway) servers(ctx context.Context, l Listeners) (all []served, err error) {
	h := g.cfg.HTTP
	var sockets net.ListenConfig
	add := func(name, setting string, listener net.Listener, address string, handler http.Handler, transfer time.Duration) {
		if err != nil {
			return
		}
		if listener == nil {
			if listener, err = sockets.Listen(ctx, "tcp", address); err != nil {
				err = fmt.Errorf("config: the address of %s, %s: %w", name, setting, err)
				return
			}
		}
		if g.cfg.Development {
			handler = onLoopback(handler)
		}
		all = append(all, served{name, &http.Server{
			Handler: handler, MaxHeaderBytes: maxHeader, IdleTimeout: h.IdleTimeout,
			ReadHeaderTimeout: min(h.ReadTimeout, 10*time.Second), ReadTimeout: h.ReadTimeout,
			WriteTimeout: h.ReadTimeout + h.RequestTimeout + transfer,
			HTTP2:        &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
			ErrorLog:     slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
		}, netutil.LimitListener(listener, h.MaxConnections)})
	}
	add("gateway", "http.listen", l.Gateway, h.Listen, g, 0)
	if err == nil {
		all[0].server.TLSConfig = g.tls
	}
	if g.objects != nil {
		// A value may take as long as the request that bears it is valid; to be read, once the store has verified the request.
		add("objects", "objects.embedded.listen", l.Objects, g.cfg.Objects.Embedded.Listen, g.objects, g.cfg.Objects.UploadLifetime)
	}
	if m := g.cfg.Metrics.Listen; m != "" && m != config.MetricsOnGateway && m != config.MetricsOff {
		mux := http.NewServeMux()
		mux.Handle("/metrics", g.metrics)
		add("metrics", "metrics.listen", nil, m, mux, 0)
	}
	if err != nil {
		for _, s := range all {
			_ = s.listener.Close()
		}
	}
	return all, err
}
