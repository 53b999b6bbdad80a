package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/telemetry"
)

// TestAStreamOutlivesTheTimeouts: the gateway's servers let server-sent events go on for longer than all timeouts
// together, which used to end them, by GET and by POST, over HTTP/1.1 and HTTP/2.
func TestAStreamOutlivesTheTimeouts(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %t", method, http2), func(t *testing.T) {
				t.Parallel()
				url, client := streaming(t, http2)
				r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
				require.NoError(t, err)
				if method == http.MethodPost {
					r.Body = io.NopCloser(strings.NewReader("{}"))
				}
				answer, err := client.Do(r)
				require.NoError(t, err)
				defer func() { _ = answer.Body.Close() }()
				require.Equal(t, http2, answer.ProtoMajor == 2)
				text, err := io.ReadAll(answer.Body)
				require.NoError(t, err)
				require.Equal(t, 6, strings.Count(string(text), "data:"))
			})
		}
	}
}

// streaming serves events for 2.5 s; the bound used to be 1.3 s.
func streaming(t *testing.T, http2 bool) (url string, client *http.Client) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.HTTP.ReadTimeout, cfg.HTTP.RequestTimeout, cfg.HTTP.WriteTimeout = time.Second, 300*time.Millisecond, 10*time.Second
	g := &Gateway{cfg: cfg, log: slog.New(slog.DiscardHandler), telemetry: telemetry.NewMetrics("test"), stop: func() {}, closed: make(chan struct{}), stopping: make(chan struct{})}
	g.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for i := range 6 {
			if i > 0 {
				select {
				case <-tick.C:
				case <-r.Context().Done():
					return
				}
			}
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	url, client = "http://"+l.Addr().String(), &http.Client{Transport: &http.Transport{}}
	if http2 {
		issued := httptest.NewTLSServer(nil)
		defer issued.Close()
		g.tls = &tls.Config{Certificates: issued.TLS.Certificates, MinVersion: tls.VersionTLS12}
		url = "https://" + l.Addr().String()
		client.Transport = &http.Transport{TLSClientConfig: issued.Client().Transport.(*http.Transport).TLSClientConfig, ForceAttemptHTTP2: true}
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, Listeners{Gateway: l}) }()
	t.Cleanup(func() {
		client.CloseIdleConnections()
		stop()
		require.NoError(t, <-served)
	})
	return url, client
}
