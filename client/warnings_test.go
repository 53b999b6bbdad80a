package client_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/client"
)

// TestARefusedCredentialIsLogged: the error has the reason, and so has the application's log, at intervals, with the
// JWT's iss and aud and nothing else of it.
func TestARefusedCredentialIsLogged(t *testing.T) {
	const why = "The credential is not accepted: the JWT is made for somebody else (aud)."
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]any{"message": why, "extensions": map[string]any{"code": "UNAUTHENTICATED"}}}})
	}))
	defer gateway.Close()
	b64 := base64.RawURLEncoding.EncodeToString
	jwt := b64([]byte(`{"alg":"ES256"}`)) + "." + b64([]byte(`{"iss":"https://app.example","aud":["https://other.example"],"sub":"secret-subject","sid":"secret-session"}`)) + "." + b64([]byte("signature"))
	for name, test := range map[string]struct{ jwt, iss, aud string }{
		"a JWT": {jwt, "https://app.example", `[\"https://other.example\"]`}, "no JWT": {"opaque", `"iss":""`, `"aud":""`}, "half a JWT": {"a.!.c", `"iss":""`, `"aud":""`},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			var mu sync.Mutex
			now := time.Now()
			c, err := client.New(client.Options{
				Endpoint: gateway.URL, Logger: slog.New(slog.NewJSONHandler(&log, nil)),
				Credentials: func(context.Context) (string, time.Time, error) { return test.jwt, time.Time{}, nil },
				Now: func() time.Time {
					mu.Lock()
					defer mu.Unlock()
					return now
				},
			})
			require.NoError(t, err)
			for range 5 {
				_, err = c.Viewer(t.Context())
				require.ErrorIs(t, err, client.ErrUnauthenticated)
				require.ErrorContains(t, err, "made for somebody else (aud)")
			}
			text := log.String()
			require.Equal(t, 1, strings.Count(text, "\n"))
			require.Contains(t, text, `"level":"WARN"`)
			require.Contains(t, text, "made for somebody else (aud)")
			require.Contains(t, text, test.iss)
			require.Contains(t, text, test.aud)
			for _, secret := range append(strings.Split(test.jwt, "."), "secret-subject", "secret-session") {
				if len(secret) > 1 {
					require.NotContains(t, text, secret)
				}
			}
			mu.Lock()
			now = now.Add(time.Minute)
			mu.Unlock()
			_, err = c.Viewer(t.Context())
			require.Error(t, err)
			require.Equal(t, 2, strings.Count(log.String(), "\n"))
			require.Contains(t, log.String(), `"not_logged":4`)
		})
	}
}

// TestAnOutageIsLogged: the error is one that a page's user can't fix, and the application's log names the gateway.
func TestAnOutageIsLogged(t *testing.T) {
	unavailable := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer unavailable.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, test := range map[string]struct{ endpoint, want string }{
		"nothing listens": {gone.URL, "connection refused"}, "not available": {unavailable.URL, "HTTP status 503"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			c, err := client.New(client.Options{
				Endpoint: test.endpoint, Logger: slog.New(slog.NewJSONHandler(&log, nil)), Attempts: 1,
				Credentials: func(context.Context) (string, time.Time, error) { return "secret-jwt", time.Time{}, nil },
			})
			require.NoError(t, err)
			for range 3 {
				_, err = c.Viewer(t.Context())
				require.ErrorIs(t, err, client.ErrUnavailable)
			}
			require.Equal(t, 1, strings.Count(log.String(), "\n"))
			for _, want := range []string{`"level":"WARN"`, "the gateway is not available", test.endpoint, test.want} {
				require.Contains(t, log.String(), want)
			}
			require.NotContains(t, log.String(), "secret-jwt")
			left, leave := context.WithCancel(t.Context())
			leave()
			log.Reset()
			_, err = c.Viewer(left)
			require.ErrorIs(t, err, context.Canceled)
			require.Empty(t, log.String(), "a caller that leaves is no outage")
		})
	}
}
