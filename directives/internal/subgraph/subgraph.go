// Package subgraph is a federated gqlgen server whose entities have tokens in their keys. Only tests use it.
package subgraph

import (
	"context"
	"slices"
	"sync"

	"github.com/cloakroomhq/cloakroom/directives"
)

//go:generate go tool gqlgen generate --config gqlgen.yml

// Resolver returns the keys that it gets, as a subgraph without access rules does, and records every string that reaches it.
type Resolver struct {
	mu  sync.Mutex
	got []string
}

// Got returns, sorted, every string that has reached a resolver.
func (r *Resolver) Got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.got)
	return r.got
}

// record notes a value's strings.
func (r *Resolver) record(values ...any) {
	for _, v := range values {
		switch v := v.(type) {
		case string:
			r.mu.Lock()
			r.got = append(r.got, v)
			r.mu.Unlock()
		case directives.TokenID:
			r.record(string(v))
		case []any:
			r.record(v...)
		case map[string]any:
			for _, e := range v {
				r.record(e)
			}
		}
	}
}

// Query implements ResolverRoot.
func (r *Resolver) Query() QueryResolver { return r }

// Entity implements ResolverRoot.
func (r *Resolver) Entity() EntityResolver { return r }

// Visit implements ResolverRoot.
func (r *Resolver) Visit() VisitResolver { return r }

// Note implements QueryResolver.
func (r *Resolver) Note(_ context.Context, text directives.TokenID) (*Note, error) {
	r.record(text)
	return &Note{ID: "1", Text: text}, nil
}

// Own implements QueryResolver.
func (r *Resolver) Own(ctx context.Context, text directives.TokenID) (*Note, error) {
	return r.Note(ctx, text)
}

// Seen implements QueryResolver.
func (r *Resolver) Seen(ctx context.Context, text directives.TokenID) (*Note, error) {
	return r.Note(ctx, text)
}

// FindAuthorByCardToken implements EntityResolver.
func (r *Resolver) FindAuthorByCardToken(_ context.Context, token directives.TokenID) (*Author, error) {
	r.record(token)
	return &Author{Name: "Ada", Card: &Card{Token: token}}, nil
}

// FindItemByRef implements EntityResolver.
func (r *Resolver) FindItemByRef(_ context.Context, ref string) (Item, error) {
	r.record(ref)
	return &Parcel{Ref: ref}, nil
}

// FindManyLetterByTexts implements EntityResolver.
func (r *Resolver) FindManyLetterByTexts(_ context.Context, reps []*LetterByTextsInput) ([]*Letter, error) {
	letters := make([]*Letter, len(reps))
	for i, rep := range reps {
		r.record(rep.Text)
		letters[i] = &Letter{Text: rep.Text}
	}
	return letters, nil
}

// FindNoteByText implements EntityResolver.
func (r *Resolver) FindNoteByText(ctx context.Context, text directives.TokenID) (*Note, error) {
	return r.Note(ctx, text)
}

// FindNoteByID implements EntityResolver.
func (r *Resolver) FindNoteByID(_ context.Context, id string) (*Note, error) {
	r.record(id)
	return &Note{ID: id, Text: "tok-00000000-0000-4000-8000-000000000099"}, nil
}

// FindParcelByRef implements EntityResolver.
func (r *Resolver) FindParcelByRef(_ context.Context, ref string) (*Parcel, error) {
	r.record(ref)
	return &Parcel{Ref: ref}, nil
}

// FindPlainByRef implements EntityResolver.
func (r *Resolver) FindPlainByRef(_ context.Context, ref string) (*Plain, error) {
	r.record(ref)
	return &Plain{Ref: ref}, nil
}

// FindVisitByID implements EntityResolver.
func (r *Resolver) FindVisitByID(_ context.Context, id string) (*Visit, error) {
	r.record(id)
	return &Visit{ID: id}, nil
}

// Summary implements VisitResolver.
func (r *Resolver) Summary(_ context.Context, of *Visit, representation map[string]any) (*string, error) {
	r.record(representation)
	return &of.ID, nil
}

// Digest implements VisitResolver.
func (r *Resolver) Digest(_ context.Context, of []*Visit, representations []map[string]any) ([]*string, error) {
	digests := make([]*string, len(of))
	for i, v := range of {
		r.record(representations[i])
		digests[i] = &v.ID
	}
	return digests, nil
}

// Echo implements VisitResolver.
func (r *Resolver) Echo(_ context.Context, _ *Visit, representation map[string]any) (*directives.TokenID, error) {
	r.record(representation)
	if scan, ok := representation["scan"].(string); ok {
		return (*directives.TokenID)(&scan), nil
	}
	return nil, nil
}
