package embedded_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/objects/embedded"
	"github.com/cloakroomhq/cloakroom/internal/objects/objectstest"
)

// start serves an embedded store on loopback.
func start(t testing.TB, change func(*embedded.Options)) (*embedded.Server, embedded.Options) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o := embedded.Options{
		Dir: t.TempDir(), PublicURL: "http://" + l.Addr().String(), AllowedOrigins: []string{"https://app.example.test"},
		Credentials: objects.Credentials{AccessKeyID: "access", SecretAccessKey: "a secret of a test, long enough"},
	}
	if change != nil {
		change(&o)
	}
	s, err := embedded.New(o)
	require.NoError(t, err)
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close(); _ = s.Close() })
	return s, o
}

// s3For returns the S3 client's store for an embedded store.
func s3For(t testing.TB, o embedded.Options, lifetime time.Duration) objects.Store {
	t.Helper()
	store, err := objects.NewS3(t.Context(), objects.S3Options{
		Endpoint: o.PublicURL, Region: "local", Bucket: "values", PathStyle: true, Credentials: o.Credentials,
		UploadLifetime: lifetime, DownloadLifetime: lifetime,
	})
	require.NoError(t, err)
	return store
}

func harness(t *testing.T, s *embedded.Server, o embedded.Options) objectstest.Harness {
	return objectstest.Harness{
		Store: s, ShortLived: s3For(t, o, time.Second), HTTP: &http.Client{Timeout: time.Minute},
		Block: func(t *testing.T, object string) (objects.Store, func()) {
			path := s.File(object) // a non-empty directory can't be removed or opened for writing
			require.NoError(t, os.MkdirAll(filepath.Join(path, "in-the-way"), 0o700))
			return s, func() { require.NoError(t, os.RemoveAll(path)) }
		},
	}
}

func TestContract(t *testing.T) {
	objectstest.Run(t, func(t *testing.T) objectstest.Harness {
		s, o := start(t, nil)
		return harness(t, s, o)
	})
}

func TestContractClientMode(t *testing.T) {
	objectstest.RunClientMode(t, func(t *testing.T) objectstest.Harness {
		s, o := start(t, func(o *embedded.Options) { o.Mode = objects.Client })
		return harness(t, s, o)
	})
}

// TestContractBelowPath serves under a path of the public URL.
func TestContractBelowPath(t *testing.T) {
	objectstest.Run(t, func(t *testing.T) objectstest.Harness {
		s, o := start(t, func(o *embedded.Options) { o.PublicURL += "/store/v1/" })
		return harness(t, s, o)
	})
}

// TestDroppedConnection closes the connection in the middle of a body.
func TestDroppedConnection(t *testing.T) {
	s, o := start(t, nil)
	for _, size := range []int64{500_000, 0} {
		object, key := objectstest.NewObject()
		r, err := s.SignUpload(objects.Upload{Object: object, Key: key, Size: size})
		require.NoError(t, err)
		u, err := url.Parse(r.URL)
		require.NoError(t, err)
		conn, err := net.Dial("tcp", u.Host)
		require.NoError(t, err)
		var head strings.Builder
		fmt.Fprintf(&head, "PUT %s HTTP/1.1\r\nHost: %s\r\n", u.RequestURI(), u.Host)
		for _, h := range r.Headers {
			fmt.Fprintf(&head, "%s: %s\r\n", h.Name, h.Value)
		}
		body := strings.Repeat("x", 200_000)
		if size > 0 {
			_, err = fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n%s", head.String(), size, body)
		} else {
			_, err = fmt.Fprintf(conn, "%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", head.String(), len(body), body)
		}
		require.NoError(t, err)
		under := func() int { entries, _ := os.ReadDir(filepath.Join(o.Dir, "tmp")); return len(entries) }
		require.Eventually(t, func() bool { return under() == 1 }, 10*time.Second, time.Millisecond, "the upload has not begun")
		require.NoError(t, conn.Close())
		require.Eventually(t, func() bool { return under() == 0 }, 10*time.Second, time.Millisecond, "the incomplete upload stays")
		require.Equal(t, http.StatusNotFound, objectstest.Get(t, s, http.DefaultClient, object, key).Status)
	}
}

// TestOverHTTPWithTrailers: a header that is refused is refused as a trailer too.
func TestOverHTTPWithTrailers(t *testing.T) {
	s, _ := start(t, nil)
	object, key := objectstest.NewObject()
	r, err := s.SignUpload(objects.Upload{Object: object, Key: key})
	require.NoError(t, err)
	req, err := http.NewRequest(r.Method, r.URL, io.NopCloser(strings.NewReader("value")))
	require.NoError(t, err)
	for _, h := range r.Headers {
		req.Header.Set(h.Name, h.Value)
	}
	req.Trailer = http.Header{"X-Amz-Meta-A": {"b"}}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusForbidden, res.StatusCode)
}
