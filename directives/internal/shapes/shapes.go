// Package shapes is a gqlgen server with the less usual ways by which a client's strings reach an application. Only
// tests use it.
package shapes

import (
	"context"
	"io"
	"slices"
	"sync"

	"github.com/99designs/gqlgen/graphql"

	"github.com/cloakroomhq/cloakroom/directives"
)

//go:generate go tool gqlgen generate --config gqlgen.yml

// Custom is an input with its own unmarshaler: gqlgen calls no directive for its fields.
type Custom struct {
	Token  directives.TokenID
	Plain  string
	Custom *Custom
}

// UnmarshalGQL implements graphql.Unmarshaler.
func (c *Custom) UnmarshalGQL(v any) error {
	fields, _ := v.(map[string]any)
	token, _ := fields["token"].(string)
	c.Token = directives.TokenID(token)
	c.Plain, _ = fields["plain"].(string)
	if below := fields["custom"]; below != nil {
		c.Custom = &Custom{}
		return c.Custom.UnmarshalGQL(below)
	}
	return nil
}

// MarshalGQL implements graphql.Marshaler.
func (*Custom) MarshalGQL(io.Writer) {}

// Resolver records every string that reaches it.
type Resolver struct {
	All   []*Thing
	Whole any

	mu  sync.Mutex
	got []string
}

// Got returns, sorted, every string that has reached a resolver, a directive or a complexity function.
func (r *Resolver) Got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.got)
	return r.got
}

// Record notes a value's strings.
func (r *Resolver) Record(values ...any) {
	for _, v := range values {
		switch v := v.(type) {
		case string:
			r.mu.Lock()
			r.got = append(r.got, v)
			r.mu.Unlock()
		case *string:
			if v != nil {
				r.Record(*v)
			}
		case *directives.TokenID:
			if v != nil {
				r.Record(string(*v))
			}
		case []directives.TokenID:
			for _, e := range v {
				r.Record(string(e))
			}
		case []any:
			r.Record(v...)
		case map[string]any:
			for _, e := range v {
				r.Record(e)
			}
		}
	}
}

// Audit is the directive of the application.
func (r *Resolver) Audit(ctx context.Context, _ any, next graphql.Resolver, note *string) (any, error) {
	r.Record(note)
	return next(ctx)
}

// Query implements ResolverRoot.
func (r *Resolver) Query() QueryResolver { return r }

// Subscription implements ResolverRoot.
func (r *Resolver) Subscription() SubscriptionResolver { return r }

// Thing implements ResolverRoot.
func (r *Resolver) Thing() ThingResolver { return thing{r} }

// Resolved implements ResolverRoot.
func (r *Resolver) Resolved() ResolvedResolver { return resolved{r} }

// Take implements QueryResolver.
func (r *Resolver) Take(_ context.Context, custom *Custom, in *Resolved, omittable *Omittable, json any, jsons []any, open any) (bool, error) {
	r.Record("take ran", json, jsons, open)
	for ; custom != nil; custom = custom.Custom {
		r.Record(string(custom.Token), custom.Plain)
	}
	if in != nil {
		r.Record(in.Plain, in.Token, in.After)
	}
	if omittable != nil {
		r.Record(omittable.Token.Value(), omittable.List.Value())
	}
	return true, nil
}

// Reckoned implements QueryResolver.
func (r *Resolver) Reckoned(ctx context.Context, in *Resolved, omittable *Omittable) (bool, error) {
	return r.Take(ctx, nil, in, omittable, nil, nil, nil)
}

// Things implements QueryResolver.
func (r *Resolver) Things(context.Context) ([]*Thing, error) { return r.All, nil }

// JSON implements QueryResolver.
func (r *Resolver) JSON(context.Context) (any, error) { return r.Whole, nil }

// Watch implements SubscriptionResolver.
func (r *Resolver) Watch(_ context.Context, _ *Resolved, token *directives.TokenID) (<-chan *Thing, error) {
	r.Record("watch ran", token)
	events := make(chan *Thing)
	close(events)
	return events, nil
}

type (
	thing    struct{ *Resolver }
	resolved struct{ *Resolver }
)

// Token implements ThingResolver, for many things at once.
func (t thing) Token(_ context.Context, things []*Thing, and *directives.TokenID) ([]*directives.TokenID, error) {
	t.Record("batch ran", and)
	tokens := make([]*directives.TokenID, len(things))
	for i, of := range things {
		tokens[i] = of.Token
	}
	return tokens, nil
}

// Plain implements ResolvedResolver.
func (r resolved) Plain(_ context.Context, in *Resolved, data *string) error {
	r.Record("plain ran", data)
	in.Plain = data
	return nil
}

// Token implements ResolvedResolver.
func (r resolved) Token(_ context.Context, in *Resolved, data *directives.TokenID) error {
	r.Record("token ran", data)
	in.Token = data
	return nil
}

// After implements ResolvedResolver.
func (r resolved) After(_ context.Context, in *Resolved, data *string) error {
	r.Record("after ran", data)
	in.After = data
	return nil
}
