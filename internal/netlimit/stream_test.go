package netlimit_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/netlimit"
)

const (
	writeTimeout = time.Second // enough for a few bytes on a busy machine
	readTimeout  = time.Second
)

// overWire starts a server that is wired like the gateway. Requests of /events get an event at every interval, requests of
// /flood as many bytes as they read; ended gets the error of each handler.
func overWire(t *testing.T, http2 bool) (s *httptest.Server, ended chan error) {
	t.Helper()
	l, err := netlimit.New(netlimit.Options{
		Name: "test", Total: 100, PerAddress: 100, Stall: time.Minute, WriteTimeout: writeTimeout, Observer: &counts{shed: map[string]int{}},
	})
	require.NoError(t, err)
	ended = make(chan error, 1)
	s = httptest.NewUnstartedServer(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		var err error
		if r.URL.Path == "/flood" {
			for buffer := make([]byte, 1<<20); err == nil; {
				_, err = w.Write(buffer)
			}
		} else {
			err = events(w, r)
		}
		ended <- err
	})))
	s.Config.ReadTimeout, s.Config.ReadHeaderTimeout = readTimeout, readTimeout
	s.Config.ConnContext, s.Config.ErrorLog = netlimit.ConnContext, log.New(io.Discard, "", 0)
	s.Listener = l.Listen(s.Listener)
	if http2 {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.CloseClientConnections)
	t.Cleanup(s.Close)
	return s, ended
}

// events lasts several times as long as each of the server's timeouts, and pauses for longer than each.
func events(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(3 * writeTimeout / 2)
	defer tick.Stop()
	for i := range 3 {
		if _, err := fmt.Fprintf(w, "data: %d\n\n", i); err != nil {
			return err
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-tick.C:
		}
	}
	return nil
}

func TestStreamsLastWhileTheyAreRead(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, two := range []bool{false, true} {
			t.Run(fmt.Sprint(method, ", HTTP/2 ", two), func(t *testing.T) {
				t.Parallel()
				s, ended := overWire(t, two)
				var body io.Reader
				if method == http.MethodPost {
					body = strings.NewReader(`{"query":"subscription { x }"}`)
				}
				r, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/events", body)
				require.NoError(t, err)
				answer, err := s.Client().Do(r)
				require.NoError(t, err)
				defer func() { _ = answer.Body.Close() }()
				require.Equal(t, two, answer.ProtoMajor == 2)
				got, err := io.ReadAll(answer.Body)
				require.NoError(t, err)
				require.Equal(t, 3, strings.Count(string(got), "data:"))
				require.NoError(t, <-ended)
			})
		}
	}
}

// TestStalledReadersAreCut: the handler ends if the client stops reading.
func TestStalledReadersAreCut(t *testing.T) {
	t.Run("HTTP/1.1", func(t *testing.T) {
		s, ended := overWire(t, false)
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		defer func() { _ = c.Close() }()
		_, err = io.WriteString(c, "GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		requireTimeout(t, ended)
	})
	t.Run("HTTP/1.1 over TLS", func(t *testing.T) {
		s, ended := overWire(t, true)
		c, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		defer func() { _ = c.Close() }()
		_, err = io.WriteString(c, "GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		requireTimeout(t, ended)
	})
	t.Run("HTTP/2", func(t *testing.T) { // the client's flow-control window is its buffer
		s, ended := overWire(t, true)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/flood", nil)
		require.NoError(t, err)
		answer, err := s.Client().Do(r)
		require.NoError(t, err)
		defer func() { _ = answer.Body.Close() }()
		require.Equal(t, 2, answer.ProtoMajor)
		requireEnded(t, ended)
	})
}

func requireTimeout(t *testing.T, ended chan error) {
	t.Helper()
	var timeout net.Error
	err := requireEnded(t, ended)
	require.True(t, errors.As(err, &timeout) && timeout.Timeout(), err)
}

func requireEnded(t *testing.T, ended chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		require.Error(t, err)
		return err
	case <-time.After(patience):
		t.Fatal("the handler still writes")
		return nil
	}
}

// TestAHandlersEarlierDeadline: a handler's write deadline applies if it is earlier.
func TestAHandlersEarlierDeadline(t *testing.T) {
	l, err := netlimit.New(netlimit.Options{
		Name: "test", Total: 100, PerAddress: 100, Stall: time.Minute, WriteTimeout: patience, Observer: &counts{shed: map[string]int{}},
	})
	require.NoError(t, err)
	ended := make(chan error, 2) // net/http's client may retry
	s := httptest.NewUnstartedServer(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(-time.Second))
		_, err := w.Write(make([]byte, 1<<20))
		ended <- err
	})))
	s.Config.ConnContext, s.Config.ErrorLog = netlimit.ConnContext, log.New(io.Discard, "", 0)
	s.Listener = l.Listen(s.Listener)
	s.Start()
	t.Cleanup(s.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/late", nil)
	require.NoError(t, err)
	_, err = s.Client().Do(r)
	require.Error(t, err)
	require.Error(t, <-ended)
}

// TestALargeResponseToASlowReader: one large write may take longer than the timeout while the client reads.
func TestALargeResponseToASlowReader(t *testing.T) {
	l, err := netlimit.New(netlimit.Options{
		Name: "test", Total: 1, PerAddress: 1, Stall: time.Minute, WriteTimeout: 2 * time.Second, Observer: &counts{shed: map[string]int{}},
	})
	require.NoError(t, err)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	bounded := l.Listen(inner)
	defer func() { _ = bounded.Close() }()
	client, err := net.Dial("tcp", inner.Addr().String())
	require.NoError(t, err)
	defer func() { _ = client.Close() }()
	c, err := bounded.Accept()
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	wrote := make(chan error, 1)
	const size = 32 << 20
	go func() {
		_, err := c.Write(make([]byte, size))
		wrote <- err
	}()
	in := bufio.NewReader(client)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	begin := time.Now()
	for read := 0; read < size; {
		<-tick.C
		n, err := in.Discard(min(80<<10, size-read))
		require.NoError(t, err)
		read += n
	}
	require.NoError(t, <-wrote)
	require.Greater(t, time.Since(begin), 2*time.Second, "the transfer must take longer than the timeout")
}
