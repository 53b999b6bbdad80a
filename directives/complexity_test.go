package directives_test

import (
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/directives/internal/shapes"
	"github.com/cloakroomhq/cloakroom/directives/internal/testserver"
)

type (
	withQuery interface{ Query() any }
	withInput interface{ MyInput() any }
	// otherSchema is a schema that gqlgen did not generate.
	otherSchema struct{ graphql.ExecutableSchema }
)

func executable[R any](schema *ast.Schema) graphql.ExecutableSchema {
	return &struct {
		graphql.ExecutableSchema
		Resolvers R
	}{otherSchema{&fixed{schema: schema}}, *new(R)}
}

type fixed struct {
	graphql.ExecutableSchema
	schema *ast.Schema
}

func (f *fixed) Schema() *ast.Schema { return f.schema }

// TestInputsRunCode: code that could run before the operation is verified is found; an unknown kind of schema counts as code.
func TestInputsRunCode(t *testing.T) {
	schema := func(text string) *ast.Schema {
		s, err := gqlparser.LoadSchema(&ast.Source{Input: directives.Declaration + `
			directive @own on ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION | INPUT_OBJECT
			` + text})
		require.NoError(t, err)
		return s
	}
	const plainInput = `type Query { a(b: my_input): ID } input my_input { t: ID @token }`
	for name, c := range map[string]struct {
		es   graphql.ExecutableSchema
		want bool
	}{
		"nothing":                    {executable[withQuery](schema(plainInput)), false},
		"a resolver of an input":     {executable[withInput](schema(plainInput)), true},
		"a directive on an argument": {executable[withQuery](schema(`type Query { a(b: ID @token @own): ID }`)), true},
		"on an input's field":        {executable[withQuery](schema(`type Query { a(b: I): ID } input I { t: ID @token @own }`)), true},
		"on an input":                {executable[withQuery](schema(`type Query { a(b: I): ID } input I @own { t: ID @token }`)), true},
		"GraphQL's own directives":   {executable[withQuery](schema(`type Query { a(b: ID @token @deprecated): ID }`)), false},
		"another kind of schema":     {otherSchema{&fixed{schema: schema(plainInput)}}, true},
		"no resolvers at all":        {executable[struct{}](schema(plainInput)), true},
		"the generator's, without":   {testserver.NewExecutableSchema(testserver.Config{}), false},
		"the generator's, with":      {shapes.NewExecutableSchema(shapes.Config{}), true},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, directives.InputsRunCode(c.es)) })
	}
}
