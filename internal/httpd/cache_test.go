package httpd

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/config"
)

func newOptions(allowList string) config.GraphQL {
	o := config.Default().GraphQL
	o.AllowList = allowList
	return o
}

// TestCacheIsBounded: the cache is limited by bytes, whatever clients put in; an entry larger than the limit is not kept.
func TestCacheIsBounded(t *testing.T) {
	const bytes = 100_000
	ctx := context.Background()
	made, err := newCache(bytes, func(_ string, v string) int { return len(v) })
	require.NoError(t, err)
	c := made.(cache[string])
	for i := range 10_000 {
		c.Add(ctx, fmt.Sprint("key", i), strings.Repeat("x", i%3000))
	}
	c.Add(ctx, "huge", strings.Repeat("x", bytes+1))
	c.otter.CleanUp()
	require.LessOrEqual(t, c.otter.WeightedSize(), uint64(bytes))
	_, ok := c.Get(ctx, "huge")
	require.False(t, ok)
	none, err := newCache(0, func(_ string, v string) int { return len(v) })
	require.NoError(t, err)
	require.IsType(t, graphql.NoCache[string]{}, none)
}

// TestCacheKeepsEntries: entries are kept while there is room. (A full cache may refuse an entry that was used once: its policy
// counts how often entries are used.)
func TestCacheKeepsEntries(t *testing.T) {
	ctx := context.Background()
	c, err := newCache(100_000, func(_ string, v string) int { return len(v) })
	require.NoError(t, err)
	for i := range 100 {
		c.Add(ctx, fmt.Sprint("key", i), fmt.Sprint("value", i))
	}
	for i := range 100 {
		v, ok := c.Get(ctx, fmt.Sprint("key", i))
		require.True(t, ok)
		require.Equal(t, fmt.Sprint("value", i), v)
	}
}
