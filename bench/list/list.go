// Package list has the schema of the list for the measurements of @token, and the executor that gqlgen generates from it.
package list

import "context"

//go:generate go tool gqlgen generate

// Resolver returns the same rows to every caller.
type Resolver []*Row

// Query implements ResolverRoot.
func (r Resolver) Query() QueryResolver { return r }

// Rows implements QueryResolver.
func (r Resolver) Rows(context.Context) ([]*Row, error) { return r, nil }
