// Package graph is the clinic's own GraphQL API: the schema, and the executor that gqlgen generates.
package graph

//go:generate sh -c "cd .. && go tool gqlgen generate"
