package embedded

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// stops are the calls that stop a transfer.
var stops = map[string]struct {
	do  func(*Server, context.Context) error
	why *apiError
}{
	"tombstone":            {func(s *Server, ctx context.Context) error { return s.Tombstone(ctx, "v/up", "v/down") }, errNoSuchKey},
	"deletion":             {func(s *Server, ctx context.Context) error { return s.Delete(ctx, "v/up", "v/down") }, errNoSuchKey},
	"the end of a session": {func(s *Server, _ context.Context) error { s.EndSession(visitor("a", 1)); return nil }, errEnded},
	"a sign-out":           {func(s *Server, _ context.Context) error { s.SignOut(visitor("a", 1)); return nil }, errEnded},
}

// TestTransfersStop: transfers stop when their object is deleted or their session ends, and leave no file; transfers of other
// objects and sessions continue.
func TestTransfersStop(t *testing.T) {
	for name, stop := range stops {
		t.Run(name, func(t *testing.T) {
			s := listen(t, nil)
			s.mustPut(t, "v/down", objects.CustomerKey{}, make([]byte, 16<<20))
			s.mustPut(t, "v/kept", objects.CustomerKey{}, make([]byte, 16<<20))
			one, other := visitor("a", 1), visitor("a", 2)
			up := begin(t, s.upload(t, one, "v/up", 100_000), 100_000, "x")
			down := begin(t, s.download(t, one, "v/down"), 0, "")
			otherUp := begin(t, s.upload(t, other, "v/other", 3), 3, "x")
			otherDown := begin(t, s.download(t, other, "v/kept"), 0, "")
			s.underWay(t, 4)
			for _, c := range []*client{down, otherDown} {
				res, _ := c.answer(t)
				require.Equal(t, http.StatusOK, res.StatusCode)
			}
			require.NoError(t, stop.do(s, t.Context()))
			up.requireError(t, stop.why)
			n, _ := io.Copy(io.Discard, down.in)
			require.Less(t, n, int64(16<<20))
			s.underWay(t, 2)
			_, err := io.WriteString(otherUp, "yz")
			require.NoError(t, err)
			res, _ := otherUp.answer(t)
			require.Equal(t, http.StatusOK, res.StatusCode)
			n, err = io.CopyN(io.Discard, otherDown.in, 16<<20)
			require.NoError(t, err)
			require.EqualValues(t, 16<<20, n)
			s.requireNothingUnderWay(t)
		})
	}
}

// deadlines is a response writer that calls wake when its read deadline is set.
type deadlines struct {
	http.ResponseWriter
	wake  func()
	write time.Time
}

func (d *deadlines) SetReadDeadline(time.Time) error { d.wake(); return nil }

func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

// TestAStoppedTransferAnswers: the response's deadline is kept even if the handler continues during the stop.
func TestAStoppedTransferAnswers(t *testing.T) {
	d := &deadlines{}
	s := newServer(t, nil)
	up, refused := s.transfers.begin("v/up", signer{1}, time.Now(), true, d)
	require.Nil(t, refused)
	settled, until := make(chan struct{}), time.Now().Add(time.Minute)
	d.wake = func() { go func() { up.settle(until); close(settled) }() }
	up.stop(errEnded)
	<-settled
	require.Equal(t, until, d.write)
	up.stop(errNoSuchKey)
	require.Equal(t, until, d.write)
	require.Equal(t, errEnded, up.stopped())
	up.end()
}

// TestURLsOfAnEndedSessionAreRefused: URLs signed for an ended session are refused until they have expired; then the end is
// removed.
func TestURLsOfAnEndedSessionAreRefused(t *testing.T) {
	c := &clock{time.Now()}
	s := newServer(t, func(o *Options) { o.Now = c.Now })
	s.mustPut(t, "v/1", objects.CustomerKey{}, []byte("value"))
	one, other := visitor("a", 1), visitor("b", 1)
	up, down := s.upload(t, one, "v/2", 5), s.download(t, one, "v/1")
	s.EndSession(one)
	requireError(t, s.send(wire(up, []byte("value"))), errEnded)
	requireError(t, s.send(wire(down, nil)), errEnded)
	require.Equal(t, http.StatusOK, s.send(wire(s.download(t, other, "v/1"), nil)).Code, "the same session of another tenant")
	for i := range 2 * minPrune {
		s.EndSession(objects.Signer{Tenant: "c", Session: [32]byte{byte(i), byte(i >> 8), 1}})
	}
	require.Len(t, s.transfers.ended, 2*minPrune+1)
	requireError(t, s.send(wire(down, nil)), errEnded)
	c.now = c.now.Add(time.Hour)
	for i := range 4 * minPrune {
		s.EndSession(objects.Signer{Tenant: "d", Session: [32]byte{byte(i), byte(i >> 8), 1}})
	}
	require.LessOrEqual(t, len(s.transfers.ended), 4*minPrune)
}

// TestURLsFromBeforeASignOutAreRefused: URLs signed before the sign-out are refused, and later ones accepted unless the
// session has ended too.
func TestURLsFromBeforeASignOutAreRefused(t *testing.T) {
	c := &clock{time.Now()}
	s := newServer(t, func(o *Options) { o.Now = c.Now })
	s.mustPut(t, "v/1", objects.CustomerKey{}, []byte("value"))
	one := visitor("a", 1)
	before := s.download(t, one, "v/1")
	s.SignOut(one)
	c.now = c.now.Add(time.Second)
	requireError(t, s.send(wire(before, nil)), errEnded)
	require.Equal(t, http.StatusOK, s.send(wire(s.download(t, one, "v/1"), nil)).Code)
	s.EndSession(one)
	s.SignOut(one)
	c.now = c.now.Add(time.Second)
	requireError(t, s.send(wire(s.download(t, one, "v/1"), nil)), errEnded)
}

// TestSignOutsAreBounded: sign-outs are stored up to a bound, which does not apply to ended sessions.
func TestSignOutsAreBounded(t *testing.T) {
	s := newTransfers(transferLimits{})
	now := time.Now()
	for i := range maxSignOuts + 10 {
		s.endSession(signer{byte(i), byte(i >> 8), byte(i >> 16)}, end{now, now.Add(time.Hour)}, now)
	}
	require.Len(t, s.ended, maxSignOuts)
	s.endSession(signer{15: 1}, end{now.Add(time.Hour), now.Add(time.Hour)}, now)
	require.Len(t, s.ended, maxSignOuts+1)
	now = now.Add(time.Hour)
	s.endSession(signer{15: 2}, end{now, now.Add(time.Hour)}, now)
	require.Len(t, s.ended, 1, "expired ends are removed")
}

// TestTombstonesAreEmptyFiles: an object's file is truncated, and tombstones stay after a restart.
func TestTombstonesAreEmptyFiles(t *testing.T) {
	dir := t.TempDir()
	s, err := New(testOptions(dir))
	require.NoError(t, err)
	s.mustPut(t, "v/1", objects.CustomerKey{}, randomBytes(200_000))
	before, err := os.Stat(s.disk.path("v/1"))
	require.NoError(t, err)
	require.NoError(t, s.Tombstone(t.Context(), "v/1", "v/2"))
	for _, name := range []string{"v/1", "v/2"} {
		info, err := os.Stat(s.disk.path(name))
		require.NoError(t, err)
		require.Zero(t, info.Size())
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		require.Equal(t, name == "v/1", os.SameFile(before, info), "truncation needs no space on a full disk")
	}
	require.NoError(t, s.Close())
	s, err = New(testOptions(dir))
	require.NoError(t, err)
	for i, name := range []string{"v/1", "v/2"} {
		requireError(t, s.send(wire(s.upload(t, visitor("a", i), name, 1), []byte("x"))), errExists)
		requireError(t, s.read(t, name, objects.CustomerKey{}), errNoSuchKey)
	}
	require.NoError(t, s.Delete(t.Context(), "v/1", "v/2"))
	require.Empty(t, files(t, s.disk.objects))
	require.NoError(t, s.Close())
}

// TestDeletionsRaceUploads: in either order, no object is left after a tombstone and its removal.
func TestDeletionsRaceUploads(t *testing.T) {
	s := listen(t, nil)
	for i := range 50 {
		object := fmt.Sprintf("v/%d", i)
		c := begin(t, s.upload(t, visitor("a", 1), object, 5), 5, "value")
		require.NoError(t, s.Tombstone(t.Context(), object))
		_, _ = c.answer(t)
		requireError(t, s.read(t, object, objects.CustomerKey{}), errNoSuchKey)
		require.NoError(t, s.Delete(t.Context(), object))
	}
	s.requireNothingUnderWay(t)
	require.Empty(t, files(t, s.disk.objects))
}

// TestFailedTombstoneDoesNotPreventOthers: if a new file can't be created, existing files are truncated nevertheless.
func TestFailedTombstoneDoesNotPreventOthers(t *testing.T) {
	s := newServer(t, nil)
	key := objects.CustomerKey{1}
	s.mustPut(t, "v/kept", key, []byte("value"))
	bad := s.disk.path("v/never-uploaded")
	require.NoError(t, os.MkdirAll(filepath.Join(bad, "in-the-way"), 0o700))
	err := s.Tombstone(t.Context(), "v/never-uploaded", "v/kept")
	var partial *objects.PartialError
	require.ErrorAs(t, err, &partial)
	require.Equal(t, []string{"v/never-uploaded"}, partial.Objects)
	requireError(t, s.read(t, "v/kept", key), errNoSuchKey)
}
