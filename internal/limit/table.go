package limit

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"

	"github.com/cloakroomhq/cloakroom/config"
)

// table has one thing's buckets of sessions or addresses. Clients can create any number of these, so the number of buckets
// is bounded, and the least used are evicted.
//
// A bucket that is evicted before it is full would be full when it is created again, which would be a way around the
// limit. So while such evictions happen, new buckets begin with the tokens of one second instead of the burst.
type table[K comparable] struct {
	buckets  *otter.Cache[K, *rate.Limiter]
	limit    config.Rate
	now      func() time.Time
	pressure atomic.Int64 // new buckets do not begin full until then, in Unix nanoseconds
}

// newTable returns nil if the rate is off: a nil table has no limit.
func newTable[K comparable](r config.Rate, size int, now func() time.Time) (*table[K], error) {
	if r.Off() {
		return nil, nil
	}
	t := &table[K]{limit: r, now: now}
	var err error
	t.buckets, err = otter.New(&otter.Options[K, *rate.Limiter]{MaximumSize: size, OnAtomicDeletion: t.evicted})
	return t, err
}

// bucket returns the key's bucket; nil for no limit.
func (t *table[K]) bucket(key K, now time.Time) *rate.Limiter {
	if t == nil {
		return nil
	}
	if b, ok := t.buckets.GetIfPresent(key); ok {
		return b
	}
	b, _ := t.buckets.ComputeIfAbsent(key, func() (*rate.Limiter, bool) {
		b := newBucket(t.limit)
		if now.UnixNano() < t.pressure.Load() {
			b.AllowN(now, b.Burst()-min(b.Burst(), int(math.Ceil(t.limit.PerSecond))))
		}
		return b, false
	})
	return b
}

func (t *table[K]) evicted(e otter.DeletionEvent[K, *rate.Limiter]) {
	if !e.WasEvicted() {
		return
	}
	now := t.now()
	missing := float64(e.Value.Burst()) - e.Value.TokensAt(now)
	if missing < 1 { // full
		return
	}
	until := now.Add(time.Duration(missing / t.limit.PerSecond * float64(time.Second))).UnixNano()
	for {
		old := t.pressure.Load()
		if until <= old || t.pressure.CompareAndSwap(old, until) {
			return
		}
	}
}

func newBucket(r config.Rate) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(r.PerSecond), int(min(r.Burst, math.MaxInt)))
}
