package httpd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rs/cors"
	"go.opentelemetry.io/otel/propagation"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

type requestIDKey struct{}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// LogRequestIDs adds the request id to each record whose context has one.
func LogRequestIDs(h slog.Handler) slog.Handler { return requestIDs{h} }

type requestIDs struct{ slog.Handler }

func (h requestIDs) Handle(ctx context.Context, r slog.Record) error {
	if id := requestID(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h requestIDs) WithAttrs(a []slog.Attr) slog.Handler { return requestIDs{h.Handler.WithAttrs(a)} }
func (h requestIDs) WithGroup(g string) slog.Handler      { return requestIDs{h.Handler.WithGroup(g)} }

// wrap adds to every route a request id (made here, so that a client can't write into the log), headers, the check of the
// Origin, and CORS.
func wrap(next http.Handler, table []guard.Route, o Options) http.Handler {
	anyOrigin := map[string]bool{}
	for i := range table {
		anyOrigin[table[i].Path] = table[i].AnyOrigin
	}
	allowed := originCheck(o.HTTP.PublicURL, o.HTTP.AllowedOrigins)
	crossOrigin := cors.New(cors.Options{
		AllowOriginFunc:  func(origin string) bool { return allowed(origin) },
		AllowedMethods:   []string{http.MethodGet, http.MethodPost},
		AllowedHeaders:   append([]string{"Authorization", "Content-Type", guard.PreflightHeader, guard.SessionHashHeader}, o.HTTP.AllowedHeaders...),
		ExposedHeaders:   []string{"X-Request-Id", guard.SessionHashHeader, "Retry-After"},
		AllowCredentials: true,
		MaxAge:           600,
	}).Handler(next)
	propagator := propagation.TraceContext{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := newRequestID()
		ctx := context.WithValue(r.Context(), requestIDKey{}, id)
		if r.Header.Get("Traceparent") != "" {
			ctx = propagator.Extract(ctx, propagation.HeaderCarrier(r.Header))
		}
		ctx = withMedia(ctx, r.Header.Values("Accept"))
		r = r.WithContext(ctx)
		h := w.Header()
		h["X-Request-Id"] = []string{id}
		h["X-Content-Type-Options"] = []string{"nosniff"}
		// On every response, so that a page that can't read them can't tell them apart (Fetch, section 3.7).
		h["Cross-Origin-Resource-Policy"] = []string{"same-origin"}
		if anyOrigin[r.URL.Path] {
			// A form of a page that signs users in. The endpoint checks its Origin itself. No script may read the
			// answer.
			next.ServeHTTP(w, r)
			return
		}
		if origins := r.Header.Values("Origin"); len(origins) > 1 || len(origins) == 1 && !allowed(origins[0]) {
			refuse(ctx, o.Logger, w, http.StatusForbidden, fault.New(fault.Forbidden, "Pages of this origin may not call the gateway."))
			return
		}
		crossOrigin.ServeHTTP(w, r)
	})
}

// originCheck accepts the gateway's own origin and the listed ones, compared exactly.
func originCheck(publicURL string, listed []string) func(string) bool {
	own := ownOrigin(publicURL)
	return func(origin string) bool {
		return origin == own || slices.Contains(listed, origin)
	}
}

// ownOrigin returns the gateway's own origin, that of its public URL.
func ownOrigin(publicURL string) string {
	u, err := url.Parse(publicURL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func newRequestID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return strings.ToLower(hex.EncodeToString(b[:]))
}
