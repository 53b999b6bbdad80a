package directives_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/directives/internal/shapes"
)

// shapesWorld is a server of the less usual shapes, and its environment.
type shapesWorld struct {
	*world
	*shapes.Resolver
}

// newShapes returns a server that uses the extensions before the runtime of @token.
func newShapes(t testing.TB, before ...graphql.HandlerExtension) *shapesWorld {
	t.Helper()
	s := &shapesWorld{newWorld(t), &shapes.Resolver{}}
	tokens, err := directives.New(directives.Options{Grants: s.grants, Session: session, Now: s.clock.now})
	require.NoError(t, err)
	config := shapes.Config{Resolvers: s.Resolver}
	config.Directives.Token, config.Directives.Audit = tokens.Directive, s.Audit
	config.Complexity.Query.Reckoned = func(below int, in *shapes.Resolved, omittable *shapes.Omittable) int {
		s.Record("complexity ran")
		if in != nil {
			s.Record(in.Token)
		}
		if omittable != nil {
			s.Record(omittable.Token.Value())
		}
		return below + 1
	}
	s.handler = handler.New(shapes.NewExecutableSchema(config))
	s.handler.AddTransport(transport.SSE{})
	s.handler.AddTransport(transport.POST{})
	for _, e := range before {
		s.handler.Use(e)
	}
	s.handler.Use(tokens)
	return s
}

func TestTheLessUsualShapesOfInputAreVerified(t *testing.T) {
	for name, c := range map[string]struct {
		query, path string
		variables   map[string]any
	}{
		"an input with its own unmarshaler": {query: `{ take(custom: {plain: "p", custom: {token: "TOK"}}) }`, path: "take.custom.custom.token"},
		"it, from a variable":               {query: `query($c: Custom) { take(custom: $c) }`, path: "take.custom.token", variables: v("c", v("token", tok(1)))},
		"an input field's resolver":         {query: `{ take(resolved: {plain: "p", token: "TOK", after: "a"}) }`, path: "take.resolved.token"},
		"omittable":                         {query: `{ take(omittable: {token: "TOK"}) }`, path: "take.omittable.token"},
		"an omittable list":                 {query: `{ take(omittable: {list: "TOK"}) }`, path: "take.omittable.list.0"},
		"text of a scalar for any JSON":     {query: `{ take(json: "TOK") }`, path: "take.json"},
		"a list of such scalars":            {query: `{ take(jsons: [null, "TOK"]) }`, path: "take.jsons.1"},
		"a field that resolves batches":     {query: `{ things { a: token(and: "TOK") } }`, path: "things.a.and"},
		"beside a directive":                {query: `query @audit(note: "n") { take(json: "TOK") @audit(note: "m") }`, path: "take.json"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShapes(t)
			s.All = []*shapes.Thing{{}, {}}
			query := replaceToken(c.query)
			require.Equal(t, []string{"GRANT_REQUIRED " + c.path}, s.ask(t, query, c.variables).refused())
			require.Empty(t, s.Got(), "no application code ran")
			s.grants.hold(store, tok(1))
			require.Empty(t, s.ask(t, query, c.variables).Errors)
			require.Contains(t, s.Got(), tok(1))
			require.Len(t, s.grants.verifies, 2, "one per operation")
		})
	}
}

func TestAScalarThatHoldsMoreThanTextIsNoToken(t *testing.T) {
	for _, value := range []string{`{token: "TOK"}`, `["TOK"]`, `[["TOK"]]`, `7`, `true`} {
		t.Run("in "+value, func(t *testing.T) {
			s := newShapes(t)
			s.grants.all = true
			require.Equal(t, []string{"GRANT_REQUIRED take.json"}, s.ask(t, replaceToken(`{ take(json: `+value+`) }`), nil).refused())
			require.Empty(t, s.Got())
		})
	}
	for name, value := range map[string]any{
		"an object": map[string]any{"token": tok(1)}, "a list of objects": []any{map[string]any{"token": tok(1)}}, "a number": 7,
	} {
		t.Run("out: "+name, func(t *testing.T) {
			s := newShapes(t)
			s.Whole = value
			a := s.ask(t, `{ json }`, nil)
			require.Equal(t, []string{"INTERNAL json"}, a.refused())
			require.NotContains(t, a.raw, tok(1))
			require.Empty(t, s.grants.created())
		})
	}
	t.Run("out: text", func(t *testing.T) {
		s := newShapes(t)
		s.Whole = tok(1)
		require.Empty(t, s.ask(t, `{ json }`, nil).Errors)
		require.Equal(t, [][]string{{tok(1) + " READ 0s"}}, s.grants.created())
	})
}

// An input without @token accepts any token, since the schema asks for no check.
func TestAnInputWithoutTheAnnotationTakesAnyToken(t *testing.T) {
	s := newShapes(t)
	require.Empty(t, s.ask(t, replaceToken(`{ take(open: {token: "TOK"}) }`), nil).Errors)
	creates, verifies := s.grants.calls()
	require.Zero(t, creates+verifies)
}

func TestBatchesAreGrantedInOneCall(t *testing.T) {
	s := newShapes(t)
	for i := range 3 {
		s.All = append(s.All, &shapes.Thing{Token: ptr(directives.TokenID(tok(i)))})
	}
	require.Empty(t, s.ask(t, `{ things { token } }`, nil).Errors)
	require.Equal(t, [][]string{{tok(0) + " READ 0s", tok(1) + " READ 0s", tok(2) + " READ 0s"}}, s.grants.created())
}

// gqlgen reads arguments before the operation begins if a function calculates its complexity. In this schema inputs have
// resolvers, which then run, so the operation is verified before that, even if the limit refuses it afterwards.
func TestComplexityFunctionsReadVerifiedTokens(t *testing.T) {
	for name, field := range map[string]string{"resolver": "resolved", "omittable": "omittable"} {
		t.Run(name, func(t *testing.T) {
			s := newShapes(t, extension.FixedComplexityLimit(100))
			query := replaceToken(`{ reckoned(` + field + `: {token: "TOK"}) b: reckoned(` + field + `: {token: "TOK"}) }`)
			require.Equal(t, []string{"GRANT_REQUIRED b." + field + ".token", "GRANT_REQUIRED reckoned." + field + ".token"}, s.ask(t, query, nil).refused())
			require.Empty(t, s.Got(), "no application code ran")
			require.Len(t, s.grants.verifies, 1)
			s.grants.hold(store, tok(1))
			require.Empty(t, s.ask(t, query, nil).Errors)
			require.Contains(t, s.Got(), "complexity ran")
			require.Len(t, s.grants.verifies, 2, "one per operation, also if the complexity function reads the token first")
			s.grants.failing = errBroken
			require.Equal(t, []string{"UNAVAILABLE b." + field + ".token", "UNAVAILABLE reckoned." + field + ".token"}, s.ask(t, query, nil).refused())
			require.Len(t, s.grants.verifies, 3)
		})
	}
	t.Run("no call without a session", func(t *testing.T) {
		s := newShapes(t, extension.FixedComplexityLimit(1))
		r := request(t, replaceToken(`{ reckoned(resolved: {token: "TOK"}) b: take c: take }`), nil)
		r.Header.Del("Session")
		require.Equal(t, []string{"COMPLEXITY_LIMIT_EXCEEDED "}, s.send(t, r).refused())
		creates, verifies := s.grants.calls()
		require.Zero(t, creates+verifies)
		require.Empty(t, s.Got())
	})
	t.Run("a skipped field", func(t *testing.T) {
		s := newShapes(t, extension.FixedComplexityLimit(100))
		s.grants.hold(store, tok(1))
		query := replaceToken(`{ take b: reckoned(resolved: {token: "TOK"}) @skip(if: true) }`)
		require.Empty(t, s.ask(t, query, nil).Errors)
		require.NotContains(t, s.Got(), tok(1))
	})
}

// fromStore is a stored operation with its variables.
type fromStore struct {
	query     string
	variables map[string]any
	late      bool // variables are set after coercion
}

func (fromStore) ExtensionName() string                   { return "Persisted" }
func (fromStore) Validate(graphql.ExecutableSchema) error { return nil }

func (f fromStore) MutateOperationParameters(_ context.Context, p *graphql.RawParams) *gqlerror.Error {
	p.Query, p.Variables = f.query, f.variables
	return nil
}

func (f fromStore) MutateOperationContext(_ context.Context, oc *graphql.OperationContext) *gqlerror.Error {
	if f.late {
		oc.Variables["r"] = map[string]any{"token": tok(2)}
	}
	return nil
}

func TestPersistedOperationsAreVerified(t *testing.T) {
	query := `query($r: Omittable) { take(omittable: $r) }`
	for name, c := range map[string]struct {
		kept fromStore
		good string
	}{
		"stored variables":                 {fromStore{query, v("r", v("token", tok(1))), false}, tok(1)},
		"variables that an extension sets": {fromStore{query, v("r", v("token", tok(1))), true}, tok(2)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShapes(t, c.kept)
			require.Equal(t, []string{"GRANT_REQUIRED take.omittable.token"}, s.ask(t, `{ take }`, nil).refused())
			require.Empty(t, s.Got())
			s.grants.hold(store, c.good)
			require.Empty(t, s.ask(t, `{ take }`, nil).Errors)
		})
	}
}

func TestASubscriptionsArgumentsAreVerified(t *testing.T) {
	s := newShapes(t)
	for path, query := range map[string]string{
		"watch.token": `subscription { watch(token: "TOK") { token } }`, "watch.resolved.token": `subscription { watch(resolved: {token: "TOK"}) { token } }`,
	} {
		t.Run(path, func(t *testing.T) {
			r := request(t, replaceToken(query), nil)
			r.Header.Set("Accept", "text/event-stream")
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, r)
			require.Contains(t, rec.Body.String(), `"code":"GRANT_REQUIRED"`)
			require.Contains(t, rec.Body.String(), `["`+strings.ReplaceAll(path, ".", `","`)+`"]`)
		})
	}
	require.Empty(t, s.Got())
}
