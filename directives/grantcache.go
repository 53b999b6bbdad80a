package directives

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// grantCache holds grants that were created recently, so that the next operation of the same session does not
// create them again. It is bounded, and its entries expire soon: see Options.Remember.
type grantCache struct {
	seed          maphash.Seed
	maxAge        time.Duration
	invalidations atomic.Uint64
	shards        [16]shard
}

type shard struct {
	mu      sync.Mutex
	max     int
	entries map[cacheKey]cacheEntry
}

type cacheKey struct{ session, token string }

// cacheEntry has a token's grants, one for each bit of a kindSet.
type cacheEntry [2]cachedGrant

type cachedGrant struct {
	duration time.Duration // as requested
	until    time.Time     // from then on it is created again
}

// covers reports whether a grant of this duration need not be created. The gateway's default (0) is covered only
// by itself.
func (g cachedGrant) covers(duration time.Duration, now time.Time) bool {
	return now.Before(g.until) && (g.duration == duration || duration > 0 && g.duration > duration)
}

func newGrantCache(limit int, maxAge time.Duration) *grantCache {
	c := &grantCache{seed: maphash.MakeSeed(), maxAge: maxAge}
	for i := range c.shards {
		c.shards[i].max = max(1, limit/len(c.shards))
		c.shards[i].entries = map[cacheKey]cacheEntry{}
	}
	return c
}

func (c *grantCache) shard(token string) *shard {
	return &c.shards[maphash.String(c.seed, token)%uint64(len(c.shards))]
}

// version changes with every call of forget.
func (c *grantCache) version() uint64 { return c.invalidations.Load() }

// has returns those of the kinds that were created recently, with this life or a longer one.
func (c *grantCache) has(session, token string, kinds kindSet, duration time.Duration, now time.Time) (have kindSet) {
	if c.maxAge <= 0 {
		return 0
	}
	s := c.shard(token)
	s.mu.Lock()
	g, ok := s.entries[cacheKey{session, token}]
	s.mu.Unlock()
	if !ok {
		return 0
	}
	for i := range g {
		if kinds&(1<<i) != 0 && g[i].covers(duration, now) {
			have |= 1 << i
		}
	}
	return have
}

// remember adds the grants that a call created; the call began at version. If forget was called since, it may have
// been for these grants, so they are not added.
func (c *grantCache) remember(session, token string, kinds kindSet, duration time.Duration, now, expires time.Time, version uint64) {
	until := now.Add(min(c.maxAge, expires.Sub(now)/2))
	if !until.After(now) {
		return
	}
	s, key := c.shard(token), cacheKey{session, token}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.invalidations.Load() != version {
		return
	}
	g, ok := s.entries[key]
	if !ok && len(s.entries) >= s.max {
		s.evict(now)
	}
	for i := range g {
		if kinds&(1<<i) != 0 {
			g[i] = cachedGrant{duration, until}
		}
	}
	s.entries[key] = g
}

// evict drops expired entries, and then, if necessary, others until a quarter of the shard is free, so that its cost
// is spread over many additions.
func (s *shard) evict(now time.Time) {
	for k, g := range s.entries {
		if !now.Before(g[0].until) && !now.Before(g[1].until) {
			delete(s.entries, k)
		}
	}
	for k := range s.entries {
		if len(s.entries) <= s.max*3/4 {
			return
		}
		delete(s.entries, k)
	}
}

// forget drops the entries of a session ("" for all) on tokens (nil for all).
func (c *grantCache) forget(session string, tokens []string) {
	c.invalidations.Add(1)
	if session != "" && tokens != nil {
		for _, t := range tokens {
			s := c.shard(t)
			s.mu.Lock()
			delete(s.entries, cacheKey{session, t})
			s.mu.Unlock()
		}
		return
	}
	matches := make(map[string]bool, len(tokens))
	for _, t := range tokens {
		matches[t] = true
	}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for k := range s.entries {
			if (session == "" || k.session == session) && (tokens == nil || matches[k.token]) {
				delete(s.entries, k)
			}
		}
		s.mu.Unlock()
	}
}
