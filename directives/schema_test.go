package directives_test

import (
	"os"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/cloakroomhq/cloakroom/directives"
)

const accepted = `
	scalar Ref
	interface Node { id: ID @token ask(t: ID @token, u: ID): ID }
	type A implements Node { id: ID @token(duration: "1h30m") ask(t: ID @token(grants: STORE), u: ID): ID @token s: [[Ref!]]! @token(grants: [READ, STORE]) }
	input In { t: TokenID @token(grants: null, duration: null) ts: [String!]! @token(grants: [READ]) in: In }
	type Query { a(in: In, t: String! @token): A node: Node }`

func load(t *testing.T, sdl ...string) *ast.Schema {
	t.Helper()
	sources := make([]*ast.Source, len(sdl))
	for i, s := range sdl {
		sources[i] = &ast.Source{Name: "schema.graphqls", Input: s}
	}
	schema, err := gqlparser.LoadSchema(sources...)
	require.NoError(t, err)
	return schema
}

func TestCheckSchemaAccepts(t *testing.T) {
	require.NoError(t, directives.CheckSchema(load(t, directives.Declaration, directives.TokenIDDeclaration, accepted)))
	require.NoError(t, directives.CheckSchema(load(t, directives.Declaration, `type Query { plain: Int }`)))
}

func TestTheDeclarationTakesTwoNames(t *testing.T) {
	t.Run("@token and GrantKind", func(t *testing.T) {
		doc, err := parser.ParseSchema(&ast.Source{Name: "token.graphqls", Input: directives.Declaration})
		require.NoError(t, err)
		require.Len(t, doc.Directives, 1)
		require.Len(t, doc.Definitions, 1)
		require.Equal(t, "GrantKind", doc.Definitions[0].Name)
	})
	t.Run("every other name is free for the application", func(t *testing.T) {
		require.NoError(t, directives.CheckSchema(load(t, directives.Declaration, `
			scalar Duration
			enum TokenID { A B }
			type Tokens { id: ID @token(duration: "5m") }
			input Grant { for: Duration }
			type Query { tokens(grant: Grant): Tokens kind: TokenID }`)))
	})
}

func TestTheGatewaysDeclarationIsTheOneThatBackendsInclude(t *testing.T) {
	for name, included := range map[string]string{"token": directives.Declaration, "tokenid": directives.TokenIDDeclaration} {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile("../graph/schema/" + name + ".graphqls")
			require.NoError(t, err)
			require.Equal(t, included, string(b))
		})
	}
}

func TestCheckSchemaRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		sdl   string
		wants []string
	}{
		"object":     {`type Query { q: Query @token }`, []string{"Query.q: @token stands on Query"}},
		"list":       {`type Query { q: [[Query!]!] @token }`, []string{"Query.q: @token stands on [[Query!]!]"}},
		"numbers":    {`type Query { i: Int @token f: [Float] @token b: Boolean! @token }`, []string{"Query.i:", "Query.f:", "Query.b:"}},
		"enum":       {`enum E { A } type Query { e: E @token }`, []string{"Query.e:"}},
		"union":      {`union U = Query type Query { u: U @token }`, []string{"Query.u:"}},
		"input":      {`input I { a: I @token b: Int @token } type Query { q(i: I @token, n: Int @token): ID }`, []string{"I.a:", "I.b:", "Query.q(i:):", "Query.q(n:):"}},
		"no grants":  {`type Query { q: ID @token(grants: []) }`, []string{"Query.q: @token names no grants"}},
		"duration":   {`type Query { a: ID @token(duration: "soon") b: ID @token(duration: "-1s") c: ID @token(duration: "0s") }`, []string{`Query.a: "soon"`, "Query.b:", "Query.c:"}},
		"interface":  {`interface N { id: ID @token } type A implements N { id: ID @token } type B implements N { id: ID } type Query { n: N }`, []string{"B.id: lacks the @token that N.id has"}},
		"arguments":  {`interface N { f(a: ID @token, b: ID, c: ID @token): ID } type A implements N { f(a: ID, b: ID @token, c: ID @token(grants: READ)): ID } type Query { n: N }`, []string{"A.f(a:):", "A.f(b:):", "A.f(c:):"}},
		"directives": {`directive @auth(by: String @token) on QUERY | FIELD type Query { q: ID }`, []string{"@auth(by:): @token can't stand"}},
		"objects":    {`scalar Map scalar Any scalar Upload type Query { m: Map @token q(a: [Any] @token, u: Upload @token): ID }`, []string{"Query.m: @token stands on Map", "Query.q(a:):", "Query.q(u:):"}},
		"directive with an input": {`directive @by(in: Out, plain: Plain) on FIELD | FIELD_DEFINITION input Out { in: [In!] } input In { t: ID @token } input Plain { t: ID } type Query { q: ID }`,
			[]string{"@by(in:): Out has fields with @token, which can't be verified"}},
		"_Any elsewhere":              {`scalar _Any type Query { t: ID @token _entities(representations: [_Any!]!): [ID]! q(of: _Any): ID }`, []string{"Query.q(of:): takes _Any"}},
		"_Any in an input":            {`scalar _Any input I { of: [_Any] } type Query { t: ID @token _entities(representations: [_Any!]!): [ID]! }`, []string{"I.of: takes _Any"}},
		"_entities of another scalar": {`scalar Json type Query { t: ID @token _entities(representations: [Json!]!): [ID]! }`, []string{"Query._entities: takes other arguments"}},
		"_entities with more":         {`scalar _Any type Query { t: ID @token _entities(representations: [_Any!]!, of: ID): [ID]! }`, []string{"Query._entities: takes other arguments"}},
		"transitive":                  {`interface M { id: ID @token } interface N implements M { id: ID @token } type A implements N & M { id: ID } type Query { n: N }`, []string{"A.id: lacks the @token that M.id has", "A.id: lacks the @token that N.id has"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := directives.CheckSchema(load(t, directives.Declaration, c.sdl))
			require.Error(t, err)
			for _, w := range c.wants {
				require.ErrorContains(t, err, w)
			}
			require.Len(t, strings.Split(err.Error(), "\n"), len(c.wants), "no other error")
		})
	}
}

// eventful is a server with a context per event.
type eventful struct {
	graphql.ExecutableSchemaWithEventContext
	schema *ast.Schema
}

func (e eventful) Schema() *ast.Schema { return e.schema }

func TestASubscriptionsFieldWithAContextPerEventIsRefused(t *testing.T) {
	w := newWorld(t)
	tokens, err := directives.New(directives.Options{Grants: w.grants, Session: session})
	require.NoError(t, err)
	const sdl = `type Query { q: ID } type Subscription { t: ID @token ok: Query }`
	err = tokens.Validate(eventful{schema: load(t, directives.Declaration, sdl)})
	require.ErrorContains(t, err, "Subscription.t: @token can't stand on a subscription's field")
	var refused *directives.SchemaError
	require.ErrorAs(t, err, &refused)
	require.NoError(t, tokens.Validate(eventful{schema: load(t, directives.Declaration, strings.Replace(sdl, "@token", "", 1))}))
}

func TestCheckSchemaRefusesAnotherDeclaration(t *testing.T) {
	require.ErrorContains(t, directives.CheckSchema(load(t, `type Query { q: ID }`)), "@token: is not declared")
	for _, change := range [][2]string{
		{"grants: [GrantKind!]\n", "grants: [GrantKind!]!\n"},
		{"grants: [GrantKind!]\n", "grants: [GrantKind!] = [READ]\n"},
		{"duration: String\n", "duration: ID\n"},
		{"duration: String\n", "duration: String = \"5m\"\n"},
		{"duration: String\n", "duration: String more: Int\n"},
		{"  duration: String\n", "  other: String\n"},
		{") on FIELD_DEFINITION", ") repeatable on FIELD_DEFINITION"},
		{" | INPUT_FIELD_DEFINITION", ""},
		{" | INPUT_FIELD_DEFINITION", " | INPUT_FIELD_DEFINITION | OBJECT"},
		{"  STORE\n}", "  STORE\n  OWN\n}"},
	} {
		changed := strings.Replace(directives.Declaration, change[0], change[1], 1)
		require.NotEqual(t, directives.Declaration, changed)
		require.ErrorContains(t, directives.CheckSchema(load(t, changed, `type Query { q: ID }`)), "@token: is declared in another way", change[1])
	}
	require.NoError(t, directives.CheckSchema(load(t, strings.ReplaceAll(directives.Declaration, "READ` for", "x"), `type Query { q: ID }`)))
}
