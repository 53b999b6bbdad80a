package embedded

import (
	"net/http"
	"strings"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// The policy of this file (Fetch standard, "CORS protocol"): a listed origin is answered by name,
// any other is refused outright, be it a preflight or the request itself. There are no wildcards
// and no credentials.

var (
	corsRequestHeaders = map[string]bool{
		"content-type": true, "if-none-match": true,
		objects.HeaderAlgorithm: true, objects.HeaderKey: true, objects.HeaderKeyMD5: true,
	}
	corsAllowHeaders = "content-type, if-none-match, " +
		objects.HeaderAlgorithm + ", " + objects.HeaderKey + ", " + objects.HeaderKeyMD5
	corsExpose = "ETag, Retry-After, Content-Disposition, Content-Length, Content-Type, Last-Modified, X-Amz-Request-Id, " +
		objects.HeaderAlgorithm + ", " + objects.HeaderKeyMD5
)

// cors sets the answer's CORS headers and reports whether the origin may go on. No origin means
// that no page of a browser asks.
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
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" && !corsRequestHeaders[name] {
			return errUnsignedHeader
		}
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, PUT")
	h.Set("Access-Control-Allow-Headers", corsAllowHeaders)
	h.Set("Access-Control-Max-Age", "7200") // the most that Chromium keeps
	w.WriteHeader(http.StatusNoContent)
	return nil
}
