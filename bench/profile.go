package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/gateway"
)

// profiledGateway runs `cloakroom serve` with Go's profiler on a separate address.
func profiledGateway(args []string) error {
	flags := flag.NewFlagSet("profiled-gateway", flag.ExitOnError)
	config, debug := flags.String("config", "", ""), flags.String("debug", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg, err := gateway.LoadConfig(*config, nil)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	g, err := gateway.New(ctx, cfg, slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	serveDebug(*debug)
	go endWithStdin(stop)
	return g.Serve(ctx, gateway.Listeners{})
}

// serveDebug serves net/http/pprof, which registers itself with the default mux; for "" it does nothing.
func serveDebug(address string) {
	if address == "" {
		return
	}
	s := &http.Server{Addr: address, Handler: http.DefaultServeMux, ReadHeaderTimeout: 10 * time.Second}
	go func() { fmt.Fprintln(os.Stderr, "profiler:", s.ListenAndServe()) }()
}

// profiled is how long each profile is taken.
const profiled = 8 * time.Second

// profiles takes a CPU and an allocation profile of each contender, one after the other.
func (b *bench) profiles(ctx context.Context) (err error) {
	debug, err := freePorts(2)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return err
	}
	s, err := b.servers(ctx, debug[1], b.self, "profiled-gateway", "-debug", debug[0])
	if s != nil {
		defer func() { err = errors.Join(err, s.stop()) }()
	}
	if err != nil {
		return err
	}
	g, err := b.generator(ctx, s.plan)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.stop()) }()
	fmt.Println("| contender | req/s | server CPU per request | profiles |\n|---|---:|---:|---|")
	for _, p := range s.pairs {
		for i, c := range []contender{p.real, p.base} {
			if err := b.profileOne(ctx, g, c, debug[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) profileOne(ctx context.Context, g *generator, c contender, debug string) error {
	if _, err := g.slice(c.target, 2*b.slice); err != nil {
		return err
	}
	name := strings.NewReplacer(" ", "-", "/", "").Replace(c.target)
	fetched := make(chan error, 2)
	for kind, path := range map[string]string{"cpu": "profile", "allocs": "allocs"} {
		go func() {
			url := fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%d", debug, path, int(profiled.Seconds()))
			fetched <- fetch(ctx, url, filepath.Join(b.profile, name+"."+kind+".pprof"))
		}()
	}
	before := c.cpu()
	r, err := g.slice(c.target, profiled+500*time.Millisecond)
	err = errors.Join(err, <-fetched, <-fetched)
	if err != nil {
		return err
	}
	fmt.Printf("| %s | %.0f | %s | %s.{cpu,allocs}.pprof |\n", c.target, r.rate(),
		micros((c.cpu()-before)/time.Duration(max(r.Requests, 1))), name)
	return nil
}

func fetch(ctx context.Context, url, path string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d: %w", url, response.StatusCode, err)
	}
	return os.WriteFile(path, text, 0o600)
}
