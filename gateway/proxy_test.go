package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/gateway"
)

// TestTrustedProxyBySecret: identity headers are accepted with the shared secret, from the proxy's network. Otherwise a
// request that has them is refused.
func TestTrustedProxyBySecret(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	trusting := func(peers string) func(*gateway.Config) {
		return func(c *gateway.Config) {
			p := &c.TrustedProxy
			p.Tenant, p.Peers, p.SessionHeader, p.SubjectHeader = "intranet", []string{peers}, "X-Session-Id", "X-User"
			p.SecretHeader, p.Secret = "X-Proxy-Secret", secret
		}
	}
	ca := newAuthority(t)
	url, _ := serving(t, ca, trusting("127.0.0.1/32"))
	elsewhere, _ := serving(t, ca, trusting("10.1.2.3/32"))
	client := calling(t, ca, nil)
	ask := func(url, query string, headers ...string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/graphql", strings.NewReader(`{"query":"`+query+`"}`))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", url)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		response, err := client.Do(r)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NotContains(t, string(body), secret)
		return response.StatusCode, string(body)
	}
	const viewer = "{ viewer { subject tenant roles } }"
	ann := []string{"X-Session-Id", "s-1", "X-User", "ann"}
	with := func(secrets ...string) (headers []string) {
		headers = append(headers, ann...)
		for _, s := range secrets {
			headers = append(headers, "X-Proxy-Secret", s)
		}
		return headers
	}
	status, body := ask(url, viewer, with(secret)...)
	require.Equal(t, http.StatusOK, status, body)
	require.JSONEq(t, `{"data":{"viewer":{"subject":"ann","tenant":"intranet","roles":[]}}}`, body)
	status, body = ask(url, "mutation { tokenize { token } }", with(secret)...)
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, `"token":"tok-`, "a session like any other")

	for name, headers := range map[string][]string{
		"no secret": ann, "another": with(secret[1:] + "0"), "half of it": with(secret[:16]), "empty": with(""),
		"twice": with(secret, secret), "after a guess": with("x", secret),
		"two sessions": append(with(secret), "X-Session-Id", "s-2"), "no session": {"X-User", "ann", "X-Proxy-Secret", secret},
		"no user": {"X-Session-Id", "s-1", "X-Proxy-Secret", secret},
	} {
		t.Run(name, func(t *testing.T) {
			status, body = ask(url, viewer, headers...)
			require.Equal(t, http.StatusUnauthorized, status, "%s: %s", name, body)
			require.NotContains(t, body, "ann", name)
		})
	}
	status, body = ask(elsewhere, viewer, with(secret)...)
	require.Equal(t, http.StatusUnauthorized, status, "the secret, from another network: %s", body)
	status, body = ask(url, viewer, "X-Proxy-Secret", secret)
	require.Equal(t, http.StatusOK, status, body)
	require.JSONEq(t, `{"data":{"viewer":null}}`, body, "the secret without identity headers is an anonymous request")
}
