package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/gateway"
)

// BenchmarkHandlers calls the handlers in this process, without the network: allocs/op counts their allocations
// exactly, on a busy machine too. About ten allocations are the benchmark's own.
func BenchmarkHandlers(b *testing.B) {
	f, err := newFixture(b.TempDir(), 100)
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
	require.NoError(b, f.fill(ctx, batch))
	answers := filepath.Join(f.dir, "answers.json")
	require.NoError(b, f.answers(ctx, answers))
	text, err := os.ReadFile(answers)
	require.NoError(b, err)
	var c canned
	require.NoError(b, json.Unmarshal(text, &c))
	for _, o := range operations {
		for name, h := range map[string]http.Handler{"gateway": g, "bare": bareHandler(&c)} {
			b.Run(o.name+"/"+name, func(b *testing.B) { ask(b, f, o.name, h) })
		}
	}
	stop()
	require.NoError(b, <-served)
}

func ask(b *testing.B, f *fixture, operation string, h http.Handler) {
	bodies := make([][]byte, 200)
	for i := range bodies {
		bodies[i] = f.body(operation, i%len(f.jwts))
	}
	header := func(i int) http.Header {
		return http.Header{
			"Authorization": {"Bearer " + f.jwts[i%len(f.jwts)]}, "Content-Type": {"application/json"}, "Accept": {"application/json"},
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w := discard{header: http.Header{}}
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+f.address+"/graphql", io.NopCloser(bytes.NewReader(bodies[i%len(bodies)])))
		require.NoError(b, err)
		r.Header = header(i % len(bodies))
		h.ServeHTTP(&w, r)
		if w.status != 0 && w.status != http.StatusOK || string(w.start) != answerStart {
			b.Fatalf("status %d: %s", w.status, w.start)
		}
	}
}
