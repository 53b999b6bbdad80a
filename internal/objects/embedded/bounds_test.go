package embedded

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/costtest"
	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// TestOneUploadOfAnObjectAtATime sends one signed upload 150 times concurrently.
func TestOneUploadOfAnObjectAtATime(t *testing.T) {
	s := listen(t, nil)
	r := s.upload(t, visitor("a", 1), "v/1", 500_000)
	first := begin(t, r, 500_000, "x")
	s.underWay(t, 1)
	for range 149 {
		begin(t, r, 500_000, "y").requireError(t, errConflict)
	}
	require.Len(t, files(t, s.disk.tmp), 1)
	_, err := io.WriteString(first, strings.Repeat("x", 499_999))
	require.NoError(t, err)
	res, _ := first.answer(t)
	require.Equal(t, http.StatusOK, res.StatusCode)
	s.requireNothingUnderWay(t)
	begin(t, r, 500_000, "z").requireError(t, errExists)
	require.Equal(t, strings.Repeat("x", 500_000), s.read(t, "v/1", objects.CustomerKey{}).Body.String())
}

// TestSessionsAreBounded opens 300 connections of one session; other sessions are served meanwhile.
func TestSessionsAreBounded(t *testing.T) {
	s := listen(t, nil)
	const attackers, share = 300, 16
	attacker, other := visitor("a", 1), visitor("a", 2)
	s.mustPut(t, "v/there", objects.CustomerKey{}, []byte("there"))
	var open []*client
	for i := range attackers {
		c := begin(t, s.upload(t, attacker, fmt.Sprintf("v/%d", i), 1000), 1000, "x")
		if i < share {
			s.underWay(t, i+1)
			open = append(open, c)
			continue
		}
		c.requireError(t, errOverShare)
	}
	begin(t, s.download(t, attacker, "v/there"), 0, "").requireError(t, errOverShare)
	require.Len(t, files(t, s.disk.tmp), share)

	res, _ := begin(t, s.upload(t, other, "v/other", 5), 5, "value").answer(t)
	require.Equal(t, http.StatusOK, res.StatusCode)
	res, _ = begin(t, s.download(t, other, "v/there"), 0, "").answer(t)
	require.Equal(t, http.StatusOK, res.StatusCode)
	for _, c := range open {
		require.NoError(t, c.Close())
	}
	s.requireNothingUnderWay(t)
}

// TestATenantLeavesRoomForOthers: while the sessions of one tenant use their maximum, another session and another tenant are
// admitted.
func TestATenantLeavesRoomForOthers(t *testing.T) {
	limits := transferLimits{all: 256, session: 16, bytes: 1 << 40}
	s := newTransfers(limits)
	taken := 0
	for i := range 10_000 {
		for j := range 20 {
			if _, refused := s.begin(fmt.Sprintf("v/%d/%d", i, j), signer{1, 0, 0, 0, 0, 0, 0, 0, byte(i), byte(i >> 8)}, time.Now(), true, nil); refused != nil {
				require.True(t, refused.busy())
				break
			}
			taken++
		}
	}
	require.Less(t, taken, limits.all*3/4+1, "one tenant does not take all")
	for tenant := byte(2); tenant < 8; tenant++ {
		_, refused := s.begin(fmt.Sprintf("w/%d", tenant), signer{tenant, 8: 1}, time.Now(), true, nil)
		require.Nil(t, refused, "tenant %d", tenant)
	}
	for i := range 200 {
		for range 20 {
			_, _ = s.begin("", signer{byte(i) + 8, 8: byte(i)}, time.Now(), false, nil)
		}
	}
	require.LessOrEqual(t, s.all, limits.all)
}

// TestSharesAreReleased: after transfers that begin and end in random order, all shares are released.
func TestSharesAreReleased(t *testing.T) {
	s := newTransfers(transferLimits{all: 40, session: 4, bytes: 1000})
	var open []*transfer
	for i := range 5000 {
		if len(open) > 0 && i%3 == 0 {
			at := i * 7 % len(open)
			open[at].end()
			open = append(open[:at], open[at+1:]...)
			continue
		}
		by := signer{byte(i % 3), 8: byte(i % 11)}
		if tr, refused := s.begin(fmt.Sprintf("v/%d", i%50), by, time.Now(), i%2 == 0, nil); refused == nil {
			tr.reserve(int64(i % 400))
			open = append(open, tr)
		}
		require.LessOrEqual(t, s.all, 40)
		for _, of := range s.sessions {
			require.LessOrEqual(t, of.n, 4)
			require.LessOrEqual(t, of.bytes, int64(1000))
		}
	}
	for _, tr := range open {
		tr.end()
	}
	require.Zero(t, s.all)
	require.Empty(t, s.sessions)
	require.Empty(t, s.tenants)
	require.Empty(t, s.objects)
}

// TestASessionsUploadBytesAreBounded: the bytes of a session's concurrent uploads are bounded, for known and unknown sizes.
func TestASessionsUploadBytesAreBounded(t *testing.T) {
	s := listen(t, func(o *Options) { o.MaxObjectSize, o.MaxSessionBytes = 600_000, 1_000_000 })
	one, other := visitor("a", 1), visitor("a", 2)
	first := begin(t, s.upload(t, one, "v/1", 600_000), 600_000, "x")
	s.underWay(t, 1)
	begin(t, s.upload(t, one, "v/2", 400_001), 400_001, "x").requireError(t, errOverShare)
	chunk := strings.Repeat("y", 400_001)
	begin(t, s.upload(t, one, "v/3", 0), -1, fmt.Sprintf("%x\r\n%s", len(chunk), chunk)).requireError(t, errOverShare)
	res, _ := begin(t, s.upload(t, other, "v/4", 0), -1, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(chunk), chunk)).answer(t)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.NoError(t, first.Close())
	s.requireNothingUnderWay(t)
	res, _ = begin(t, s.upload(t, one, "v/5", 600_000), 600_000, strings.Repeat("x", 600_000)).answer(t)
	require.Equal(t, http.StatusOK, res.StatusCode)
}

// TestSlowClientsUseLittleMemory: 300 clients request a value of 1 MiB and don't read it.
func TestSlowClientsUseLittleMemory(t *testing.T) {
	s := listen(t, func(o *Options) { o.MaxTransfers = 1000 })
	const clients, size = 300, 1 << 20
	s.mustPut(t, "v/1", objects.CustomerKey{}, make([]byte, size))
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse)
	}
	before := heap()
	all := make([]*client, clients)
	for i := range all {
		all[i] = begin(t, s.download(t, visitor("a", i), "v/1"), 0, "", 4<<10)
	}
	for _, c := range all {
		res, _ := c.answer(t)
		require.Equal(t, http.StatusOK, res.StatusCode)
	}
	require.Equal(t, clients, s.transfers.count(), "each transfer waits for its client")
	// A transfer has two buffers of a package; connections and the test itself need additional memory.
	require.Less(t, heap()-before, int64(clients*(2*sealedSize+100<<10)))
	for _, c := range all {
		require.NoError(t, c.Close())
	}
	s.requireNothingUnderWay(t)
}

// TestDroppedDownloadsCostLittle: six downloads of a large value that the client drops at once take less processor time
// than one complete download.
func TestDroppedDownloadsCostLittle(t *testing.T) {
	s := listen(t, nil)
	const size = 64 << 20
	up := s.upload(t, visitor("a", 1), "v/1", size)
	request := wire(up, nil)
	request.body, request.size = io.LimitReader(zeros{}, size), size
	require.Equal(t, http.StatusOK, s.send(request).Code)
	down := s.download(t, visitor("a", 1), "v/1")
	whole := costtest.Of(func() {
		res, _ := begin(t, down, 0, "").answer(t)
		n, err := io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.EqualValues(t, size, n)
		s.underWay(t, 0)
	})
	dropped := costtest.Of(func() {
		for range 6 {
			require.NoError(t, begin(t, down, 0, "").Close())
		}
		s.underWay(t, 0)
	})
	require.Less(t, dropped, whole)
	t.Logf("one whole: %v of processor time, six dropped: %v", whole, dropped)
}

// TestSignersRevealNothing: a URL's signer is not the session's hash, is different after a restart, and can't be changed.
func TestSignersRevealNothing(t *testing.T) {
	g := objects.Signer{Tenant: "clinic", Session: [32]byte(bytes.Repeat([]byte("session!"), 4))}
	one, two := newServer(t, nil), newServer(t, nil)
	r := one.upload(t, g, "v/1", 5)
	_, text, found := strings.Cut(r.URL, "&x-signer=")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "&")
	require.Len(t, text, 22)
	require.Contains(t, one.download(t, g, "v/2").URL, "&x-signer="+text+"&", "the same session is the same signer")
	require.NotContains(t, two.upload(t, g, "v/1", 5).URL, text)
	require.NotContains(t, r.URL, "clinic")
	require.NotContains(t, one.upload(t, objects.Signer{}, "v/1", 5).URL, "x-signer")

	other := one.names.of(visitor("clinic", 3)).text()
	require.Equal(t, text[:10], other[:10], "of the same tenant")
	for name, query := range map[string]string{"another": "&x-signer=" + other, "none": "", "empty": "&x-signer=", "twice": "&x-signer=" + text + "&x-signer=" + text} {
		t.Run(name, func(t *testing.T) {
			changed := r
			changed.URL = strings.Replace(r.URL, "&x-signer="+text, query, 1)
			requireError(t, one.send(wire(changed, []byte("value"))), errSignature, name)
		})
	}
	require.Equal(t, http.StatusOK, one.send(wire(r, []byte("value"))).Code)
	requireNowhere(t, one.opts.Dir, g.Session[:], []byte(text), []byte("x-signer=clinic"))
}
