package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
)

// files writes files into a folder and returns it.
func files(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func TestAllErrorsAreReportedAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		wants []string // file:line:column: words
	}{
		"a syntax error in each file": {
			map[string]string{"a.graphqls": "type A {\n  a: \n}", "b.graphqls": "type B { b: String }", "c.graphqls": "\ninput {"},
			[]string{"a.graphqls:3:1", "c.graphqls:2:7"},
		},
		"missing types, in several files": {
			map[string]string{"a.graphqls": "type Query {\n  a: Missing\n  b(c: Gone): String\n}", "b.graphqls": "type B {\n  b: Absent\n}"},
			[]string{"a.graphqls:2:6: Undefined type Missing", "a.graphqls:3:8: Undefined type Gone", "b.graphqls:2:6: Undefined type Absent"},
		},
		"what is declared twice": {
			map[string]string{"a.graphqls": "type Query { a: A }\ntype A { a: String\n  b: Int\n  b: Int }", "b.graphqls": "type A { c: String }\nenum E { X X }\nextend input A { d: Int }"},
			[]string{"b.graphqls:1:6: A is declared twice; first at", "b.graphqls:3:14: A is extended as another kind", "Field A.b can only be defined once"},
		},
		"wrong uses of @token's arguments": {
			map[string]string{"a.graphqls": "type Query {\n  a: String @token(grant: [READ])\n  b(c: ID @token(days: 3)): String\n}"},
			[]string{"a.graphqls:2", "a.graphqls:3"},
		},
		"an object that lacks its interface's fields, beside another error": {
			map[string]string{"a.graphqls": "interface I { a: String b: String }\ntype T implements I { a: String }\ntype Query { t: T x: Nothing }"},
			[]string{"a.graphqls:2", "Undefined type Nothing"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Check([]string{files(t, c.files)}, defaults(t))
			require.Error(t, err)
			for _, want := range c.wants {
				assert.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), externalMark)
		})
	}
	t.Run("once each", func(t *testing.T) {
		_, err := Check([]string{files(t, map[string]string{"a.graphqls": "type Query { a: Missing b: Missing }"})}, defaults(t))
		assert.Equal(t, 2, strings.Count(err.Error(), "Missing"))
	})
}

func TestFederatedSchemasAreRead(t *testing.T) {
	for name, schema := range map[string]string{
		"Federation 1": `
			extend type Query { me: User }
			type User @key(fields: "id") @key(fields: "ssn") { id: ID! ssn: String }
			extend type Product @key(fields: "upc") { upc: String! @external email: String! @external weight: Int @external
				shippingAddress: String @requires(fields: "weight") }`,
		"Federation 2": `
			extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@tag", "@external"])
			type Query { me: User }
			type User @key(fields: "id") @shareable { id: ID! @tag(name: "public") ssn: String @inaccessible }
			type Product @key(fields: "upc", resolvable: false) { upc: ID! email: String @external shippingAddress: String @override(from: "old") @policy(policies: [["x"]]) }`,
		"Federation 2, with its definitions": `
			schema @link(url: "https://specs.apollo.dev/link/v1.0") @link(url: "https://specs.apollo.dev/federation/v2.0", import: ["@key"]) { query: Query }
			directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA
			directive @key(fields: federation__FieldSet!, resolvable: Boolean = true) repeatable on OBJECT | INTERFACE
			directive @external on OBJECT | FIELD_DEFINITION
			scalar link__Import
			enum link__Purpose { SECURITY EXECUTION }
			scalar federation__FieldSet
			type Query { me: User _entities(representations: [_Any!]!): [_Entity]! _service: _Service! }
			scalar _Any
			union _Entity = User | Product
			type _Service { sdl: String }
			type User @key(fields: "id") { id: ID! ssn: String }
			type Product @key(fields: "upc") { upc: ID! email: String @external shippingAddress: String }`,
		"directives that nobody declares": `
			type Query { me: User @auth(requires: ADMIN) product: Product @cost(complexity: 5) }
			type User @model(table: "users") { id: ID! ssn: String @db(column: "x", opts: {a: [1]}) }
			type Product { email(a: Int @deprecatedBy(v: 1)): String @external shippingAddress: String }
			enum Role @sealed { ADMIN @hidden }
			input In @oneOf { a: String @constraint(max: 3) }`,
	} {
		t.Run(name, func(t *testing.T) {
			report, err := Check([]string{files(t, map[string]string{"schema.graphql": schema})}, defaults(t))
			require.NoError(t, err)
			var found []string
			for _, f := range report.Findings {
				found = append(found, f.Coordinate)
			}
			assert.ElementsMatch(t, []string{"User.ssn", "Product.shippingAddress"}, found, "an external field is another subgraph's")
		})
	}
	t.Run("several subgraphs in one folder are one schema", func(t *testing.T) {
		report, err := Check([]string{files(t, map[string]string{
			"a.graphql": `type User @key(fields: "id") { id: ID! ssn: TokenID @token } scalar TokenID`,
			"b.graphql": `extend type User @key(fields: "id") { id: ID! @external iban: String }`,
		})}, defaults(t))
		require.NoError(t, err)
		assert.Len(t, report.Findings, 2, "the IBAN, and the missing declaration of @token")
	})
}

func FuzzLoad(f *testing.F) {
	f.Add("type Query { a: Missing @x b(c: Gone @token): [Int!]! @external }")
	f.Add("extend type A @key(fields: \"a\") { a: ID! @external } interface A { a: ID }")
	f.Add("schema { query: Q } extend schema @link(url: \"\") type Q { a: Q } union U = Q | R enum E { A A }")
	f.Add("type Query { a: String }\n# cloakroom:ignore")
	rules, err := ParseRules(DefaultRules)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, schema string) {
		l := &linter{rules: rules, places: map[string]*ast.Position{}}
		if err := l.check([]*ast.Source{{Name: "a.graphqls", Input: schema}}); err != nil {
			require.NotContains(t, err.Error(), externalMark)
		}
	})
}
