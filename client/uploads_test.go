package client_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// TestUploadsInParts uploads values in parts against a whole gateway, in both modes.
func TestUploadsInParts(t *testing.T) {
	for _, mode := range []string{config.EncryptionSSEC, config.EncryptionClient} {
		t.Run(mode, func(t *testing.T) {
			g := gatewaytest.Start(t, func(c *config.Config) { c.Objects.Encryption = mode })
			session := newClient(t, g.URL, g.Session(gatewaytest.Own, "login"), nil)
			ctx := t.Context()
			value := make([]byte, 9<<20+5)
			_, _ = rand.Read(value)

			for name, size := range map[string]*int64{"known size": new(int64(len(value))), "unknown size": nil} {
				token, err := session.UploadLarge(ctx, client.Value{Size: size, TTL: time.Hour}, bytes.NewReader(value))
				require.NoError(t, err, name)
				d, err := session.Detokenize(ctx, token)
				require.NoError(t, err)
				body, err := session.Download(ctx, d)
				require.NoError(t, err)
				read, err := io.ReadAll(body)
				require.NoError(t, err)
				require.NoError(t, body.Close())
				require.True(t, bytes.Equal(value, read), name)
				require.ErrorIs(t, session.AbortUpload(ctx, token), client.ErrGrantRequired)
			}
			_, err := session.UploadLarge(ctx, client.Value{Size: new(int64(7))}, bytes.NewReader([]byte("eight by")))
			require.ErrorIs(t, err, client.ErrBadUserInput, "another size")

			b, err := session.BeginUpload(ctx, client.Value{})
			require.NoError(t, err)
			require.Equal(t, mode == config.EncryptionClient, b.Encryption != nil)
			signed, err := session.UploadParts(ctx, b.Token, []client.Part{{Number: 2, Size: 4}, {Number: 1, Size: 3}})
			require.NoError(t, err)
			require.NoError(t, session.UploadPart(ctx, signed[1], bytes.NewReader([]byte("abc")), 3))
			status, err := session.UploadStatus(ctx, b.Token)
			require.NoError(t, err)
			require.Equal(t, []client.Part{{Number: 1, Size: 3}}, status.Parts)
			require.Equal(t, b.Limits, status.Limits)
			_, err = session.CompleteUpload(ctx, b.Token, 100)
			require.ErrorIs(t, err, client.ErrBadUserInput)
			require.ErrorContains(t, err, "Part ")
			require.NoError(t, session.AbortUpload(ctx, b.Token))
			_, err = session.UploadStatus(ctx, b.Token)
			require.ErrorIs(t, err, client.ErrGrantRequired)
			var refused *client.StorageError
			require.ErrorAs(t, session.UploadPart(ctx, signed[0], bytes.NewReader([]byte("late")), 4), &refused)
			require.Equal(t, 404, refused.Status)
		})
	}
}
