// Package archive is a subgraph that has scans of another subgraph's notes, and checks no access itself.
package archive

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/cloakroomhq/cloakroom/directives"
)

//go:generate go tool gqlgen generate --config gqlgen.yml

// Resolver keeps the scan of each note, by its text.
type Resolver struct {
	// Found counts entity lookups.
	Found atomic.Int64

	scans sync.Map
}

// Query implements ResolverRoot.
func (r *Resolver) Query() QueryResolver { return r }

// Mutation implements ResolverRoot.
func (r *Resolver) Mutation() MutationResolver { return r }

// Entity implements ResolverRoot.
func (r *Resolver) Entity() EntityResolver { return r }

// Archived implements QueryResolver.
func (r *Resolver) Archived(context.Context) (n int, err error) {
	r.scans.Range(func(any, any) bool { n++; return true })
	return n, nil
}

// Archive implements MutationResolver.
func (r *Resolver) Archive(_ context.Context, text, scan directives.TokenID) (*Note, error) {
	r.scans.Store(text, &scan)
	return &Note{Text: text, Scan: &scan}, nil
}

// FindNoteByText implements EntityResolver.
func (r *Resolver) FindNoteByText(_ context.Context, text directives.TokenID) (*Note, error) {
	r.Found.Add(1)
	note := &Note{Text: text}
	if scan, ok := r.scans.Load(text); ok {
		note.Scan, _ = scan.(*directives.TokenID)
	}
	return note, nil
}

// FindLetterByText implements EntityResolver.
func (r *Resolver) FindLetterByText(_ context.Context, text directives.TokenID) (*Letter, error) {
	r.Found.Add(1)
	return &Letter{Text: text, Words: 7}, nil
}
