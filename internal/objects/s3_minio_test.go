package objects_test

import (
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
}
