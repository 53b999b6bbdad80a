package testserver

import (
	"context"

	"github.com/cloakroomhq/cloakroom/directives"
)

// Query returns the resolvers of queries.
func (r *Resolver) Query() QueryResolver { return query{r} }

// Mutation returns the resolvers of mutations.
func (r *Resolver) Mutation() MutationResolver { return mutation{r} }

// Subscription returns the resolvers of subscriptions.
func (r *Resolver) Subscription() SubscriptionResolver { return subscription{r} }

// Record returns the resolvers of a record's fields.
func (r *Resolver) Record() RecordResolver { return record{r} }

type (
	query        struct{ *Resolver }
	mutation     struct{ *Resolver }
	subscription struct{ *Resolver }
	record       struct{ *Resolver }
)

func (r query) Record(ctx context.Context) (*Record, error) { return call(ctx, r.Resolver, r.OnRecord) }
func (r query) Records(ctx context.Context) ([]*Record, error) {
	return call(ctx, r.Resolver, r.OnRecords)
}
func (r query) Node(ctx context.Context) (Node, error)      { return call(ctx, r.Resolver, r.OnNode) }
func (r query) Items(ctx context.Context) ([]Item, error)   { return call(ctx, r.Resolver, r.OnItems) }
func (r query) Rows(ctx context.Context) ([]*Row, error)    { return call(ctx, r.Resolver, r.OnRows) }
func (r query) Secret(ctx context.Context) (*string, error) { return call(ctx, r.Resolver, r.OnSecret) }
func (r query) JSON(ctx context.Context) (any, error)       { return call(ctx, r.Resolver, r.OnJSON) }

func (r query) Echo(_ context.Context, token *directives.TokenID) (*directives.TokenID, error) {
	r.Ran.Add(1)
	return token, nil
}

// Take implements MutationResolver.
func (r mutation) Take(_ context.Context, _, _ *string, _ *Ref, _ *directives.TokenID, _ []string, _ [][]*string, _ *Deep, _ []*Deep, _ *Choice, _ map[string]any, _ *string, _ any, _ []any) (bool, error) {
	r.Ran.Add(1)
	return true, nil
}

func (r mutation) Must(context.Context, directives.TokenID, []directives.TokenID, Deep) (bool, error) {
	r.Ran.Add(1)
	return true, nil
}

func (r mutation) Defaults(context.Context, *string, []*Defaults) (bool, error) {
	r.Ran.Add(1)
	return true, nil
}

func (r record) Child(ctx context.Context, of *Record) (*Record, error) {
	r.Ran.Add(1)
	if r.OnChild == nil {
		return nil, nil
	}
	return r.OnChild(ctx, of)
}

func (r record) Slow(ctx context.Context, of *Record, name string, _ *directives.TokenID) (*directives.TokenID, error) {
	r.Ran.Add(1)
	if r.OnSlow == nil {
		return nil, nil
	}
	token, err := r.OnSlow(ctx, of, name)
	return (*directives.TokenID)(&token), err
}

func (r record) Fails(context.Context, *Record) (*string, error) {
	r.Ran.Add(1)
	return nil, r.OnFails
}

func (r record) Panics(context.Context, *Record) (*string, error) {
	r.Ran.Add(1)
	if r.Panicking != nil {
		panic(r.Panicking)
	}
	return nil, nil
}

func (r record) Strict(ctx context.Context, _ *Record) (string, error) {
	return call(ctx, r.Resolver, r.OnStrict)
}

func (r subscription) Records(ctx context.Context) (<-chan *Record, error) {
	return call(ctx, r.Resolver, r.OnStream)
}

func (r subscription) Tokens(ctx context.Context) (<-chan directives.TokenID, error) {
	return call(ctx, r.Resolver, r.OnTokens)
}

func (r subscription) Lists(ctx context.Context) (<-chan []string, error) {
	return call(ctx, r.Resolver, r.OnLists)
}

func (r subscription) Watch(ctx context.Context, _ directives.TokenID) (<-chan *Record, error) {
	return call(ctx, r.Resolver, r.OnStream)
}
