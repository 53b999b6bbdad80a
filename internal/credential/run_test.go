package credential

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// answers is an issuer as an http.RoundTripper, so that everything that a test waits for is in its bubble.
type answers func(r *http.Request) (*http.Response, error)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

// TestRunLeavesNoGoroutine: after Run has returned, none of its goroutines is left, whatever it was doing; synctest fails a
// test that leaves one.
func TestRunLeavesNoGoroutine(t *testing.T) {
	testKeys() // made outside of the bubble
	for name, answer := range map[string]answers{
		"fixed keys": nil,
		"between two fetches": func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(oldKeys()))}, nil
		},
		"an issuer that never answers": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			time.Sleep(time.Second) // of the bubble's clock: a transport's remaining work
			return nil, r.Context().Err()
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { runAndStop(t, answer) }) })
	}
}

func runAndStop(t *testing.T, answer answers) {
	var asked, over atomic.Int64
	f := newFixture(t, func(o *Options) {
		o.Now = time.Now
		if answer == nil {
			return
		}
		for i := range o.Issuers {
			o.Issuers[i].JWKS, o.Issuers[i].JWKSURL = nil, "https://issuer.example/keys"
			o.Issuers[i].Refresh, o.Issuers[i].MaxAge = time.Minute, time.Hour
		}
		o.Client = &http.Client{Transport: answers(func(r *http.Request) (*http.Response, error) {
			asked.Add(1)
			defer over.Add(1)
			return answer(r)
		})}
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	synctest.Wait()
	select {
	case <-done:
		t.Fatal("it returned before its context ended")
	default:
	}
	began := time.Now()
	stop()
	<-done
	require.Equal(t, asked.Load(), over.Load(), "every request is over")
	require.Equal(t, answer != nil, asked.Load() > 0)
	require.Less(t, time.Since(began), fetchTimeout, "a fetch ends with the context")
}
