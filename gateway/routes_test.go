package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/gateway"
)

// TestEveryHandlerAsksItsGuards: each handler of a whole gateway checks its row of the table, and the method first. A
// handler that does not call admit would answer another method too. internal/httpd compares the documented table, which is
// read here, with its own.
func TestEveryHandlerAsksItsGuards(t *testing.T) {
	w := newWorld(t, false, func(c *gateway.Config) { c.Issuers[0].BackChannelLogout = true })
	page, err := os.ReadFile("../docs/api.md")
	require.NoError(t, err)
	rows := regexp.MustCompile("(?m)^\\| `(/[^`]*)` \\| ([^|]+) \\| (?:own and allowed|the guard's) \\| [^|]*\\|$").FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(rows), 8)
	for _, row := range rows {
		path, methods := row[1], row[2]
		if methods == "its own" { // the playground's, which has no guards
			require.Equal(t, "/", path)
			continue
		}
		t.Run(path, func(t *testing.T) {
			for _, method := range []string{http.MethodDelete, http.MethodPut, http.MethodPost, http.MethodGet} {
				if strings.Contains(methods, method) {
					continue
				}
				r := httptest.NewRequestWithContext(t.Context(), method, w.url+path, http.NoBody)
				answer := httptest.NewRecorder()
				w.ServeHTTP(answer, r)
				require.Equal(t, http.StatusMethodNotAllowed, answer.Code, method)
				require.Equal(t, methods, answer.Header().Get("Allow"), method)
				require.Empty(t, answer.Header().Get("Set-Cookie"))
			}
		})
	}
}
