package directives

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// recent remembers which grants were created a moment ago, so that the next operation of the same session
// does not write them again. It is bounded, and what it says is true for a short time only: see
// Options.Remember.
type recent struct {
	seed    maphash.Seed
	forgets atomic.Uint64
	shards  [16]shard
}

type shard struct {
	mu      sync.Mutex
	max     int
	entries map[recentKey]recentGrant
}

type recentKey struct {
	session string
	grantKey
}

type recentGrant struct {
	duration time.Duration // as it was asked for
	until    time.Time     // when it is created again
}

func newRecent(limit int) *recent {
	r := &recent{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].max = max(1, limit/len(r.shards))
		r.shards[i].entries = map[recentKey]recentGrant{}
	}
	return r
}

func (r *recent) shard(token string) *shard {
	return &r.shards[maphash.String(r.seed, token)%uint64(len(r.shards))]
}

// version changes with every call of forget.
func (r *recent) version() uint64 { return r.forgets.Load() }

// has reports whether a grant of this life, or a longer one, was created a moment ago.
func (r *recent) has(session string, key grantKey, duration time.Duration, now time.Time) bool {
	s := r.shard(key.token)
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.entries[recentKey{session, key}]
	return ok && now.Before(g.until) && g.duration == duration
}

// remember notes a grant that a call created which began at version. What was forgotten since may be what
// the call created, so then nothing is noted.
func (r *recent) remember(session string, key grantKey, duration time.Duration, now, expires time.Time, most time.Duration, version uint64) {
	until := now.Add(min(most, expires.Sub(now)/2))
	if !until.After(now) {
		return
	}
	s := r.shard(key.token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.forgets.Load() != version {
		return
	}
	if len(s.entries) >= s.max {
		s.evict(now)
	}
	s.entries[recentKey{session, key}] = recentGrant{duration, until}
}

// evict drops what has passed; if that is nothing, it drops half of what there is.
func (s *shard) evict(now time.Time) {
	before := len(s.entries)
	for k, g := range s.entries {
		if !now.Before(g.until) {
			delete(s.entries, k)
		}
	}
	if len(s.entries) < before {
		return
	}
	for k := range s.entries {
		if len(s.entries) <= s.max/2 {
			return
		}
		delete(s.entries, k)
	}
}

// forget drops what is remembered of a session ("" for all) and of tokens (nil for all).
func (r *recent) forget(session string, tokens []string) {
	r.forgets.Add(1)
	matches := map[string]bool{}
	for _, t := range tokens {
		matches[t] = true
	}
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for k := range s.entries {
			if (session == "" || k.session == session) && (tokens == nil || matches[k.token]) {
				delete(s.entries, k)
			}
		}
		s.mu.Unlock()
	}
}
