package guard

import (
	"mime"
	"net/http"
	"strings"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// RequireMedia refuses a request whose body is not of the media type, said once, in UTF-8 and uncompressed. Where the
// type is JSON's, that refuses what forms of other origins' pages send without asking (CSRF). The error is a fault
// BAD_USER_INPUT; its HTTP status is 415.
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

// RequireOrigin is for a POST, whose Origin has been held against the list if it has one. With a credential that the
// browser sends by itself, what sent the request is known by its Origin alone: without one, a fault FORBIDDEN.
func RequireOrigin(r *http.Request, who *caller.Caller) error {
	if who != nil && who.Ambient && r.Header.Get("Origin") == "" {
		return fault.New(fault.Forbidden, "With a credential that the browser sends by itself, a POST needs its Origin.")
	}
	return nil
}

// Bounds of what is read of Accept; a browser sends ten ranges in 200 bytes. It is read for whoever asks, before any rate
// counts the request, and a request's headers can hold thousands of ranges.
const (
	maxRanges = 32
	maxAccept = 2 << 10
)

// AcceptRanges returns the media ranges of a request's Accept with their parameters, unread, in their order. Of a header
// that is longer than any client's it returns those at the front.
func AcceptRanges(accept []string) (ranges []string) {
	left := maxAccept
	for _, list := range accept {
		for part := range strings.SplitSeq(list, ",") {
			if left -= len(part) + 1; left < 0 || len(ranges) == maxRanges {
				return ranges
			}
			ranges = append(ranges, part)
		}
	}
	return ranges
}
