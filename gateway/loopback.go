package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/cloakroomhq/cloakroom/internal/config"
)

// Loopback reports whether a host's name, or its address, is this machine's own: localhost, 127.0.0.0/8 or ::1.
func Loopback(host string) bool { return config.Loopback(host) }

// onLoopback answers requests for loopback's names alone. A page whose name was pointed to 127.0.0.1 after it loaded (DNS
// rebinding) is of our origin to its browser, but its requests carry the page's name in Host.
func onLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !Loopback(strings.ToLower((&url.URL{Host: r.Host}).Hostname())) {
			http.Error(w, "In development this is served as localhost, 127.0.0.1 and [::1] only.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
