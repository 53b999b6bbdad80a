// Package resolvers resolves the contract's fields: each resolver decodes, makes one call to the vault,
// and encodes. There is one file for each file of graph/schema.
package resolvers

import (
	"github.com/cloakroomhq/cloakroom/graph"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

// Resolver is the root; it implements graph.ResolverRoot.
type Resolver struct{ Vault *vault.Vault }

// Mutation returns the resolvers of the mutations.
func (r *Resolver) Mutation() graph.MutationResolver { return mutations{r.Vault} }

// Query returns the resolvers of the queries.
func (r *Resolver) Query() graph.QueryResolver { return queries{r.Vault} }

// Subscription returns the resolvers of the subscriptions.
func (r *Resolver) Subscription() graph.SubscriptionResolver { return subscriptions{r.Vault} }

type (
	mutations     struct{ vault *vault.Vault }
	queries       struct{ vault *vault.Vault }
	subscriptions struct{ vault *vault.Vault }
)

// value and pointer convert members of lists of tokens, because the executor uses pointers.
func value(t *ids.Token) ids.Token   { return *t }
func pointer(t ids.Token) *ids.Token { return &t }

// optional is each for a list that may be absent.
func optional(tokens []*ids.Token) []ids.Token {
	if tokens == nil {
		return nil
	}
	return each(tokens, value)
}

// each returns the list of f's results for the members.
func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i := range in {
		out[i] = f(in[i])
	}
	return out
}
