package embedded

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

const appOrigin = "https://app.example.test"

// clock returns a time that the test sets.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func testOptions(dir string) Options {
	return Options{
		Dir: dir, PublicURL: "http://store.example.test:8081", AllowedOrigins: []string{appOrigin},
		Credentials: objects.Credentials{AccessKeyID: "access", SecretAccessKey: "a secret of a test, long enough"},
	}
}

func newServer(t testing.TB, change func(*Options)) *Server {
	t.Helper()
	o := testOptions(t.TempDir())
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// raw is a request in its form on the wire, so that a test can send requests that no HTTP client sends.
type raw struct {
	method, uri, host string
	headers           []objects.Header
	body              io.Reader
	size              int64
}

func wire(r objects.SignedRequest, body []byte) raw {
	host, uri, _ := strings.Cut(strings.TrimPrefix(r.URL, "http://"), "/")
	return raw{
		method: r.Method, uri: "/" + uri, host: host, headers: append([]objects.Header{}, r.Headers...),
		body: bytes.NewReader(body), size: int64(len(body)),
	}
}

// parse reads the request as net/http's server does; it returns an error if that server would refuse it.
func (r raw) parse() (*http.Request, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.method, r.uri, r.host)
	for _, h := range r.headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	b.WriteString("\r\n")
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(b.String())))
	if err != nil {
		return nil, err
	}
	req.ContentLength = r.size
	req.Body = http.NoBody
	if r.body != nil {
		req.Body = io.NopCloser(r.body)
	}
	return req, nil
}

// send returns the handler's response, or 400 if net/http refuses the request.
func (s *Server) send(r raw) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	req, err := r.parse()
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return w
	}
	s.ServeHTTP(w, req)
	return w
}

func (s *Server) mustPut(t testing.TB, object string, key objects.CustomerKey, value []byte) {
	t.Helper()
	r, err := s.SignUpload(objects.Upload{Object: object, Key: key, Size: int64(len(value))})
	require.NoError(t, err)
	w := s.send(wire(r, value))
	require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
}

func (s *Server) read(t testing.TB, object string, key objects.CustomerKey) *httptest.ResponseRecorder {
	t.Helper()
	r, err := s.SignDownload(objects.Download{Object: object, Key: key})
	require.NoError(t, err)
	return s.send(wire(r, nil))
}

func requireError(t testing.TB, w *httptest.ResponseRecorder, want *apiError, why ...any) {
	t.Helper()
	require.Equal(t, want.status, w.Code, why...)
	require.Contains(t, w.Body.String(), "<Code>"+want.code+"</Code><Message>"+want.message+"</Message>", why...)
}

// files returns every regular file below a directory.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var all []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			all = append(all, path)
		}
		return err
	}))
	return all
}

// requireNowhere checks that no file contains 12 consecutive bytes of a secret.
func requireNowhere(t testing.TB, dir string, secrets ...[]byte) {
	t.Helper()
	const window = 12
	known := make(map[[window]byte]bool)
	for _, secret := range secrets {
		for i := 0; i+window <= len(secret); i++ {
			known[[window]byte(secret[i:])] = true
		}
	}
	for _, path := range files(t, dir) {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		for i := 0; i+window <= len(b); i++ {
			if known[[window]byte(b[i:])] {
				t.Fatalf("12 bytes of a secret are in %s at offset %d", path, i)
			}
		}
	}
}
