package gateway_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/disktest"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
	"github.com/cloakroomhq/cloakroom/internal/objects/objectstest"
)

// TestAFullDiskOfTheDatabaseWithS3: values are in the bucket, so only rows lack room. New values are refused too, while
// revocations, ends and deletions succeed, with their objects in the bucket.
func TestAFullDiskOfTheDatabaseWithS3(t *testing.T) {
	disktest.On(t, 64<<20, func(t *testing.T, dir string) {
		minio := objectstest.StartMinIO(t)
		g := gatewaytest.Start(t, func(c *gateway.Config) {
			o, s3 := minio.Options(), &c.Objects.S3
			c.Objects.Store, c.Database.Path = "s3", filepath.Join(dir, "cloakroom.db")
			s3.Endpoint, s3.Region, s3.Bucket, s3.PathStyle, s3.AccessKeyID = o.Endpoint, o.Region, o.Bucket, true, o.Credentials.AccessKeyID
			s3.SecretAccessKey, s3.CAFile = config.Secret(o.Credentials.SecretAccessKey), filepath.Join(t.TempDir(), "ca.pem")
			require.NoError(t, os.WriteFile(s3.CAFile, minio.CAPEM, 0o600))
		})
		connect := func(credentials gatewaytest.Credentials) *client.Client {
			c, err := client.New(client.Options{Endpoint: g.URL, Credentials: credentials, Timeout: time.Minute, HTTPClient: http.DefaultClient})
			require.NoError(t, err)
			return c
		}
		me, other, app := connect(g.Session(gatewaytest.Own, "me")), connect(g.Session(gatewaytest.Own, "other")), connect(g.Application(gatewaytest.Own))
		kept, err := me.Tokenize(t.Context(), client.Value{})
		require.NoError(t, err)
		deleted, err := me.Tokenize(t.Context(), client.Value{})
		require.NoError(t, err)
		foreign, err := other.Tokenize(t.Context(), client.Value{})
		require.NoError(t, err)
		require.Eventually(t, func() bool { return readiness(t, g) == wholeSpace }, time.Minute, 20*time.Millisecond)

		filler := disktest.Fill(t, dir)
		require.Eventually(t, func() bool { return readiness(t, g) == shortSpace }, time.Minute, 20*time.Millisecond)
		_, err = me.Tokenize(t.Context(), client.Value{})
		require.ErrorIs(t, err, client.ErrUnavailable)
		_, err = me.Detokenize(t.Context(), kept.Token)
		require.NoError(t, err, "reads succeed")
		n, err := app.DeleteTokens(t.Context(), []string{deleted.Token})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		n, err = app.EndSession(t.Context(), appkit.SessionID("other"))
		require.NoError(t, err)
		require.Equal(t, 2, n)
		_, err = me.Detokenize(t.Context(), deleted.Token)
		require.ErrorIs(t, err, client.ErrGrantRequired)
		_, err = other.Detokenize(t.Context(), foreign.Token)
		require.ErrorIs(t, err, client.ErrUnauthenticated)

		filler.Free()
		require.Eventually(t, func() bool { return readiness(t, g) == wholeSpace }, time.Minute, 20*time.Millisecond)
		_, err = me.Tokenize(t.Context(), client.Value{})
		require.NoError(t, err)
	})
}

const (
	wholeSpace = `{"status":"ok","parts":{"database":"ok","keys":"ok","objects":"ok","space":"ok"}}`
	shortSpace = `{"status":"degraded","parts":{"database":"ok","keys":"ok","objects":"ok","space":"degraded"}}`
)

func readiness(t *testing.T, g *gatewaytest.Gateway) string {
	t.Helper()
	answer, err := http.Get(g.URL + "/readyz")
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode, "it still revokes and reads")
	return strings.TrimSpace(string(text))
}
