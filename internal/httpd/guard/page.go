package guard

import "net/http"

// FromOwnPage reports whether the browser states that a page of the origin own, the gateway's, has sent the request: by an
// Origin, and by Sec-Fetch-Site if it sends that (Fetch Metadata). Scripts can set neither header. A request without an Origin is
// refused, so a page has to send a POST: browsers send no Origin with a GET to the page's own origin (Fetch, section 3.2).
// Headers of proxies, such as X-Forwarded-Host, don't count.
func FromOwnPage(r *http.Request, own string) bool {
	origin, site := r.Header["Origin"], r.Header["Sec-Fetch-Site"]
	return own != "" && len(origin) == 1 && origin[0] == own && (len(site) == 0 || len(site) == 1 && site[0] == "same-origin")
}
