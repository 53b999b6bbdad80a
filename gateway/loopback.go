package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/cloakroomhq/cloakroom/internal/clientaddr"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/httpd"
)

// Loopback reports whether a host's name, or its address, is this machine's own: localhost, 127.0.0.0/8 or ::1.
func Loopback(host string) bool { return clientaddr.Loopback(host) }

// otherName is what a request for another name is told.
const otherName = "In development this is served as localhost, 127.0.0.1 and [::1] only: call it by one of them."

// onLoopback answers requests for loopback's names alone. A page whose name was pointed to 127.0.0.1 after it loaded (DNS
// rebinding) is of our origin to its browser, but its requests carry the page's name in Host.
func onLoopback(next http.Handler, refuse http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !Loopback(strings.ToLower((&url.URL{Host: r.Host}).Hostname())) {
			refuse(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuseOtherName answers as the listener does: the gateway in the form of GraphQL's errors; the others, which speak no
// GraphQL, in plain text.
func (g *Gateway) refuseOtherName(listener string) http.HandlerFunc {
	if listener != gatewayListener {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, otherName, http.StatusMisdirectedRequest) }
	}
	refuse := httpd.Refuse(g.log)
	return func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, http.StatusMisdirectedRequest, fault.New(fault.Forbidden, otherName))
	}
}
