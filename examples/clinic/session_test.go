package clinic

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

func init() { hashCost = bcrypt.MinCost }

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func testSessions() *sessions {
	return &sessions{key: []byte("key"), name: "c", now: func() time.Time { return noon }}
}

func TestEveryChangeOfACookieIsRefused(t *testing.T) {
	s := testSessions()
	cookie := s.seal([]byte("0123456789abcdef"), noon.Add(time.Second))
	id, expires, ok := s.open(cookie)
	require.True(t, ok)
	require.WithinDuration(t, noon.Add(time.Second), expires, 0)
	require.Equal(t, "0123456789abcdef", id)

	for i := range cookie {
		for _, other := range strings.Split("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=\n", "") {
			if changed := cookie[:i] + other + cookie[i+1:]; changed != cookie {
				_, _, ok := s.open(changed)
				require.False(t, ok, "position %d replaced by %q", i, other)
			}
		}
	}
	newer := append([]byte{2}, make([]byte, signedSize-1)...)
	newer[1+idSize] = 0x0f // expires in the far future
	later := cookieEncoding.EncodeToString(append(newer, s.mac(newer)...))
	for _, bad := range []string{"", later, cookie + "A", cookie + "\n", cookie[1:], strings.Repeat("A", len(cookie))} {
		_, _, ok := s.open(bad)
		require.False(t, ok)
	}
	s.key = []byte("other")
	_, _, ok = s.open(cookie)
	require.False(t, ok)
}

func TestACookieExpires(t *testing.T) {
	s := testSessions()
	_, _, ok := s.open(s.seal(make([]byte, idSize), noon))
	require.False(t, ok)
}

func FuzzOpen(f *testing.F) {
	s := testSessions()
	f.Add(s.seal([]byte("0123456789abcdef"), noon.Add(time.Hour)))
	f.Add("")
	f.Fuzz(func(t *testing.T, value string) {
		id, _, ok := s.open(value)
		if !ok {
			return
		}
		// Every accepted cookie equals the one that seal writes.
		for hour := time.Duration(0); hour <= 1; hour++ {
			if s.seal([]byte(id), noon.Add(hour*time.Hour)) == value {
				return
			}
		}
		t.Fatalf("accepted %q, which was never sealed", value)
	})
}
