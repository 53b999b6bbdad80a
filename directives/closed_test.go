package directives_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/directives/internal/testserver"
)

const bothWays = `mutation { take(token: "tok-00000000-0000-4000-8000-000000000001") }`

func TestWithoutTheExtensionNothingPasses(t *testing.T) {
	w := newWorld(t)
	w.grants.all = true
	w.OnRecord = give(record(0))
	w.handler = serve(w.Resolver, w.tokens.Directive)
	a := w.ask(t, `{ record { name text } }`, nil)
	require.Equal(t, []string{"INTERNAL record.text"}, a.refused())
	require.NotContains(t, a.raw, "tok-")
	ran := w.Ran.Load()
	require.Equal(t, []string{"INTERNAL take.token"}, w.ask(t, bothWays, nil).refused())
	require.Equal(t, ran, w.Ran.Load())
}

func TestWithoutTheDirectiveNothingPasses(t *testing.T) {
	w := newWorld(t)
	w.grants.all = true
	w.OnRecord = give(record(0))
	w.handler = serve(w.Resolver, nil)
	w.handler.Use(w.tokens)
	require.NotContains(t, w.ask(t, `{ record { name text } }`, nil).raw, "tok-")
	ran := w.Ran.Load()
	require.NotEmpty(t, w.ask(t, bothWays, nil).Errors)
	require.Equal(t, ran, w.Ran.Load())
}

func TestTheDirectiveOfAnotherServerFailsClosed(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	w.grants.all = true
	w.OnRecord = give(record(0))
	w.handler = serve(w.Resolver, other.tokens.Directive)
	w.handler.Use(w.tokens)
	require.Equal(t, []string{"INTERNAL record.text"}, w.ask(t, `{ record { text } }`, nil).refused())
	require.Equal(t, []string{"INTERNAL take.token"}, w.ask(t, bothWays, nil).refused())
}

func TestTwoServersShareNoGrants(t *testing.T) {
	a, b := newWorld(t), newWorld(t)
	a.OnRecord, b.OnRecord = give(record(0)), give(record(0))
	for range 2 {
		require.Empty(t, a.ask(t, `{ record { text } }`, nil).Errors)
		require.Empty(t, b.ask(t, `{ record { text } }`, nil).Errors)
	}
	require.Len(t, a.grants.creates, 1)
	require.Len(t, b.grants.creates, 1)
	require.Error(t, a.tokens.Validate(serverSchema(b)), "one value serves one schema")
}

func serverSchema(w *world) graphql.ExecutableSchema {
	es := testserver.NewExecutableSchema(testserver.Config{Resolvers: w.Resolver})
	other := *es.Schema()
	return testserver.NewExecutableSchema(testserver.Config{Resolvers: w.Resolver, Schema: &other})
}

// swap changes a variable after the tokens were verified.
type swap struct{}

func (swap) ExtensionName() string                   { return "Swap" }
func (swap) Validate(graphql.ExecutableSchema) error { return nil }
func (swap) InterceptOperation(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	graphql.GetOperationContext(ctx).Variables["t"] = tok(2)
	return next(ctx)
}

func TestArgumentsThatChangeAfterTheyWereVerified(t *testing.T) {
	w := newWorld(t)
	w.grants.hold(store, tok(1))
	w.handler.Use(swap{})
	for _, query := range []string{
		`mutation($t: String) { take(token: $t) }`, `mutation($t: [String!]) { take(list: $t) }`, `mutation($t: TokenID) { take(deep: {token: $t}) }`,
	} {
		a := w.ask(t, query, map[string]any{"t": tok(1)})
		require.Len(t, a.refused(), 1, query)
		require.Contains(t, a.refused()[0], "GRANT_REQUIRED take.")
	}
	require.Zero(t, w.Ran.Load())
}

// calculating replaces the server by one that calculates a field's complexity from its argument; extensions are added in
// this order.
func calculating(w *world, before, after []graphql.HandlerExtension) {
	config := testserver.Config{Resolvers: w.Resolver, Directives: testserver.DirectiveRoot{Token: w.tokens.Directive}}
	config.Complexity.Query.Echo = func(_ int, token *directives.TokenID) int { return len(*token) }
	srv := handler.New(testserver.NewExecutableSchema(config))
	srv.AddTransport(transport.POST{})
	for _, e := range slices.Concat(before, []graphql.HandlerExtension{w.tokens}, after) {
		srv.Use(e)
	}
	w.handler = srv
}

// TestAnOperationRefusedForItsComplexityCostsNoCall adds the extensions in both orders.
func TestAnOperationRefusedForItsComplexityCostsNoCall(t *testing.T) {
	limit := func(n int) []graphql.HandlerExtension {
		return []graphql.HandlerExtension{extension.FixedComplexityLimit(n)}
	}
	for order, use := range map[string]func(w *world, n int){
		"the limit first":  func(w *world, n int) { calculating(w, limit(n), nil) },
		"the tokens first": func(w *world, n int) { calculating(w, nil, limit(n)) },
	} {
		t.Run(order, func(t *testing.T) {
			for name, query := range map[string]string{
				"calculated by a function from the token": `{ echo(token: "` + tok(1) + `") }`,
				"calculated from its fields":              `mutation { take(token: "` + tok(1) + `") ` + strings.Repeat("__typename ", 30) + `}`,
			} {
				t.Run(name, func(t *testing.T) {
					for _, held := range []bool{false, true} {
						w := newWorld(t)
						use(w, 30)
						w.grants.all = held
						require.Equal(t, []string{"COMPLEXITY_LIMIT_EXCEEDED "}, w.ask(t, query, nil).refused())
						creates, verifies := w.grants.calls()
						require.Zero(t, creates+verifies)
						require.Zero(t, w.Ran.Load())
					}
				})
			}
			t.Run("an operation within the limit is verified once, before any resolver", func(t *testing.T) {
				w := newWorld(t)
				use(w, 100)
				query := `{ echo(token: "` + tok(1) + `") }`
				require.Equal(t, []string{"GRANT_REQUIRED echo.token"}, w.ask(t, query, nil).refused())
				require.Zero(t, w.Ran.Load())
				require.Len(t, w.grants.verifies, 1)
				w.grants.all = true
				require.Empty(t, w.ask(t, query, nil).Errors)
				require.Len(t, w.grants.verifies, 2)
			})
		})
	}
}

func TestErrorPresentersAreNotGivenGrantErrors(t *testing.T) {
	w := newWorld(t)
	w.handler.SetErrorPresenter(func(context.Context, error) *gqlerror.Error { return gqlerror.Errorf("hidden") })
	require.Equal(t, []string{"GRANT_REQUIRED take.token"}, w.ask(t, bothWays, nil).refused())
}

func TestNew(t *testing.T) {
	grants := &fakeGrants{}
	for name, o := range map[string]directives.Options{
		"Grants":  {Session: session},
		"Session": {Grants: grants},
		"Timeout": {Grants: grants, Session: session, Timeout: -1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := directives.New(o)
			require.ErrorContains(t, err, name)
		})
	}
	rec := httptest.NewRecorder()
	require.NotPanics(t, func() { newWorld(t).ServeHTTP(rec, request(t, `{`, nil)) })
}
