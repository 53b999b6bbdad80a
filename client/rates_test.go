package client_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/client"
)

func TestRetryAfter(t *testing.T) {
	const refusal = `{"errors":[{"message":"m","extensions":{"code":"RATE_LIMITED","retryAfter":3}}]}`
	withHeader := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "5")
			next(w, r)
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   time.Duration
	}{
		"of a field":                  {answer(200, "application/json", refusal), 3 * time.Second},
		"of a request":                {answer(429, "application/json", refusal), 3 * time.Second},
		"by a proxy, in the header":   {withHeader(answer(429, "text/html", "wait")), 5 * time.Second},
		"by a proxy without a header": {answer(429, "text/html", "wait"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, c.answer)
			_, err := newClient(t, f.URL, always, nil).CreateGrants(t.Context(), "s", oneGrant)
			require.ErrorIs(t, err, client.ErrRateLimited)
			var e *client.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.want, e.RetryAfter)
			wait, limited := e.RateLimited()
			require.True(t, limited)
			require.Equal(t, c.want, wait)
			require.EqualValues(t, 1, f.requests.Load())
		})
	}
}
