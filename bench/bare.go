package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	_ "net/http/pprof" // on the debug listener
	"os"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/cloakroomhq/cloakroom/graph"
	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// canned has a real answer to every operation, by the names of their root fields.
type canned struct {
	Viewer          *model.Viewer
	Detokenize      *model.DetokenizePayload
	Tokenize        *model.TokenizePayload
	DetokenizeBatch []*model.DetokenizePayload
	TokenizeBatch   []*model.TokenizePayload
}

// bareServer serves the gateway's executor as gqlgen recommends, with resolvers that return prepared
// answers: no callers, checks, rows, keys, signatures, logs or metrics. It shows the cost of GraphQL over HTTP
// in Go, for the same request and the same bytes of answer.
func bareServer(args []string) error {
	flags := flag.NewFlagSet("bare-server", flag.ExitOnError)
	listen, answers, debug := flags.String("listen", "", ""), flags.String("answers", "", ""), flags.String("debug", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	text, err := os.ReadFile(*answers)
	if err != nil {
		return err
	}
	var c canned
	if err := json.Unmarshal(text, &c); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/graphql", bareHandler(&c))
	mux.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	serveDebug(*debug)
	s := &http.Server{Addr: *listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go endWithStdin(func() { _ = s.Close() })
	if err := s.ListenAndServe(); err != http.ErrServerClosed {
		return fmt.Errorf("bare server: %w", err)
	}
	return nil
}

func bareHandler(c *canned) http.Handler {
	server := handler.New(graph.NewExecutableSchema(graph.Config{Resolvers: newBare(c)}))
	server.AddTransport(transport.POST{})
	server.SetQueryCache(lru.New[*ast.QueryDocument](1000))
	return server
}

// bare embeds nil interfaces: a field that is not measured panics, but the plan has no such field.
type bare struct {
	graph.MutationResolver
	graph.QueryResolver
	graph.SubscriptionResolver
	answers *canned
	results []model.DetokenizeResult
}

func newBare(c *canned) *bare {
	b := &bare{answers: c, results: make([]model.DetokenizeResult, len(c.DetokenizeBatch))}
	for i, p := range c.DetokenizeBatch {
		b.results[i] = p
	}
	return b
}

func (b *bare) Mutation() graph.MutationResolver { return b }
func (b *bare) Query() graph.QueryResolver       { return b }

// Subscription is not measured.
func (b *bare) Subscription() graph.SubscriptionResolver { return b }

func (b *bare) Viewer(context.Context) (*model.Viewer, error) { return b.answers.Viewer, nil }

func (b *bare) Detokenize(context.Context, ids.Token) (*model.DetokenizePayload, error) {
	return b.answers.Detokenize, nil
}

func (b *bare) Tokenize(context.Context, *model.TokenizeInput) (*model.TokenizePayload, error) {
	return b.answers.Tokenize, nil
}

func (b *bare) DetokenizeBatch(context.Context, []*ids.Token) ([]model.DetokenizeResult, error) {
	return b.results, nil
}

func (b *bare) TokenizeBatch(context.Context, []*model.TokenizeInput) ([]*model.TokenizePayload, error) {
	return b.answers.TokenizeBatch, nil
}
