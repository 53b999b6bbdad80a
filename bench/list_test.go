package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/gateway"
)

// BenchmarkList requests the list in this process, without the network to the backend: the allocations for a token
// are the difference to plain, divided by the rows.
func BenchmarkList(b *testing.B) {
	f, err := newFixture(b.TempDir(), 10)
	require.NoError(b, err)
	cfg, err := gateway.LoadConfig(f.config, nil)
	require.NoError(b, err)
	g, err := gateway.New(b.Context(), cfg, nil)
	require.NoError(b, err)
	ctx, stop := context.WithCancel(b.Context())
	served := make(chan error, 1)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.address)
	require.NoError(b, err)
	go func() { served <- g.Serve(ctx, gateway.Listeners{Gateway: listener}) }()
	file := filepath.Join(f.dir, "tokens.json")
	require.NoError(b, f.fillList(ctx, file))
	rows, err := rowsFrom(file)
	require.NoError(b, err)
	inProcess, err := g.Grants(tenant)
	require.NoError(b, err)
	loopback, err := loopbackGrants("http://"+f.address, f.application)
	require.NoError(b, err)
	own, remote := listHandlers(rows, inProcess), listHandlers(rows, loopback)
	for _, c := range []struct {
		name, query string
		handler     http.Handler
	}{
		{"plain", plainListQuery, own["/plain"]},
		{"warm", tokenListQuery, own["/warm"]}, {"each", tokenListQuery, own["/each"]}, {"cold", tokenListQuery, own["/cold"]},
		{"loopback/warm", tokenListQuery, remote["/warm"]}, {"loopback/each", tokenListQuery, remote["/each"]}, {"loopback/cold", tokenListQuery, remote["/cold"]},
	} {
		b.Run(c.name, func(b *testing.B) {
			text := string(body(c.query, nil))
			ask := func() {
				w := discard{header: http.Header{}}
				r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(text))
				r.Header.Set("Authorization", "Bearer session")
				r.Header.Set("Content-Type", "application/json")
				if c.handler.ServeHTTP(&w, r); string(w.start) != answerStart {
					b.Fatalf("status %d: %s", w.status, w.start)
				}
			}
			ask() // the first request fills the cache
			b.ReportAllocs()
			before := processorTime()
			for b.Loop() {
				ask()
			}
			b.ReportMetric(float64((processorTime()-before).Microseconds())/float64(b.N), "cpu-us/op")
		})
	}
	stop()
	require.NoError(b, <-served)
}

// processorTime returns the processor time of this process.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
