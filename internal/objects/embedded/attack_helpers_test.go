package embedded

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// patience is how long a test waits for events that are immediate on an idle machine.
const patience = time.Minute

// smallBuffers sets small kernel buffers, so that the handler waits for a client that does not read.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		_ = c.(*net.TCPConn).SetWriteBuffer(4 << 10)
	}
	return c, err
}

// listen serves a store on loopback, over real connections.
func listen(t testing.TB, change func(*Options)) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := newServer(t, func(o *Options) {
		o.PublicURL = "http://" + l.Addr().String()
		o.Grace = 10 * time.Minute // no client of a busy machine is too slow
		if change != nil {
			change(o)
		}
	})
	srv := &http.Server{Handler: s, ReadHeaderTimeout: patience}
	go func() { _ = srv.Serve(smallBuffers{l}) }()
	t.Cleanup(func() { _ = srv.Close() })
	return s
}

// visitor is a session of a tenant.
func visitor(tenant string, n int) objects.Signer {
	return objects.Signer{Tenant: tenant, Session: [32]byte{1, byte(n), byte(n >> 8)}}
}

func (s *Server) upload(t testing.TB, g objects.Signer, object string, size int64) objects.SignedRequest {
	t.Helper()
	r, err := s.SignUpload(objects.Upload{Object: object, Size: size, Signer: g})
	require.NoError(t, err)
	return r
}

func (s *Server) download(t testing.TB, g objects.Signer, object string) objects.SignedRequest {
	t.Helper()
	r, err := s.SignDownload(objects.Download{Object: object, Signer: g})
	require.NoError(t, err)
	return r
}

// client is one connection on which a request has begun.
type client struct {
	net.Conn
	in *bufio.Reader
}

// begin sends a request's head and the beginning of its body. A size of -1 is chunked. With a buffer, the kernel buffers
// about this many bytes that the client does not read.
func begin(t testing.TB, r objects.SignedRequest, size int64, body string, buffer ...int) *client {
	t.Helper()
	u, err := url.Parse(r.URL)
	require.NoError(t, err)
	conn, err := net.Dial("tcp", u.Host)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	for _, n := range buffer {
		_ = conn.(*net.TCPConn).SetReadBuffer(n)
	}
	require.NoError(t, conn.SetDeadline(time.Now().Add(2*patience)))
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, u.RequestURI(), u.Host)
	for _, h := range r.Headers {
		fmt.Fprintf(&head, "%s: %s\r\n", h.Name, h.Value)
	}
	switch {
	case r.Method != http.MethodPut:
	case size < 0:
		head.WriteString("Transfer-Encoding: chunked\r\n")
	default:
		fmt.Fprintf(&head, "Content-Length: %d\r\n", size)
	}
	_, err = io.WriteString(conn, head.String()+"\r\n"+body)
	require.NoError(t, err)
	return &client{conn, bufio.NewReader(conn)}
}

// answer reads the head of a response, and the body of an error.
func (c *client) answer(t testing.TB) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(c.in, nil)
	require.NoError(t, err)
	if res.StatusCode == http.StatusOK {
		return res, ""
	}
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(text)
}

func (c *client) requireError(t testing.TB, want *apiError) {
	t.Helper()
	res, text := c.answer(t)
	require.Equal(t, want.status, res.StatusCode, text)
	require.Contains(t, text, "<Code>"+want.code+"</Code><Message>"+want.message+"</Message>")
	if want.busy() {
		require.Equal(t, "1", res.Header.Get("Retry-After"))
	}
}

// underWay waits until n transfers are in progress.
func (s *Server) underWay(t testing.TB, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return s.transfers.count() == n }, patience, time.Millisecond,
		"%d transfers expected", n)
}

func (s *transfers) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}

// requireNothingUnderWay checks that no state of ended transfers is left.
func (s *Server) requireNothingUnderWay(t testing.TB) {
	t.Helper()
	s.underWay(t, 0)
	s.transfers.mu.Lock()
	defer s.transfers.mu.Unlock()
	require.Empty(t, s.transfers.sessions)
	require.Empty(t, s.transfers.tenants)
	require.Empty(t, s.transfers.objects)
	require.Empty(t, files(t, s.disk.tmp))
}
