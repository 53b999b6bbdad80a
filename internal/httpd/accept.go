package httpd

import (
	"context"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

const (
	mediaJSON    = "application/json"
	mediaGraphQL = "application/graphql-response+json"
	mediaStream  = "text/event-stream"
)

// preference is a request's preference for one media type, by its Accept.
type preference struct {
	quality  float64 // 0: not accepted
	specific int     // of the range that matches: 3 by name, 2 application/*, 1 */*, 0 none
	at       int     // the range's position in the list
}

// negotiate chooses the answer's media type (GraphQL over HTTP, section 6.3; RFC 9110, section 12.5.1): the one of higher
// quality; if both have the same quality, the one named first, or the older one if neither is named. Its error is a fault
// for 406; the returned media type is then the older one.
func negotiate(accept []string) (string, error) {
	if strings.Join(accept, "") == "" {
		return mediaJSON, nil
	}
	ranges := guard.AcceptRanges(accept)
	older, newer := preferenceFor(mediaJSON, ranges), preferenceFor(mediaGraphQL, ranges)
	switch {
	case older.quality == 0 && newer.quality == 0:
		return mediaJSON, withStatus(http.StatusNotAcceptable, fault.BadUserInput, "Accept "+mediaGraphQL+" or "+mediaJSON+".")
	case newer.quality > older.quality:
		return mediaGraphQL, nil
	case newer.quality == older.quality && newer.specific == 3 && (older.specific < 3 || newer.at < older.at):
		return mediaGraphQL, nil
	}
	return mediaJSON, nil
}

// acceptsStream reports whether the request names the media type of server-sent events.
func acceptsStream(accept []string) bool {
	p := preferenceFor(mediaStream, guard.AcceptRanges(accept))
	return p.specific == 3 && p.quality > 0
}

// preferenceFor reads the list; the most specific range decides. Malformed ranges are skipped.
func preferenceFor(media string, ranges []string) (p preference) {
	for at, part := range ranges {
		t, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		specific := map[string]int{media: 3, "application/*": 2, "*/*": 1}[t]
		if specific <= p.specific {
			continue
		}
		quality := 1.0
		if q, ok := params["q"]; ok {
			if quality, err = strconv.ParseFloat(q, 64); err != nil || quality < 0 || quality > 1 {
				continue
			}
		}
		p = preference{quality, specific, at}
	}
	return p
}

type mediaKey struct{}

// withMedia stores the media type that the request accepts, for refusals.
func withMedia(ctx context.Context, accept []string) context.Context {
	media, _ := negotiate(accept)
	if media == mediaJSON {
		return ctx
	}
	return context.WithValue(ctx, mediaKey{}, media)
}

// mediaOf returns the media type of a refusal: the one that the request accepts, or the older one if it accepts neither.
func mediaOf(ctx context.Context) string {
	if media, ok := ctx.Value(mediaKey{}).(string); ok {
		return media
	}
	return mediaJSON
}
