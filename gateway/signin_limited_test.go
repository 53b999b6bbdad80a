package gateway_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/gateway"
)

// TestALimitedSignIn: the page says what to do, JSON has the code; both say when to try again.
func TestALimitedSignIn(t *testing.T) {
	w := newWorld(t, false, func(c *gateway.Config) {
		c.Rates = gateway.DefaultConfig().Rates
		c.Rates.SignIns.Address = almostNever(1)
	})
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	send := func(t *testing.T, method, path, accept string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, w.url+path, http.NoBody)
		require.NoError(t, err)
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", w.clinic.URL)
		}
		answer, err := stay.Do(r)
		require.NoError(t, err)
		defer func() { _ = answer.Body.Close() }()
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer, string(text)
	}
	const ensure, create = "/session/ensure?provider=clinic", "/session/create"
	first, text := send(t, http.MethodGet, ensure, "")
	require.Equal(t, http.StatusSeeOther, first.StatusCode, text)

	const html, json, graphql = "text/html; charset=utf-8", "application/json; charset=utf-8", "application/graphql-response+json; charset=utf-8"
	for path, method := range map[string]string{ensure: http.MethodGet, create: http.MethodPost} {
		for accept, media := range map[string]string{
			"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": html, "": html, "*/*": html, "text/html, application/json": html,
			"application/json": json, "application/json, */*;q=0.1": json, "application/graphql-response+json": graphql,
		} {
			t.Run(method+" "+accept, func(t *testing.T) {
				answer, body := send(t, method, path, accept)
				require.Equal(t, http.StatusTooManyRequests, answer.StatusCode)
				require.Equal(t, media, answer.Header.Get("Content-Type"))
				require.Equal(t, "no-store", answer.Header.Get("Cache-Control"))
				require.Contains(t, answer.Header.Values("Vary"), "Accept")
				require.Regexp(t, `^[1-9][0-9]*$`, answer.Header.Get("Retry-After"))
				require.Empty(t, answer.Header.Get("Location"))
				require.Empty(t, answer.Cookies())
				require.Contains(t, body, "Wait a moment, go back, and try again.")
				require.Contains(t, body, "RATE_LIMITED")
				if media != html {
					require.Regexp(t, `^\{"errors":\[\{"message":"[^"]*","extensions":\{"code":"RATE_LIMITED","retryAfter":[1-9][0-9]*\}\}\]\}$`, body)
				}
			})
		}
	}
}
