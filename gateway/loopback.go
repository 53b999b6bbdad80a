package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/cloakroomhq/cloakroom/internal/clientaddr"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/httpd"
)

// Loopback reports whether a host, by name or address, is this machine: localhost, 127.0.0.0/8 or ::1.
func Loopback(host string) bool { return clientaddr.Loopback(host) }

// otherName is the error message for a request that names another host.
const otherName = "In development this is served as localhost, 127.0.0.1 and [::1] only: use one of these names in the URL."

// onLoopback serves only requests for loopback's names. DNS rebinding points a page's name to 127.0.0.1 after the page has
// loaded: to its browser the gateway has the page's origin, but its requests have the page's name in Host.
func onLoopback(next http.Handler, refuse http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !Loopback(strings.ToLower((&url.URL{Host: r.Host}).Hostname())) {
			refuse(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuseOtherName answers in the form of the listener: the gateway's is a GraphQL error; the others don't serve GraphQL
// and answer in plain text.
func (g *Gateway) refuseOtherName(listener string) http.HandlerFunc {
	if listener != gatewayListener {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, otherName, http.StatusMisdirectedRequest) }
	}
	refuse := httpd.Refuse(g.log)
	return func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, http.StatusMisdirectedRequest, fault.New(fault.Forbidden, otherName))
	}
}
