package embedded_test

import (
	"net"
	"net/http"
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

// s3For reaches an embedded store as if it were any other.
func s3For(t testing.TB, o embedded.Options, lifetime time.Duration) objects.Store {
	t.Helper()
	store, err := objects.NewS3(t.Context(), objects.S3Options{
		Endpoint: o.PublicURL, Region: "local", Bucket: "values", PathStyle: true, Credentials: o.Credentials,
		UploadLifetime: lifetime, DownloadLifetime: lifetime,
	})
	require.NoError(t, err)
	return store
}

func TestContract(t *testing.T) {
	objectstest.Run(t, func(t *testing.T) objectstest.Harness {
		s, o := start(t, nil)
		return objectstest.Harness{Store: s, ShortLived: s3For(t, o, time.Second), HTTP: &http.Client{Timeout: time.Minute}}
	})
}

// TestContractBelowPath serves under a path of a public address.
func TestContractBelowPath(t *testing.T) {
	objectstest.Run(t, func(t *testing.T) objectstest.Harness {
		s, o := start(t, func(o *embedded.Options) { o.PublicURL += "/store/v1/" })
		return objectstest.Harness{Store: s, ShortLived: s3For(t, o, time.Second), HTTP: &http.Client{Timeout: time.Minute}}
	})
}
