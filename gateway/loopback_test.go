package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// TestInDevelopmentAnotherNameIsMisdirected: the error says what to do, in the form and media type of the listener's errors.
func TestInDevelopmentAnotherNameIsMisdirected(t *testing.T) {
	g := gatewaytest.Start(t, func(c *gateway.Config) { c.Development = true })
	ask := func(t *testing.T, url, accept string) (*http.Response, string) {
		t.Helper()
		r := newRequest(t, http.MethodPost, url, strings.NewReader(`{"query":"{__typename}"}`), "Content-Type", "application/json")
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		r.Host = "rebound.example"
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusMisdirectedRequest, res.StatusCode)
		require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
		return res, string(body)
	}
	const message = "In development this is served as localhost, 127.0.0.1 and [::1] only: use one of these names in the URL."
	for _, path := range []string{"/graphql", "/session/verify", "/"} {
		for accept, want := range map[string]string{
			"": "application/json", "*/*": "application/json", "application/graphql-response+json": "application/graphql-response+json",
			"application/graphql-response+json, application/json;q=0.9": "application/graphql-response+json",
		} {
			t.Run(path+", "+accept, func(t *testing.T) {
				res, body := ask(t, g.URL+path, accept)
				require.Equal(t, want+"; charset=utf-8", res.Header.Get("Content-Type"))
				require.JSONEq(t, `{"errors":[{"message":"`+message+`","extensions":{"code":"FORBIDDEN"}}]}`, body)
			})
		}
	}
	t.Run("the embedded store, which serves no GraphQL", func(t *testing.T) {
		res, body := ask(t, g.Config.Objects.Embedded.PublicURL+"/values/x", "application/graphql-response+json")
		require.Equal(t, "text/plain; charset=utf-8", res.Header.Get("Content-Type"))
		require.Equal(t, message+"\n", body)
	})
}
