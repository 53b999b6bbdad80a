// Package directives is the @token runtime for any gqlgen server: a backend annotates fields of its
// schema, and grants are created for the tokens that it returns and verified for those that come in.
//
// A server adds the declaration (token.graphqls beside this file, and tokenid.graphqls if it wants the scalar) to its
// schema, binds its types in gqlgen.yml,
//
//	models:
//	  GrantKind: { model: [github.com/cloakroomhq/cloakroom/directives.GrantKind] }
//	  TokenID: { model: [github.com/cloakroomhq/cloakroom/directives.TokenID] }
//
// (never by autobind, which binds every type of the schema that has the name of a type of this package) and installs one
// value in two places:
//
//	tokens, err := directives.New(directives.Options{Grants: grants, Session: session})
//	schema := graph.NewExecutableSchema(graph.Config{
//		Resolvers: resolvers, Directives: graph.DirectiveRoot{Token: tokens.Directive},
//	})
//	srv := handler.New(schema)
//	srv.Use(tokens)
//
// If either is missing, requests fail: without the directive gqlgen refuses the field, and without the extension
// the directive does.
//
// Each operation makes at most one call in each direction. Tokens in its arguments are verified in one
// call before any resolver runs; tokens that it returns are collected while fields resolve, and their
// grants are created in one call before the response leaves. Each subscription event and each
// incremental payload is a response of its own.
//
// The package depends on gqlgen's runtime and gqlparser only. It calls the gateway through Grants, which the gateway
// (in the same process) and the package client (over GraphQL) implement.
package directives
