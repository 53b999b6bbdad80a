// Package notes is a subgraph that keeps each session's notes.
package notes

import (
	"context"
	"strconv"
	"sync"

	"github.com/cloakroomhq/cloakroom/directives"
)

//go:generate go tool gqlgen generate --config gqlgen.yml

// Resolver keeps notes by session, which Session returns.
type Resolver struct {
	Session func(context.Context) (string, bool)

	mu    sync.Mutex
	notes map[string][]*Note
}

// Query implements ResolverRoot.
func (r *Resolver) Query() QueryResolver { return r }

// Mutation implements ResolverRoot.
func (r *Resolver) Mutation() MutationResolver { return r }

// Entity implements ResolverRoot.
func (r *Resolver) Entity() EntityResolver { return r }

// Notes implements QueryResolver.
func (r *Resolver) Notes(ctx context.Context) ([]*Note, error) {
	session, _ := r.Session(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.notes[session], nil
}

// Letter implements QueryResolver.
func (r *Resolver) Letter(_ context.Context, text directives.TokenID) (*Letter, error) {
	return &Letter{Text: text}, nil
}

// AddNote implements MutationResolver.
func (r *Resolver) AddNote(ctx context.Context, text directives.TokenID) (*Note, error) {
	session, _ := r.Session(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	note := &Note{ID: strconv.Itoa(len(r.notes[session]) + 1), Text: text}
	if r.notes == nil {
		r.notes = map[string][]*Note{}
	}
	r.notes[session] = append(r.notes[session], note)
	return note, nil
}

// FindNoteByText implements EntityResolver.
func (r *Resolver) FindNoteByText(ctx context.Context, text directives.TokenID) (*Note, error) {
	notes, err := r.Notes(ctx)
	for _, n := range notes {
		if n.Text == text {
			return n, err
		}
	}
	return nil, err
}
