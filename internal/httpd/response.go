package httpd

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// writeResponse sends a response. If nothing was executed, the response has no data member (GraphQL, section 7.1).
func writeResponse(w http.ResponseWriter, mediaType string, status int, r *graphql.Response, executed bool) {
	pooled := buffers.Get().(*[]byte)
	b := appendResponse((*pooled)[:0], r, executed)
	h := w.Header()
	h["Content-Type"] = contentTypes[mediaType]
	h["Cache-Control"] = noStore
	if wait := longestWait(r.Errors); wait > 0 {
		h.Set("Retry-After", strconv.Itoa(wait))
	}
	w.WriteHeader(status)
	_, _ = w.Write(b)
	if cap(b) <= 1<<20 {
		*pooled = b
		buffers.Put(pooled)
	}
}

// appendResponse appends a response in JSON, on one line.
func appendResponse(b []byte, r *graphql.Response, executed bool) []byte {
	b = append(b, '{')
	if len(r.Errors) > 0 {
		errs, err := json.Marshal(r.Errors)
		if err != nil { // not reached: paths, messages and codes can be encoded
			errs = []byte(`[{"message":"The gateway failed.","extensions":{"code":"INTERNAL"}}]`)
		}
		b = append(append(b, `"errors":`...), errs...)
	}
	if executed {
		if len(r.Errors) > 0 {
			b = append(b, ',')
		}
		b = append(b, `"data":`...)
		if len(r.Data) == 0 {
			b = append(b, "null"...)
		}
		b = append(b, r.Data...)
	}
	return append(b, '}')
}

// longestWait returns the seconds after which all refused fields may be tried again; 0: unknown.
func longestWait(errs gqlerror.List) (seconds int) {
	for _, err := range errs {
		if wait, ok := err.Extensions[retryAfter].(int); ok {
			seconds = max(seconds, wait)
		}
	}
	return seconds
}

var (
	contentTypes = map[string][]string{
		mediaJSON: {mediaJSON + "; charset=utf-8"}, mediaGraphQL: {mediaGraphQL + "; charset=utf-8"},
	}
	noStore = []string{"no-store"} // answers hold keys
)

// Refuse returns a function that answers a request with the public half of an error, as a GraphQL error in the media type
// that the request accepts; status 0: the status of the error's code.
func Refuse(log *slog.Logger) func(w http.ResponseWriter, r *http.Request, status int, err error) {
	return func(w http.ResponseWriter, r *http.Request, status int, err error) {
		if status == 0 {
			status = statusOf(err)
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		refuse(withMedia(r.Context(), r.Header.Values("Accept")), log, w, status, err)
	}
}

// refuse answers a request that is refused before an operation exists, in the media type that it accepts.
func refuse(ctx context.Context, log *slog.Logger, w http.ResponseWriter, status int, err error) {
	response := &graphql.Response{Errors: gqlerror.List{publish(ctx, log, err, nil)}}
	writeResponse(w, mediaOf(ctx), status, response, false)
}
