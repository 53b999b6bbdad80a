// Package httpd serves GraphQL over HTTP, with routes, limits, credentials, request ids, and the only place that turns
// errors into what a client sees.
//
// The protocol is the GraphQL-over-HTTP draft of the GraphQL Foundation: POST with JSON, GET for
// queries, one operation per request. gqlgen's executor runs the operations; the transports are our own,
// because its own echo malformed input, answer 422, and put "data": null on refused requests.
package httpd

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
	"go.opentelemetry.io/otel/trace"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

// Observer counts requests.
type Observer interface {
	// Request is called for each GraphQL request with its root field (or "none", "several", "introspection",
	// "refused"), the first error's code ("" for none) and how long it took.
	Request(field, code string, took time.Duration)
}

// Rates limit requests without credentials.
type Rates interface {
	// Anonymous is called before the request's operation is read. Its errors are faults RATE_LIMITED.
	Anonymous(r *http.Request) error
}

// Check is a part that /readyz asks.
type Check struct {
	Name string
	Ask  func(context.Context) error
	// Degrades means that the gateway works without the part, and stays ready: out of service, it could revoke nothing.
	Degrades bool
}

// Options configure the handler. Rates, Playground, Metrics, SignIn and Logout may be nil.
type Options struct {
	Schema        graphql.ExecutableSchema
	Authenticator guard.CallerFinder
	Rates         Rates // nil: no limits
	Observer      Observer
	Logger        *slog.Logger
	Tracer        trace.Tracer
	Checks        []Check
	Playground    http.Handler
	Metrics       http.Handler
	SignIn        SignIn        // below /session/
	Logout        guard.Handler // for /session/back-channel-logout
	HTTP          config.HTTP
	GraphQL       config.GraphQL
}

// New returns the gateway's handler.
func New(o Options) (http.Handler, error) {
	g := &graphQL{
		exec: executor.New(o.Schema), observer: o.Observer, log: o.Logger, tracer: o.Tracer, origin: ownOrigin(o.HTTP.PublicURL),
		maxBody: o.HTTP.MaxBody, maxApplicationBody: o.HTTP.MaxApplicationBody, timeout: o.HTTP.RequestTimeout,
	}
	g.exec.SetErrorPresenter(present(o.Logger))
	g.exec.SetRecoverFunc(recovered)
	g.exec.SetParserTokenLimit(o.GraphQL.MaxTokens)
	g.exec.SetDisableSuggestion(!o.GraphQL.Introspection)
	documents, err := newCache(o.GraphQL.DocumentCache, func(_ string, d *ast.QueryDocument) int { return 64 * len(d.Operations[0].Position.Src.Input) })
	if err != nil {
		return nil, err
	}
	g.exec.SetQueryCache(documents)
	if !o.GraphQL.Introspection {
		g.exec.SetDefaultRulesFn(rulesWithoutSuggestions)
	}
	if err := g.persisted(o.GraphQL, o.Schema); err != nil {
		return nil, err
	}
	g.exec.Use(&selections{max: o.GraphQL.MaxSelections, maxTokens: o.GraphQL.MaxTokens, documents: documents})
	g.exec.Use(&limits{GraphQL: o.GraphQL})
	if o.GraphQL.Introspection {
		g.exec.Use(extension.Introspection{})
	}

	table := routes(o, g.handle)
	mux := http.NewServeMux()
	for i := range table {
		mux.Handle(table[i].Path, &table[i])
	}
	return wrap(mux, table, o), nil
}

// persisted sets up the allow-list or automatic persisted queries. The allow-list replaces automatic persisted queries, and
// answers their clients.
func (g *graphQL) persisted(o config.GraphQL, schema graphql.ExecutableSchema) error {
	if o.AllowList != "" {
		list, err := loadAllowList(o, schema.Schema())
		if err != nil {
			return err
		}
		g.exec.Use(list)
		g.documentIDs = true
		return nil
	}
	if !o.PersistedQueries {
		return nil
	}
	cache, err := newCache(o.PersistedCache, func(hash, query string) int { return len(hash) + len(query) })
	if err != nil {
		return err
	}
	g.exec.Use(extension.AutomaticPersistedQuery{Cache: cache})
	return nil
}

// rulesWithoutSuggestions returns gqlparser's rules, with replacements for those whose messages suggest existing names.
func rulesWithoutSuggestions() *rules.Rules {
	r := rules.NewDefaultRules()
	for with, without := range map[string]core.Rule{
		rules.KnownArgumentNamesRule.Name:  rules.KnownArgumentNamesRuleWithoutSuggestions,
		rules.KnownTypeNamesRule.Name:      rules.KnownTypeNamesRuleWithoutSuggestions,
		rules.ScalarLeafsRule.Name:         rules.ScalarLeafsRuleWithoutSuggestions,
		rules.ValuesOfCorrectTypeRule.Name: rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
	} {
		r.RemoveRule(with)
		r.AddRule(without.Name, without.RuleFunc)
	}
	return r
}
