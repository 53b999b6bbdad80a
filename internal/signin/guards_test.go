package signin

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/httpd"
)

// TestGuardsOfTheFlow: on each route of the table that has one of the flow's guards, a request that breaks that guard's
// condition, and no other, is refused by the handler, and does nothing.
func TestGuardsOfTheFlow(t *testing.T) {
	breaks := map[string]struct {
		limited, origin string
		want            int
		outcome         string
	}{
		"sign-in rate":    {limited: "sign in", origin: appSite, want: http.StatusTooManyRequests, outcome: "limited"},
		"provider's page": {origin: "https://elsewhere.example", want: http.StatusForbidden, outcome: "origin"},
	}
	tried := map[string][]string{}
	of := newWorld(t, nil)
	for _, route := range httpd.Routes(httpd.Options{SignIn: of.Flow, Authenticator: bearer{of}, HTTP: config.HTTP{RequestTimeout: timeout}}) {
		for _, g := range route.Guards {
			b, ok := breaks[g.Name]
			if !ok {
				continue
			}
			tried[g.Name] = append(tried[g.Name], route.Path)
			t.Run(route.Path+" "+g.Name, func(t *testing.T) {
				w := newWorld(t, nil)
				state, cookie := w.begin(t)
				w.limited, w.outcomes = map[string]bool{b.limited: true}, nil
				body := url.Values{"state": {state}, "assertion": {"clinic " + state}}.Encode()
				answer := w.do(route.Methods[0], route.Path, body, "Content-Type", "application/x-www-form-urlencoded", "Origin", b.origin, "Cookie", cookie)
				require.Equal(t, b.want, answer.Code)
				require.Equal(t, []string{b.outcome}, w.outcomes)
				require.Empty(t, answer.Header().Get("Set-Cookie"))
				require.Empty(t, answer.Header().Get("Location"))
				require.Empty(t, w.used)
			})
		}
	}
	require.Equal(t, map[string][]string{"sign-in rate": {"/session/ensure", "/session/create"}, "provider's page": {"/session/create"}}, tried)
}
