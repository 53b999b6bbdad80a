package directives

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var start = time.Unix(1_800_000_000, 0)

func TestGrantCacheCoversItsLifeAndShorterOnes(t *testing.T) {
	c := newGrantCache(100, 5*time.Second)
	c.remember("s", "t", readOnly, 15*time.Minute, start, start.Add(15*time.Minute), c.version())
	has := func(session string, kinds kindSet, d time.Duration, after time.Duration) kindSet {
		return c.has(session, "t", kinds, d, start.Add(after))
	}
	require.Equal(t, readOnly, has("s", readOnly|storeOnly, 15*time.Minute, 0))
	require.Equal(t, readOnly, has("s", readOnly, time.Minute, 4*time.Second), "a shorter life")
	require.Zero(t, has("s", readOnly, time.Hour, 0), "a longer one")
	require.Zero(t, has("s", readOnly, 0, 0), "the gateway's default may be longer")
	require.Zero(t, has("s", readOnly, 15*time.Minute, 5*time.Second), "after it has expired")
	require.Zero(t, has("other", readOnly, 15*time.Minute, 0))
	require.Zero(t, has("s", storeOnly, 15*time.Minute, 0))
}

func TestGrantCacheEndsAtHalfOfALife(t *testing.T) {
	c := newGrantCache(100, time.Hour)
	c.remember("s", "t", readOnly, time.Minute, start, start.Add(time.Minute), c.version())
	require.Equal(t, readOnly, c.has("s", "t", readOnly, time.Minute, start.Add(30*time.Second-1)))
	require.Zero(t, c.has("s", "t", readOnly, time.Minute, start.Add(30*time.Second)))
	c.remember("s", "gone", readOnly, time.Minute, start, start.Add(-time.Second), c.version())
	require.Zero(t, c.has("s", "gone", readOnly, time.Minute, start))
}

func (c *grantCache) size() (n int) {
	for i := range c.shards {
		n += len(c.shards[i].entries)
	}
	return n
}

func TestGrantCacheIsBounded(t *testing.T) {
	const limit = 1600
	c := newGrantCache(limit, time.Minute)
	for n := range 20 * limit {
		now := start.Add(time.Duration(n) * time.Millisecond)
		c.remember("s", fmt.Sprint(n), readOnly, time.Hour, now, now.Add(time.Hour), c.version())
		require.LessOrEqual(t, c.size(), limit)
	}
	require.Greater(t, c.size(), limit/2, "it is used")
	last := start.Add(20 * limit * time.Millisecond)
	require.Equal(t, readOnly, c.has("s", fmt.Sprint(20*limit-1), readOnly, time.Hour, last))
}

func TestForget(t *testing.T) {
	for name, c := range map[string]struct {
		session string
		tokens  []string
		left    []string
	}{
		"a session":              {"a", nil, []string{"b1", "b2"}},
		"tokens":                 {"", []string{"1"}, []string{"a2", "b2"}},
		"a session's tokens":     {"a", []string{"1", "3"}, []string{"a2", "b1", "b2"}},
		"everything":             {"", nil, nil},
		"no token of a session":  {"a", []string{}, []string{"a1", "a2", "b1", "b2"}},
		"no token of any at all": {"", []string{}, []string{"a1", "a2", "b1", "b2"}},
	} {
		t.Run(name, func(t *testing.T) {
			cache := newGrantCache(100, time.Minute)
			for _, s := range []string{"a", "b"} {
				for _, tok := range []string{"1", "2"} {
					cache.remember(s, tok, readOnly, 0, start, start.Add(time.Hour), cache.version())
				}
			}
			cache.forget(c.session, c.tokens)
			var left []string
			for _, s := range []string{"a", "b"} {
				for _, tok := range []string{"1", "2"} {
					if cache.has(s, tok, readOnly, 0, start) != 0 {
						left = append(left, s+tok)
					}
				}
			}
			require.Equal(t, c.left, left)
		})
	}
}

// In every interleaving, a grant whose creation began before a revocation is not remembered after it.
func TestForgetDropsGrantsOfCallsThatBeganBefore(t *testing.T) {
	for n := range 2000 {
		c := newGrantCache(100, time.Minute)
		version := c.version()
		var both sync.WaitGroup
		both.Add(2)
		go func() {
			defer both.Done()
			c.remember("s", "t", readOnly, 0, start, start.Add(time.Hour), version)
		}()
		go func() {
			defer both.Done()
			if n%2 == 0 {
				c.forget("", nil)
				return
			}
			c.forget("s", []string{"t"})
		}()
		both.Wait()
		require.Zero(t, c.has("s", "t", readOnly, 0, start))
	}
}
