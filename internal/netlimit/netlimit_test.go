package netlimit_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/netlimit"
)

// patience bounds every wait, for a busy machine; no test waits for it to pass.
const patience = 30 * time.Second

// counts is an Observer.
type counts struct {
	mu   sync.Mutex
	open int
	shed map[string]int
}

func (c *counts) Connections(_ string, open int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = open
}

func (c *counts) Shed(_, bound string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shed[bound]++
}

func (c *counts) closedFor(bound string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shed[bound]
}

func (c *counts) now() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// source is a listener whose connections have the remote addresses that a test sets.
type source struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (s *source) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}
func (s *source) Close() error   { s.once.Do(func() { close(s.closed) }); return nil }
func (s *source) Addr() net.Addr { return &net.TCPAddr{} }

// from is a connection with a given remote address.
type from struct {
	net.Conn
	address net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.address }

// server is an HTTP server behind a limiter.
type server struct {
	*source
	counts  *counts
	started chan string           // the path of each request whose handler has begun
	release chan struct{}         // lets requests of /wait end
	clock   func(d time.Duration) // moves the limiter's clock
}

func start(t *testing.T, change func(*netlimit.Options)) *server {
	t.Helper()
	var mu sync.Mutex
	now := time.Unix(1_700_000_000, 0)
	s := &server{
		source: &source{conns: make(chan net.Conn), closed: make(chan struct{})}, counts: &counts{shed: map[string]int{}},
		started: make(chan string, 100), release: make(chan struct{}),
		clock: func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) },
	}
	o := netlimit.Options{
		Name: "test", Total: 4, PerAddress: 3, Stall: time.Hour, WriteTimeout: patience, Observer: s.counts,
		Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
	}
	change(&o)
	l, err := netlimit.New(o)
	require.NoError(t, err)
	h := &http.Server{
		ReadHeaderTimeout: patience, ConnContext: netlimit.ConnContext, ErrorLog: log.New(io.Discard, "", 0),
		Handler: l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.started <- r.URL.Path
			if r.URL.Path == "/wait" {
				<-s.release
			}
		})),
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve(l.Listen(s.source)) }()
	t.Cleanup(func() {
		_ = h.Close()
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
	return s
}

// dial opens a connection from an address. It uses TCP because net.Pipe has no buffers.
func (s *server) dial(t *testing.T, address string) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	client, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	inner, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, client.SetDeadline(time.Now().Add(patience)))
	s.conns <- from{inner, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))}
	return client
}

// ask sends a request for a path, and waits until its handler has begun.
func (s *server) ask(t *testing.T, c net.Conn, path string) {
	t.Helper()
	_, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	select {
	case got := <-s.started:
		require.Equal(t, path, got)
	case <-time.After(patience):
		t.Fatal("no handler has begun")
	}
}

// settle waits until this many connections are open, and advances the clock so that idle ones have been idle for long.
func (s *server) settle(t *testing.T, open int) {
	t.Helper()
	require.Eventually(t, func() bool { return s.counts.now() == open }, patience, time.Millisecond)
	s.clock(time.Minute)
}

func requireClosed(t *testing.T, c net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, c)
	if err != nil {
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		var timeout net.Error
		require.False(t, asTimeout(err, &timeout), "the connection is still open")
	}
}

func asTimeout(err error, e *net.Error) bool {
	n, ok := err.(net.Error)
	if ok {
		*e = n
	}
	return ok && n.Timeout()
}

func TestIdleConnectionsAreClosedFirst(t *testing.T) {
	t.Run("before its first byte", func(t *testing.T) {
		s := start(t, func(o *netlimit.Options) { o.PerAddress = 100 })
		first := s.dial(t, "192.0.2.1:1")
		s.settle(t, 1)
		for i := range 3 {
			s.ask(t, s.dial(t, "192.0.2.2:"+string(rune('1'+i))), "/wait")
		}
		s.ask(t, s.dial(t, "192.0.2.9:1"), "/")
		requireClosed(t, first)
		require.Equal(t, 1, s.counts.closedFor("total"))
		close(s.release)
	})
	t.Run("in the middle of slow headers", func(t *testing.T) {
		s := start(t, func(o *netlimit.Options) { o.PerAddress = 100 })
		slow := s.dial(t, "192.0.2.1:1")
		_, err := io.WriteString(slow, "GET / HTTP/1.1\r\nHost:")
		require.NoError(t, err)
		s.settle(t, 1)
		for range 3 {
			s.ask(t, s.dial(t, "192.0.2.2:1"), "/wait")
		}
		s.ask(t, s.dial(t, "192.0.2.9:1"), "/")
		requireClosed(t, slow)
		close(s.release)
	})
	t.Run("the one with the oldest request", func(t *testing.T) {
		s := start(t, func(o *netlimit.Options) { o.PerAddress = 100 })
		var conns []net.Conn
		for range 4 {
			conns = append(conns, s.dial(t, "192.0.2.1:1"))
		}
		for _, i := range []int{1, 0, 2, 3} { // after the response, the connection before is idle again
			s.ask(t, conns[i], "/")
			requireAnswer(t, conns[i])
		}
		s.ask(t, s.dial(t, "192.0.2.9:1"), "/")
		requireClosed(t, conns[1])
		s.ask(t, conns[0], "/")
	})
	t.Run("a stalled request, if no connection is idle", func(t *testing.T) {
		s := start(t, func(o *netlimit.Options) { o.PerAddress, o.Stall = 100, time.Minute })
		stalled := s.dial(t, "192.0.2.1:1")
		s.ask(t, stalled, "/wait")
		s.clock(2 * time.Minute)
		for range 3 {
			s.ask(t, s.dial(t, "192.0.2.2:1"), "/wait")
		}
		s.ask(t, s.dial(t, "192.0.2.9:1"), "/")
		requireClosed(t, stalled)
		close(s.release)
	})
}

func requireAnswer(t *testing.T, c net.Conn) {
	t.Helper()
	got := make([]byte, 1)
	for text := ""; len(text) < 4 || text[len(text)-4:] != "\r\n\r\n"; text += string(got) {
		_, err := io.ReadFull(c, got)
		require.NoError(t, err)
	}
}

func TestPerAddress(t *testing.T) {
	for name, c := range map[string]struct {
		addresses []string // one connection each, after three
		three     string
		bounded   bool
	}{
		"the same address":            {three: "192.0.2.1:1", addresses: []string{"192.0.2.1:9"}, bounded: true},
		"another":                     {three: "192.0.2.1:1", addresses: []string{"192.0.2.2:9"}},
		"the same network of 64 bits": {three: "[2001:db8::1]:1", addresses: []string{"[2001:db8::ffff:2]:9"}, bounded: true},
		"another such network":        {three: "[2001:db8::1]:1", addresses: []string{"[2001:db8:0:1::1]:9"}},
		"IPv4 in IPv6":                {three: "192.0.2.1:1", addresses: []string{"[::ffff:192.0.2.1]:9"}, bounded: true},
		"a trusted proxy":             {three: "10.1.2.3:1", addresses: []string{"10.1.2.3:9"}},
		"loopback":                    {three: "127.0.0.1:1", addresses: []string{"127.0.0.1:9"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(o *netlimit.Options) {
				o.Total, o.Exempt = 100, []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
			})
			first := s.dial(t, c.three)
			for range 2 {
				s.ask(t, s.dial(t, c.three), "/wait")
			}
			for _, address := range c.addresses {
				s.ask(t, s.dial(t, address), "/")
			}
			if c.bounded {
				requireClosed(t, first)
				require.Equal(t, 1, s.counts.closedFor("address"))
			} else {
				s.ask(t, first, "/")
				require.Zero(t, s.counts.closedFor("address"))
			}
			close(s.release)
		})
	}
	t.Run("all connections busy", func(t *testing.T) {
		s := start(t, func(o *netlimit.Options) { o.Total = 100 })
		for range 3 {
			s.ask(t, s.dial(t, "192.0.2.1:1"), "/wait")
		}
		requireClosed(t, s.dial(t, "192.0.2.1:9"))
		s.ask(t, s.dial(t, "192.0.2.2:9"), "/")
		close(s.release)
	})
}

// TestOneClientsIdleConnections: a listener that one client has filled serves others, and that client's connections are
// closed.
func TestOneClientsIdleConnections(t *testing.T) {
	s := start(t, func(o *netlimit.Options) { o.Total, o.PerAddress = 64, 16 })
	for range 200 {
		s.dial(t, "203.0.113.7:1")
	}
	for i := range 60 {
		s.ask(t, s.dial(t, netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 1).String()), "/")
	}
	require.Equal(t, 200-16, s.counts.closedFor("address"))
	require.LessOrEqual(t, s.counts.now(), 64)
}
