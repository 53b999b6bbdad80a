package embedded

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// TestPaceIsAMinimumRate: a transfer at the minimum rate may take any time, and a slower one ends within a window.
func TestPaceIsAMinimumRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(1000, 10*time.Second)
		for range 24 * 60 * 12 {
			time.Sleep(5 * time.Second)
			require.True(t, time.Now().Before(p.deadline()))
			p.moved(5001)
			p.moved(5001)
		}
		stopped := time.Now()
		require.Equal(t, stopped.Add(10*time.Second), p.deadline(), "a fast beginning gives no credit")
		for range 9 {
			time.Sleep(time.Second)
			p.moved(1)
		}
		require.Equal(t, stopped.Add(10*time.Second), p.deadline(), "a byte per second does not extend the deadline")
	})
}

// TestSlowUploadsAreCut: an upload that stalls and one that sends single bytes, of known and of unknown size.
func TestSlowUploadsAreCut(t *testing.T) {
	s := listen(t, func(o *Options) { o.Grace = 200 * time.Millisecond })
	for i, size := range []int64{100_000, -1} {
		body := "x"
		if size < 0 {
			body = "1\r\nx\r\n"
		}
		r := s.upload(t, visitor("a", 1), fmt.Sprintf("v/%d", i), max(size, 0))
		still := begin(t, r, size, body)
		still.requireError(t, errSlow)
		creeping := begin(t, r, size, body)
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			for { // until the store has closed the connection
				if _, err := io.WriteString(creeping, body); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		creeping.requireError(t, errSlow)
		<-stop
	}
	s.requireNothingUnderWay(t)
}

// TestSlowDownloadsAreCut: a download whose client does not read.
func TestSlowDownloadsAreCut(t *testing.T) {
	s := listen(t, func(o *Options) { o.Grace = 200 * time.Millisecond })
	s.mustPut(t, "v/1", objects.CustomerKey{}, make([]byte, 16<<20))
	c := begin(t, s.download(t, visitor("a", 1), "v/1"), 0, "")
	res, _ := c.answer(t)
	require.Equal(t, http.StatusOK, res.StatusCode)
	s.requireNothingUnderWay(t)
	n, err := io.Copy(io.Discard, res.Body)
	require.Error(t, err)
	require.Less(t, n, int64(16<<20))
}
