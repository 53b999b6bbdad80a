package objects_test

import (
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/objects/objectstest"
)

// TestMinIO runs the contract against a real S3 store over TLS.
func TestMinIO(t *testing.T) {
	m := objectstest.StartMinIO(t)
	objectstest.Run(t, func(t *testing.T) objectstest.Harness { return minioHarness(t, m, objects.SSEC) })
	t.Run("client mode", func(t *testing.T) {
		objectstest.RunClientMode(t, func(t *testing.T) objectstest.Harness { return minioHarness(t, m, objects.Client) })
	})
	t.Run("an upload under way blocks no other object", func(t *testing.T) { uploadUnderWay(t, m) })
	t.Run("separate public endpoint", func(t *testing.T) {
		o := m.Options()
		o.PublicEndpoint = strings.Replace(m.Endpoint, "127.0.0.1", "localhost", 1)
		store, err := objects.NewS3(t.Context(), o)
		require.NoError(t, err)
		require.NoError(t, store.Verify(t.Context()))
		object, key := objectstest.Put(t, store, m.Client(), []byte("value"))
		a := objectstest.Get(t, store, m.Client(), object, key)
		require.Equal(t, "value", string(a.Body))
		require.Equal(t, o.PublicEndpoint, store.Origin())
	})
	// A wrong configuration does not make the store unsuitable.
	for name, change := range map[string]func(*objects.S3Options){
		"no such bucket":    func(o *objects.S3Options) { o.Bucket = "not-there" },
		"wrong secret":      func(o *objects.S3Options) { o.Credentials.SecretAccessKey = "hush-hush-hush" },
		"wrong access key":  func(o *objects.S3Options) { o.Credentials.AccessKeyID = "nobody" },
		"unknown authority": func(o *objects.S3Options) { o.RootCAs = x509.NewCertPool() },
	} {
		t.Run(name, func(t *testing.T) {
			o := m.Options()
			change(&o)
			store, err := objects.NewS3(t.Context(), o)
			require.NoError(t, err)
			for _, err := range []error{store.Verify(t.Context()), store.Ready(t.Context())} {
				require.Error(t, err)
				require.NotErrorIs(t, err, objects.ErrUnsuitable)
				require.NotContains(t, err.Error(), "://")
				require.NotContains(t, err.Error(), "hush")
			}
		})
	}
}

func minioHarness(t *testing.T, m *objectstest.MinIO, mode objects.Mode) objectstest.Harness {
	open := func(o objects.S3Options) objects.Store {
		o.Mode = mode
		store, err := objects.NewS3(t.Context(), o)
		require.NoError(t, err)
		return store
	}
	short := m.Options()
	short.UploadLifetime, short.DownloadLifetime = time.Second, time.Second
	return objectstest.Harness{Store: open(m.Options()), ShortLived: open(short), HTTP: m.Client(), Block: func(t *testing.T, object string) (objects.Store, func()) {
		return open(m.Denying(t, object)), func() {}
	}}
}

// uploadUnderWay deletes in one batch two objects, one of them with an upload under way, for which MinIO waits.
func uploadUnderWay(t *testing.T, m *objectstest.MinIO) {
	o := m.Options()
	o.Timeout = 3 * time.Second
	store, err := objects.NewS3(t.Context(), o)
	require.NoError(t, err)
	held, key := objectstest.NewObject()
	up, err := store.SignUpload(objects.Upload{Object: held, Key: key, Size: 300_000})
	require.NoError(t, err)
	body, feed := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := objectstest.Send(m.Client(), up, body, 300_000)
		_ = body.CloseWithError(err)
	}()
	_, err = feed.Write(make([]byte, 200_000))
	require.NoError(t, err)
	over := make(chan struct{})
	var feeding sync.WaitGroup
	feeding.Go(func() { // MinIO drops an upload that sends nothing
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
				_, _ = feed.Write([]byte{0})
			}
		}
	})
	beside, _ := objectstest.Put(t, store, m.Client(), []byte("value"))
	requireStay(t, store.Delete(t.Context(), held, beside), held, beside)
	other, otherKey := objectstest.Put(t, store, m.Client(), []byte("value"))
	requireStay(t, store.Delete(t.Context(), held, other), held)
	require.Equal(t, http.StatusNotFound, objectstest.Get(t, store, m.Client(), other, otherKey).Status)
	close(over)
	feeding.Wait()
	_ = feed.CloseWithError(io.ErrUnexpectedEOF)
	<-done
	require.Eventually(t, func() bool { return store.Delete(t.Context(), held, beside) == nil }, time.Minute, 10*time.Millisecond)
}
