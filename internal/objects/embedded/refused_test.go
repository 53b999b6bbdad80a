package embedded

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// reasons is an Observer that passes each reason on by a channel.
type reasons struct {
	mu  sync.Mutex
	all []string
	got chan string
}

func newReasons() *reasons { return &reasons{got: make(chan string, 100)} }

func (r *reasons) ObjectRefused(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, reason)
	r.got <- reason
}

func (r *reasons) next(t *testing.T) string {
	t.Helper()
	select {
	case reason := <-r.got:
		return reason
	case <-time.After(patience):
		t.Fatal("nothing was refused")
		return ""
	}
}

// TestRefusalsAreCounted: each refusal is counted once, by its reason.
func TestRefusalsAreCounted(t *testing.T) {
	key, seen := objects.CustomerKey{1}, map[string]bool{}
	put := func(s *Server, r objects.SignedRequest, body string) { s.send(wire(r, []byte(body))) }
	upload := func(t *testing.T, s *Server) objects.SignedRequest {
		return s.upload(t, visitor("a", 1), "v/1", 5)
	}
	for name, test := range map[string]struct {
		reason string
		change func(*Options)
		do     func(t *testing.T, s *Server)
	}{
		"not signed": {reasonSignature, nil, func(_ *testing.T, s *Server) {
			s.send(raw{method: "GET", uri: "/values/v/1", host: "store.example.test:8081"})
		}},
		"signed for another object": {reasonSignature, nil, func(t *testing.T, s *Server) {
			r := wire(upload(t, s), []byte("value"))
			r.uri = "/values/v/2" + r.uri[len("/values/v/1"):]
			s.send(r)
		}},
		"expired": {reasonExpired, func(o *Options) { o.Now = past() }, func(t *testing.T, s *Server) { put(s, upload(t, s), "value") }},
		"a page that is not listed": {reasonOrigin, nil, func(t *testing.T, s *Server) {
			r := wire(upload(t, s), []byte("value"))
			r.headers = append(r.headers, objects.Header{Name: "Origin", Value: "https://evil.example"})
			s.send(r)
		}},
		"a method that is not allowed": {reasonMethod, nil, func(_ *testing.T, s *Server) {
			s.send(raw{method: "DELETE", uri: "/values/v/1", host: "store.example.test:8081"})
		}},
		"another key": {reasonKey, nil, func(t *testing.T, s *Server) {
			s.mustPut(t, "v/1", key, []byte("value"))
			s.read(t, "v/1", objects.CustomerKey{2})
		}},
		"the session has ended": {reasonEnded, nil, func(t *testing.T, s *Server) {
			r := upload(t, s)
			s.EndSession(visitor("a", 1))
			put(s, r, "value")
		}},
		"no object": {reasonMissing, nil, func(t *testing.T, s *Server) { s.read(t, "v/1", key) }},
		"a second upload": {reasonExists, nil, func(t *testing.T, s *Server) {
			put(s, upload(t, s), "value")
			put(s, upload(t, s), "other")
		}},
		"too large": {reasonSize, func(o *Options) { o.MaxUnsizedSize = 4 }, func(t *testing.T, s *Server) {
			put(s, s.upload(t, visitor("a", 1), "v/1", 0), "value")
		}},
		"no room": {reasonFull, func(o *Options) { o.Admit = func(context.Context, int64) error { return errors.New("no room") } },
			func(t *testing.T, s *Server) { put(s, upload(t, s), "value") }},
		"the session's share of bytes": {reasonShare, func(o *Options) { o.MaxObjectSize, o.MaxSessionBytes = 10, 10 }, func(t *testing.T, s *Server) {
			other, refused := s.transfers.begin("v/0", s.names.of(visitor("a", 1)), time.Now(), true, nil)
			require.Nil(t, refused)
			defer other.end()
			require.True(t, other.reserve(6))
			put(s, upload(t, s), "value")
		}},
		"all transfers in use": {reasonBusy, func(o *Options) { o.MaxTransfers = 1 }, func(t *testing.T, s *Server) {
			other, refused := s.transfers.begin("v/0", s.names.of(visitor("b", 1)), time.Now(), true, nil)
			require.Nil(t, refused)
			defer other.end()
			put(s, upload(t, s), "value")
		}},
		"two uploads at once": {reasonConflict, nil, func(t *testing.T, s *Server) {
			other, refused := s.transfers.begin("v/1", s.names.of(visitor("b", 1)), time.Now(), true, nil)
			require.Nil(t, refused)
			defer other.end()
			put(s, upload(t, s), "value")
		}},
		"a damaged object": {reasonFailed, nil, func(t *testing.T, s *Server) {
			s.mustPut(t, "v/1", key, []byte("value"))
			require.NoError(t, os.Truncate(s.disk.path("v/1"), 200))
			s.read(t, "v/1", key)
		}},
	} {
		seen[test.reason] = true
		t.Run(name, func(t *testing.T) {
			got := newReasons()
			s := newServer(t, func(o *Options) {
				o.Observer = got
				if test.change != nil {
					test.change(o)
				}
			})
			test.do(t, s)
			require.Equal(t, []string{test.reason}, got.all)
		})
	}
	for _, reason := range Reasons {
		require.True(t, seen[reason] || slices.Contains([]string{reasonSlow, reasonIncomplete}, reason), "%s: see TestInterruptedTransfersAreCounted", reason)
	}
	t.Run("the canary is not counted", func(t *testing.T) {
		got := newReasons()
		require.NoError(t, newServer(t, func(o *Options) { o.Observer = got }).Verify(t.Context()))
		require.Empty(t, got.all)
	})
}

// past returns a clock whose first time, used for the signature, is an hour ago.
func past() func() time.Time {
	var once sync.Once
	return func() time.Time {
		now := time.Now()
		once.Do(func() { now = now.Add(-time.Hour) })
		return now
	}
}

// TestInterruptedTransfersAreCounted uses real connections.
func TestInterruptedTransfersAreCounted(t *testing.T) {
	begun := func(t *testing.T, grace time.Duration) (*Server, *reasons) {
		got := newReasons()
		return listen(t, func(o *Options) { o.Observer, o.Grace = got, grace }), got
	}
	const long, short = 10 * time.Minute, 200 * time.Millisecond
	t.Run("a slow upload", func(t *testing.T) {
		s, got := begun(t, short)
		begin(t, s.upload(t, visitor("a", 1), "v/1", 100_000), 100_000, "x")
		require.Equal(t, reasonSlow, got.next(t))
	})
	t.Run("an upload whose client disconnects", func(t *testing.T) {
		s, got := begun(t, long)
		c := begin(t, s.upload(t, visitor("a", 1), "v/1", 100_000), 100_000, "x")
		s.underWay(t, 1)
		require.NoError(t, c.Close())
		require.Equal(t, reasonIncomplete, got.next(t))
	})
	for name, test := range map[string]struct {
		reason string
		grace  time.Duration
		cut    func(t *testing.T, s *Server, c *client)
	}{
		"a slow download":                     {reasonSlow, short, func(*testing.T, *Server, *client) {}},
		"a download whose client disconnects": {reasonIncomplete, long, func(t *testing.T, _ *Server, c *client) { require.NoError(t, c.Close()) }},
		"a download of a deleted token":       {reasonMissing, long, func(t *testing.T, s *Server, _ *client) { require.NoError(t, s.Delete(t.Context(), "v/1")) }},
		"a download of an ended session": {reasonEnded, long, func(_ *testing.T, s *Server, _ *client) {
			s.EndSession(visitor("a", 1))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, got := begun(t, test.grace)
			s.mustPut(t, "v/1", objects.CustomerKey{}, make([]byte, 16<<20))
			c := begin(t, s.download(t, visitor("a", 1), "v/1"), 0, "")
			res, _ := c.answer(t)
			require.Equal(t, http.StatusOK, res.StatusCode)
			test.cut(t, s, c)
			require.Equal(t, test.reason, got.next(t))
			s.requireNothingUnderWay(t)
			require.Len(t, got.all, 1)
		})
	}
	t.Run("a damaged package in the middle", func(t *testing.T) {
		s, got := begun(t, long)
		s.mustPut(t, "v/1", objects.CustomerKey{}, make([]byte, 16<<20))
		f, err := os.OpenFile(s.disk.path("v/1"), os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteAt([]byte("damage"), 8<<20)
		require.NoError(t, errors.Join(err, f.Close()))
		c := begin(t, s.download(t, visitor("a", 1), "v/1"), 0, "")
		res, _ := c.answer(t)
		_, err = io.Copy(io.Discard, res.Body)
		require.Error(t, err)
		require.Equal(t, reasonFailed, got.next(t))
	})
}
