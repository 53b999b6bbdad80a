package limit

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/config"
)

func address(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
}

func newTestTable(t *testing.T, size int) (*table[netip.Prefix], *time.Time) {
	t.Helper()
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	b, err := newTable[netip.Prefix](config.Rate{PerSecond: 2, Burst: 100}, size, func() time.Time { return now })
	require.NoError(t, err)
	return b, &now
}

func TestForgottenBuckets(t *testing.T) {
	t.Run("their number is bounded", func(t *testing.T) {
		b, now := newTestTable(t, 50)
		for i := range 5000 {
			b.bucket(address(i), *now).AllowN(*now, 100)
		}
		b.buckets.CleanUp()
		require.LessOrEqual(t, b.buckets.EstimatedSize(), 50)
	})
	t.Run("evicting one's own gains a second's rate, and no burst", func(t *testing.T) {
		b, now := newTestTable(t, 50)
		require.True(t, b.bucket(address(0), *now).AllowN(*now, 100))
		for i := 1; i < 5000; i++ {
			b.bucket(address(i), *now).AllowN(*now, 100)
		}
		b.buckets.CleanUp()
		gained := 0
		for i := range 5000 { // whichever were forgotten
			for b.bucket(address(i), *now).AllowN(*now, 1) {
				gained++
			}
			if i == 0 {
				require.LessOrEqual(t, gained, 2)
			}
		}
		b.buckets.CleanUp()
	})
	t.Run("buckets are whole again once those forgotten would be", func(t *testing.T) {
		b, now := newTestTable(t, 50)
		for i := range 5000 {
			b.bucket(address(i), *now).AllowN(*now, 100)
		}
		b.buckets.CleanUp()
		require.False(t, b.bucket(address(9000), *now).AllowN(*now, 3))
		*now = now.Add(51 * time.Second)
		require.True(t, b.bucket(address(9001), *now).AllowN(*now, 100))
	})
	t.Run("full ones are forgotten without consequence", func(t *testing.T) {
		b, now := newTestTable(t, 50)
		for i := range 5000 {
			b.bucket(address(i), *now)
		}
		b.buckets.CleanUp()
		require.True(t, b.bucket(address(9000), *now).AllowN(*now, 100))
	})
}
