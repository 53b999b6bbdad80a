package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/netlimit"
)

// browserHeader bounds a request's headers without its credential, in bytes: cookies, and headers of browsers and proxies.
const browserHeader = 16 << 10

// maxHeader bounds the headers of a request to the gateway: with one JWT, or two if a proxy passes one beside the client's
// own. net/http answers 431 to longer headers, before a credential is read.
func maxHeader(c *Config) int {
	jwts := 1
	if c.Credentials.Header != "" {
		jwts = 2
	}
	return jwts*c.Credentials.MaxSize + browserHeader
}

// Listeners are the sockets to serve on; a nil socket is opened as configured.
type Listeners struct{ Gateway, Objects net.Listener }

// gatewayListener names the listener of the gateway itself, to logs and metrics.
const gatewayListener = "gateway"

// stall is the time without a byte after which a request's connection may be closed for another, if none is idle.
const stall = 10 * time.Second

// maxStreams bounds the concurrent requests of one HTTP/2 connection, so that http.max_connections bounds all requests.
const maxStreams = 32

// Serve serves the gateway, and the other configured listeners, until ctx ends. Then it stops accepting, lets requests
// finish within http.shutdown_timeout, and closes the gateway within closeTimeout. It returns nil if all of that succeeded,
// and otherwise an error that joins the failures: of opening a listener or serving (they wrap net's), of finishing requests
// in time (context.DeadlineExceeded), or of Close.
func (g *Gateway) Serve(ctx context.Context, l Listeners) error {
	servers, err := g.servers(ctx, l)
	if err != nil {
		return errors.Join(err, g.closeWithin(ctx))
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
	return errors.Join(append(errs, g.closeWithin(ctx))...)
}

type served struct {
	name     string
	server   *http.Server
	listener net.Listener
}

// serve serves TLS, with HTTP/2, if the server has a TLS configuration, and otherwise HTTP.
func (s *served) serve() error {
	if s.server.TLSConfig != nil {
		return s.server.ServeTLS(s.listener, "", "")
	}
	return s.server.Serve(s.listener)
}

// limiter bounds the connections of a listener. Trusted proxies are exempt: their connections serve all users.
func (g *Gateway) limiter(name string) (*netlimit.Limiter, error) {
	o := netlimit.Options{
		Name: name, Total: g.cfg.HTTP.MaxConnections, PerAddress: g.cfg.HTTP.MaxPerAddress, Stall: stall,
		WriteTimeout: g.cfg.HTTP.WriteTimeout, Observer: g.telemetry,
	}
	for _, s := range slices.Concat(g.cfg.TrustedProxy.Peers, g.cfg.HTTP.TrustedHops) {
		n, err := netip.ParsePrefix(s)
		if err != nil { // config.Verify names it
			return nil, fmt.Errorf("config: trusted_proxy.peers, http.trusted_hops: %w", err)
		}
		o.Exempt = append(o.Exempt, n)
	}
	return netlimit.New(o)
}

// servers opens the listeners that are not open yet. If one can't be opened, it closes all.
func (g *Gateway) servers(ctx context.Context, l Listeners) (all []served, err error) {
	h := g.cfg.HTTP
	var sockets net.ListenConfig
	add := func(name, setting string, listener net.Listener, address string, handler http.Handler) {
		if err != nil {
			return
		}
		limiter, bad := g.limiter(name)
		if bad != nil {
			err = bad
			return
		}
		if listener == nil {
			if listener, err = sockets.Listen(ctx, "tcp", address); err != nil {
				err = fmt.Errorf("config: the address of %s, %s: %w", name, setting, err)
				return
			}
		}
		if g.cfg.Development {
			handler = onLoopback(handler, g.refuseOtherName(name))
		}
		all = append(all, served{name, &http.Server{
			// There is no WriteTimeout, because it would cut long responses: the limiter bounds each write.
			Handler: limiter.Handler(handler), ConnContext: netlimit.ConnContext, MaxHeaderBytes: browserHeader, IdleTimeout: h.IdleTimeout,
			ReadHeaderTimeout: min(h.ReadTimeout, 10*time.Second), ReadTimeout: h.ReadTimeout,
			HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
			ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
		}, limiter.Listen(listener)})
	}
	add(gatewayListener, "http.listen", l.Gateway, h.Listen, g)
	if err == nil {
		all[0].server.RegisterOnShutdown(g.EndStreams)
		all[0].server.TLSConfig = g.tls
		all[0].server.MaxHeaderBytes = maxHeader(g.cfg)
	}
	if g.objects != nil {
		add("objects", "objects.embedded.listen", l.Objects, g.cfg.Objects.Embedded.Listen, g.objects)
	}
	if m := g.cfg.Metrics.Listen; m != "" && m != config.MetricsOnGateway && m != config.MetricsOff {
		mux := http.NewServeMux()
		mux.Handle("/metrics", g.metrics)
		add("metrics", "metrics.listen", nil, m, mux)
	}
	if err != nil {
		for _, s := range all {
			_ = s.listener.Close()
		}
	}
	return all, err
}
