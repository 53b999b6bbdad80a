package httpd

import (
	"context"
	"math"

	"github.com/99designs/gqlgen/graphql"
	"github.com/maypok86/otter/v2"
)

// cache is a graphql.Cache limited by the bytes of its entries, because clients fill it.
type cache[T any] struct {
	otter *otter.Cache[string, T]
}

// newCache returns a cache of at most that many bytes, or none for 0; weigh estimates the bytes of an entry.
func newCache[T any](bytes int64, weigh func(key string, value T) int) (graphql.Cache[T], error) {
	if bytes == 0 {
		return graphql.NoCache[T]{}, nil
	}
	c, err := otter.New(&otter.Options[string, T]{
		MaximumWeight: uint64(bytes),
		Weigher:       func(k string, v T) uint32 { return uint32(min(weigh(k, v)+len(k)+128, math.MaxUint32)) },
	})
	if err != nil {
		return nil, err
	}
	return cache[T]{c}, nil
}

// Get implements graphql.Cache.
func (c cache[T]) Get(_ context.Context, key string) (T, bool) { return c.otter.GetIfPresent(key) }

// Add implements graphql.Cache.
func (c cache[T]) Add(_ context.Context, key string, value T) { c.otter.Set(key, value) }
