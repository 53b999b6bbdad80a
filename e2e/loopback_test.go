package e2e

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
)

// A page whose name resolves to 127.0.0.1 after it loaded has the stack's own origin to its browser: same-origin rules,
// CORS and http.CrossOriginProtection all let it pass. Its requests still have its name in Host.
func TestDevAnswersLoopbacksNamesOnly(t *testing.T) {
	s := stack.Start(t)
	for name, base := range map[string]string{"gateway": s.GatewayURL, "objects": s.ObjectsURL, "application": s.AppURL} {
		u, err := url.Parse(base)
		require.NoError(t, err)
		status := func(t *testing.T, host, origin string) int {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/", nil)
			require.NoError(t, err)
			r.Host = host
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			response, err := s.HTTP.Do(r)
			require.NoError(t, err)
			_ = response.Body.Close()
			return response.StatusCode
		}
		for _, host := range []string{"127.0.0.1", "localhost", "LOCALHOST", "[::1]"} {
			for _, port := range []string{"", ":" + u.Port(), ":9000"} { // a port may be forwarded
				t.Run(name+" as "+host+port, func(t *testing.T) {
					assert.NotEqual(t, http.StatusMisdirectedRequest, status(t, host+port, ""))
				})
			}
		}
		for _, host := range []string{"rebound.example", "127.0.0.1.nip.example", "localhost.rebound.example", "0.0.0.0", "192.0.2.1", "[::]", "localhost@rebound.example"} {
			t.Run(name+" not as "+host, func(t *testing.T) {
				got := status(t, host+":"+u.Port(), "http://"+host+":"+u.Port())
				assert.Contains(t, []int{http.StatusMisdirectedRequest, http.StatusBadRequest}, got)
			})
		}
	}
}
