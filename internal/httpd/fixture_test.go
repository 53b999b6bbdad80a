package httpd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/graph"
	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
)

const publicURL = "https://gateway.example"

// resolver answers the whole schema with functions that a test sets.
type resolver struct {
	tokenize func(context.Context, *model.TokenizeInput) (*model.TokenizePayload, error)
	token    func(context.Context, ids.Token) (*model.Token, error)
	viewer   func(context.Context) (*model.Viewer, error)
}

func (r resolver) Mutation() graph.MutationResolver { return mutation{r: r} }
func (r resolver) Query() graph.QueryResolver       { return query{r} }

type mutation struct {
	graph.MutationResolver
	r resolver
}
type query struct{ r resolver }

func (q query) UploadStatus(context.Context, ids.Token) (*model.UploadStatus, error) { return nil, nil }

func (m mutation) Tokenize(ctx context.Context, in *model.TokenizeInput) (*model.TokenizePayload, error) {
	return m.r.tokenize(ctx, in)
}

func (q query) Token(ctx context.Context, id ids.Token) (*model.Token, error) {
	return q.r.token(ctx, id)
}

func (q query) Viewer(ctx context.Context) (*model.Viewer, error) {
	if q.r.viewer != nil {
		return q.r.viewer(ctx)
	}
	return &model.Viewer{Tenant: "clinic", Roles: []string{}, ExpiresAt: time.Unix(0, 0)}, nil
}

func (q query) VerifyGrants(context.Context, model.VerifyGrantsInput) (*model.VerifyGrantsPayload, error) {
	return &model.VerifyGrantsPayload{Valid: true, Missing: []*model.MissingGrant{}}, nil
}

// credentials accepts "Bearer good", and "Bearer ambient" as one that the browser sends by itself.
type credentials struct{}

func (credentials) Authenticate(r *http.Request) (*caller.Caller, error) {
	switch r.Header.Get("Authorization") {
	case "":
		return nil, nil
	case "Bearer good":
		return &caller.Caller{Tenant: "clinic"}, nil
	case "Bearer ambient":
		return &caller.Caller{Tenant: "clinic", Ambient: true}, nil
	case "Bearer panic":
		panic("a panic of the authenticator")
	}
	return nil, fault.Wrap(errors.New("secret cause"), fault.Unauthenticated, "The credential is not accepted: sign in again.")
}

type observed struct {
	mu   sync.Mutex
	list []string
}

func (o *observed) Request(field, code string, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, field+":"+code)
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

type server struct {
	http.Handler
	log  *syncBuffer
	seen *observed
}

func newSchema(r resolver) graphql.ExecutableSchema {
	return graph.NewExecutableSchema(graph.Config{Resolvers: r})
}

func newServer(t testing.TB, r resolver, change func(*Options)) *server {
	s := &server{log: &syncBuffer{}, seen: &observed{}}
	cfg := config.Default()
	o := Options{
		Schema:        newSchema(r),
		Authenticator: credentials{}, Observer: s.seen,
		Logger: slog.New(LogRequestIDs(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		Tracer: noop.NewTracerProvider().Tracer(""), HTTP: cfg.HTTP, GraphQL: cfg.GraphQL,
	}
	o.HTTP.PublicURL, o.HTTP.AllowedOrigins = publicURL, []string{"https://app.example"}
	if change != nil {
		change(&o)
	}
	var err error
	s.Handler, err = New(o)
	require.NoError(t, err)
	return s
}

type answer struct {
	status int
	header http.Header
	raw    string
	Data   json.RawMessage `json:"data"`
	Errors []struct {
		Message    string         `json:"message"`
		Path       []any          `json:"path"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
}

func (a *answer) code() string {
	if len(a.Errors) == 0 {
		return ""
	}
	code, _ := a.Errors[0].Extensions["code"].(string)
	return code
}

func (s *server) do(t testing.TB, r *http.Request) *answer {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	a := &answer{status: w.Code, header: w.Header(), raw: w.Body.String()}
	if strings.Contains(w.Header().Get("Content-Type"), "json") {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), a), a.raw)
	}
	return a
}

func post(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, publicURL+"/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func (s *server) post(t testing.TB, body string) *answer {
	t.Helper()
	return s.do(t, post(body))
}

// query runs a document, with variables as JSON or "".
func (s *server) query(t testing.TB, document string, variables ...string) *answer {
	t.Helper()
	return s.post(t, bodyOf(document, variables...))
}

func bodyOf(document string, variables ...string) string {
	b, _ := json.Marshal(document)
	if len(variables) == 0 {
		return `{"query":` + string(b) + `}`
	}
	return `{"query":` + string(b) + `,"variables":` + variables[0] + `}`
}
