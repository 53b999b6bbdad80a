package objects_test

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/objects/objectstest"
)

// TestMinIO runs the contract against a real S3 store over TLS.
func TestMinIO(t *testing.T) {
	m := objectstest.StartMinIO(t)
	objectstest.Run(t, func(t *testing.T) objectstest.Harness {
		store, err := objects.NewS3(t.Context(), m.Options())
		require.NoError(t, err)
		o := m.Options()
		o.UploadLifetime, o.DownloadLifetime = time.Second, time.Second
		short, err := objects.NewS3(t.Context(), o)
		require.NoError(t, err)
		return objectstest.Harness{Store: store, ShortLived: short, HTTP: m.Client()}
	})
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
	// What is wrong here is our configuration, and no verdict on the store.
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
