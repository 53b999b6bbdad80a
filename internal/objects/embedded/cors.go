package embedded

import (
	"net/http"
	"slices"
	"strings"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// The policy of this file (Fetch standard, "CORS protocol"): the response names a listed origin; requests
// of any other origin, preflights too, are refused. There are no wildcards and no credentials.

// corsRequestHeaders are the headers of signed requests.
var corsRequestHeaders = []string{"content-type", "if-none-match", objects.HeaderAlgorithm, objects.HeaderKey, objects.HeaderKeyMD5}

const corsExpose = "ETag, Content-Disposition, Content-Length, Content-Type, Last-Modified, Retry-After, X-Amz-Request-Id, " +
	objects.HeaderAlgorithm + ", " + objects.HeaderKeyMD5

// corsHeaders returns the headers that a page may send: the headers of signed requests, and the configured ones except
// those that the store refuses in every request.
func corsHeaders(configured []string) []string {
	all := slices.Clone(corsRequestHeaders)
	for _, name := range configured {
		if name = strings.ToLower(name); !refusedUnsigned(name) && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// cors sets the response's CORS headers and reports whether the origin is allowed. A request without Origin
// is not a CORS request, and is allowed.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Add("Vary", "Origin")
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return true
	}
	if len(values) > 1 || !s.origins[values[0]] {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", values[0])
	w.Header().Set("Access-Control-Expose-Headers", corsExpose)
	return true
}

// preflight answers an OPTIONS request of a listed origin.
func (s *Server) preflight(w http.ResponseWriter, r *http.Request) *apiError {
	w.Header().Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	if r.Header.Get("Origin") == "" {
		return errOrigin
	}
	switch r.Header.Get("Access-Control-Request-Method") {
	case http.MethodPut, http.MethodGet, http.MethodHead:
	default:
		return errMethod
	}
	for name := range strings.SplitSeq(r.Header.Get("Access-Control-Request-Headers"), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" && !slices.Contains(s.corsHeaders, name) {
			return errUnsignedHeader
		}
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, PUT")
	h.Set("Access-Control-Allow-Headers", strings.Join(s.corsHeaders, ", "))
	h.Set("Access-Control-Max-Age", "7200") // the maximum of Chromium
	w.WriteHeader(http.StatusNoContent)
	return nil
}
