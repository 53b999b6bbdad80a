package limit

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/config"
)

func address(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
}

// clock returns a fixed time that the test advances. The table also reads it in the goroutines that evict buckets.
type clock struct{ nanoseconds atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(0, c.nanoseconds.Load()) }

func newTestTable(t *testing.T, size int) (*table[netip.Prefix], *clock) {
	t.Helper()
	c := &clock{}
	c.nanoseconds.Store(time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC).UnixNano())
	b, err := newTable[netip.Prefix](config.Rate{PerSecond: 2, Burst: 100}, size, c.now)
	require.NoError(t, err)
	return b, c
}

func TestEvictedBuckets(t *testing.T) {
	t.Run("their number is bounded", func(t *testing.T) {
		b, c := newTestTable(t, 50)
		for i := range 5000 {
			b.bucket(address(i), c.now()).AllowN(c.now(), 100)
		}
		b.buckets.CleanUp()
		require.LessOrEqual(t, b.buckets.EstimatedSize(), 50)
	})
	t.Run("an evicted bucket regains the rate of a second, and not the burst", func(t *testing.T) {
		b, c := newTestTable(t, 50)
		require.True(t, b.bucket(address(0), c.now()).AllowN(c.now(), 100))
		for i := 1; i < 5000; i++ {
			b.bucket(address(i), c.now()).AllowN(c.now(), 100)
		}
		b.buckets.CleanUp()
		gained := 0
		for i := range 5000 { // whichever were evicted
			for b.bucket(address(i), c.now()).AllowN(c.now(), 1) {
				gained++
			}
			if i == 0 {
				require.LessOrEqual(t, gained, 2)
			}
		}
		b.buckets.CleanUp()
	})
	t.Run("new buckets are full again when the evicted ones would be", func(t *testing.T) {
		b, c := newTestTable(t, 50)
		for i := range 5000 {
			b.bucket(address(i), c.now()).AllowN(c.now(), 100)
		}
		b.buckets.CleanUp()
		require.False(t, b.bucket(address(9000), c.now()).AllowN(c.now(), 3))
		c.nanoseconds.Add(int64(51 * time.Second))
		require.True(t, b.bucket(address(9001), c.now()).AllowN(c.now(), 100))
	})
	t.Run("eviction of full buckets has no effect", func(t *testing.T) {
		b, c := newTestTable(t, 50)
		for i := range 5000 {
			b.bucket(address(i), c.now())
		}
		b.buckets.CleanUp()
		require.True(t, b.bucket(address(9000), c.now()).AllowN(c.now(), 100))
	})
}
