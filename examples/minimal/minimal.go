// Package minimal is the smallest backend with tokens: one type with a @token field, one mutation with a @token
// argument, and the lines between them.
package minimal

import (
	"context"
	"net/http"
	"strconv"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/transport"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/examples/minimal/graph"
)

// New returns the backend: /graphql, and the kit's paths for the gateway and the browser below appkit.Path. The kit
// finds the application's logins; grants is the gateway.
func New(kit *appkit.Kit, grants directives.Grants) (http.Handler, error) {
	mux := http.NewServeMux()
	// ten lines: begin
	tokens, err := directives.New(directives.Options{Grants: grants, Session: appkit.GatewaySession})
	if err != nil {
		return nil, err
	}
	config := graph.Config{Resolvers: &resolver{}}
	config.Directives.Token = tokens.Directive
	server := newServer(graph.NewExecutableSchema(config))
	server.Use(tokens)
	mux.Handle("/graphql", kit.Middleware(server))
	mux.Handle(appkit.Path, kit)
	// ten lines: end
	return mux, nil
}

// server replaces gqlgen's handler.New, whose package brings a cache with a licence (MPL-2.0) that is not among
// those that Cloakroom's own module takes; other backends use handler.New.
type server struct {
	*executor.Executor
	transport.POST
}

func newServer(schema graphql.ExecutableSchema) *server {
	return &server{Executor: executor.New(schema)}
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.Supports(r) {
		http.Error(w, "send a POST of application/json", http.StatusUnsupportedMediaType)
		return
	}
	s.Do(w, r.WithContext(graphql.StartOperationTrace(r.Context())), s.Executor)
}

// resolver keeps each session's notes. It knows nothing of grants: by the time that AddNote runs, @token has
// verified the token, and what Notes returns it grants.
type resolver struct {
	mu    sync.Mutex
	notes map[string][]*graph.Note
}

func (r *resolver) Query() graph.QueryResolver       { return r }
func (r *resolver) Mutation() graph.MutationResolver { return r }

func (r *resolver) Notes(ctx context.Context) ([]*graph.Note, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.notes[userOf(ctx)], nil
}

func (r *resolver) AddNote(ctx context.Context, text directives.TokenID) (*graph.Note, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	note := &graph.Note{ID: strconv.Itoa(len(r.notes[userOf(ctx)]) + 1), Text: text}
	if r.notes == nil {
		r.notes = map[string][]*graph.Note{}
	}
	r.notes[userOf(ctx)] = append(r.notes[userOf(ctx)], note)
	return note, nil
}

// userOf returns the user of the application's login.
func userOf(ctx context.Context) string {
	session, _ := appkit.SessionFrom(ctx)
	return session.Subject
}
