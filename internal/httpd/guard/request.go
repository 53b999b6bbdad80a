package guard

import (
	"mime"
	"net/http"
	"strings"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// RequireMedia refuses a request unless it has one Content-Type, of the media type, in UTF-8 and uncompressed. For JSON,
// that refuses what forms of other origins' pages can send without a preflight (CSRF). The error is a fault BAD_USER_INPUT;
// its HTTP status is 415.
func RequireMedia(r *http.Request, media string) error {
	t, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, named := params["charset"]
	if err != nil || len(r.Header.Values("Content-Type")) != 1 || t != media || named && !strings.EqualFold(charset, "utf-8") {
		return fault.New(fault.BadUserInput, "Send the request as %s in UTF-8.", media)
	}
	if r.Header.Get("Content-Encoding") != "" {
		return fault.New(fault.BadUserInput, "Send the request uncompressed.")
	}
	return nil
}

// RequireOrigin is for a POST. If the POST has an Origin, the list allows it. With a credential that the browser sends by
// itself, only the Origin tells which page sent the request: without one, the error is a fault FORBIDDEN.
func RequireOrigin(r *http.Request, c *caller.Caller) error {
	if c != nil && c.Ambient && r.Header.Get("Origin") == "" {
		return fault.New(fault.Forbidden, "With a credential that the browser sends by itself, a POST needs its Origin.")
	}
	return nil
}

// Limits on reading Accept; a browser sends ten ranges in 200 bytes. Accept is read for every client, before any rate counts
// the request, and can hold thousands of ranges.
const (
	maxRanges = 32
	maxAccept = 2 << 10
)

// AcceptRanges returns the media ranges of a request's Accept with their parameters, unparsed, in their order. If the header
// is longer than any client's, it returns the first ranges.
func AcceptRanges(accept []string) (ranges []string) {
	remaining := maxAccept
	for _, list := range accept {
		for part := range strings.SplitSeq(list, ",") {
			if remaining -= len(part) + 1; remaining < 0 || len(ranges) == maxRanges {
				return ranges
			}
			ranges = append(ranges, part)
		}
	}
	return ranges
}
