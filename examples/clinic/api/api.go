// Package api is the clinic's GraphQL server: resolvers over the store, and @token by Cloakroom's runtime.
package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/transport"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/examples/clinic/graph"
	"github.com/cloakroomhq/cloakroom/examples/clinic/store"
)

// Bounds of one request.
const (
	maxBody          = 1 << 20
	maxLexicalTokens = 4000
	maxSelected      = 500 // fields
	requestTimeout   = 10 * time.Second
	pingInterval     = 10 * time.Second
)

// Options are the API's dependencies and settings.
type Options struct {
	Store   *store.Store
	Grants  directives.Grants
	Timeout time.Duration // of each call to Grants; 0: the directive's default
	Logger  *slog.Logger
	Now     func() time.Time
}

// API is the handler of /graphql. Mount it inside appkit's Middleware.
//
// It is gqlgen's handler.New without that package's cache, whose licence (MPL-2.0) is not among those that this
// module links. Other applications use handler.New.
type API struct {
	exec       *executor.Executor
	transports []graphql.Transport
	news       *news
}

// New returns the API, or an error that names the parts of the schema in which @token can't work.
func New(o Options) (*API, error) {
	tokens, err := directives.New(directives.Options{Grants: o.Grants, Session: appkit.GatewaySession, Timeout: o.Timeout, Now: o.Now})
	if err != nil {
		return nil, err
	}
	a := &API{
		news:       newNews(),
		transports: []graphql.Transport{transport.SSE{KeepAlivePingInterval: pingInterval}, transport.POST{}},
	}
	schema := graph.NewExecutableSchema(graph.Config{
		Resolvers:  &resolver{store: o.Store, news: a.news, now: o.Now},
		Directives: graph.DirectiveRoot{Token: tokens.Directive},
	})
	if err := tokens.Validate(schema); err != nil { // Use panics with it
		return nil, err
	}
	a.exec = executor.New(schema)
	a.exec.SetParserTokenLimit(maxLexicalTokens)
	a.exec.Use(extension.Introspection{})
	a.exec.Use(selectionLimit(maxSelected))
	a.exec.Use(tokens)
	a.exec.SetErrorPresenter(presenter(o.Logger))
	a.exec.SetRecoverFunc(func(ctx context.Context, panicked any) error {
		o.Logger.ErrorContext(ctx, "a resolver panicked", slog.Any("panic", panicked))
		return errInternal
	})
	return a, nil
}

// ServeHTTP implements http.Handler. Both transports require a JSON body, which no page of another origin can
// send, because the application answers no preflight.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		a.stream(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	a.do(w, r.WithContext(ctx))
}

func (a *API) do(w http.ResponseWriter, r *http.Request) {
	r = r.WithContext(graphql.StartOperationTrace(r.Context()))
	for _, t := range a.transports {
		if t.Supports(r) {
			t.Do(w, r, a.exec)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnsupportedMediaType)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]any{
		"message": "Send a POST of application/json.", "extensions": map[string]any{"code": "BAD_USER_INPUT"},
	}}})
}

// stream serves a subscription for as long as its client reads: the server's own deadlines are for short
// requests.
func (a *API) stream(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // not every ResponseWriter supports deadlines
	a.do(&unhurried{w, control}, r)
}

// unhurried gives each write its own deadline, three pings long.
type unhurried struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (u *unhurried) Write(b []byte) (int, error) {
	_ = u.control.SetWriteDeadline(time.Now().Add(3 * pingInterval))
	return u.ResponseWriter.Write(b)
}

func (u *unhurried) Flush() { _ = u.control.Flush() }

// SessionEnded ends the subscriptions of a session.
func (a *API) SessionEnded(session string) { a.news.end(session) }

// Stop ends every subscription, and makes new ones end at once.
func (a *API) Stop() { a.news.stop() }
