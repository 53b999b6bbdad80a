package e2e_test

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/gateway"
)

const partSize = 8 << 20

func inClientMode(c *gateway.Config) { c.Objects.Encryption = config.EncryptionClient }
func inSSEC(c *gateway.Config)       { c.Objects.Encryption = config.EncryptionSSEC }

// TestUploadInParts uploads 64 MiB in parts, out of order, cut off in the middle and resumed, one part replaced, in both modes.
func TestUploadInParts(t *testing.T) {
	for name, mode := range map[string]func(*gateway.Config){"the store encrypts": inSSEC, "the client encrypts": inClientMode} {
		t.Run(name, func(t *testing.T) {
			s := stack.Start(t, stack.Configure(mode))
			me, other := s.Session(t), s.Session(t)
			value := make([]byte, 64<<20)
			_, _ = rand.Read(value)
			token, e := s.Begin(t, me.JWT, stack.Vars{"metadata": stack.Vars{"filename": "scan.bin"}})
			sent := e.Seal(t, value)
			part := func(number int) []byte { return sent[(number-1)*partSize : min(number*partSize, len(sent))] }
			last := (len(sent) + partSize - 1) / partSize
			for _, number := range []int{3, 1, last} {
				s.PutPart(t, me.JWT, token, number, part(number))
			}
			s.PutPart(t, me.JWT, token, 2, make([]byte, partSize))

			r := s.SignPart(t, me.JWT, token, 4, partSize)
			request, err := http.NewRequestWithContext(t.Context(), r.Method, r.URL, iotest.TimeoutReader(bytes.NewReader(part(4))))
			require.NoError(t, err)
			request.ContentLength = partSize
			for _, h := range r.Headers {
				request.Header.Add(h.Name, h.Value)
			}
			_, err = s.HTTP.Do(request)
			require.Error(t, err)

			status := s.Query(t, me.JWT, stack.UploadStatus, stack.Vars{"token": token}).OK(t)
			arrived := map[float64]bool{}
			for _, p := range status.At("uploadStatus", "parts").([]any) {
				arrived[p.(map[string]any)["number"].(float64)] = true
			}
			require.Equal(t, map[float64]bool{1: true, 2: true, 3: true, float64(last): true}, arrived)
			answer := s.Query(t, me.JWT, stack.CompleteUpload, stack.Vars{"token": token, "size": len(value)})
			require.Equal(t, "BAD_USER_INPUT", answer.Code())
			require.Contains(t, string(answer.Raw), "Part 4 is missing")
			require.Equal(t, "GRANT_REQUIRED", s.Detokenize(t, me.JWT, token).Code())

			s.PutPart(t, me.JWT, token, 2, part(2))
			for number := 4; number < last; number++ {
				s.PutPart(t, me.JWT, token, number, part(number))
			}
			for _, size := range []int{len(value) - 1, len(value) + 1} {
				answer = s.Query(t, me.JWT, stack.CompleteUpload, stack.Vars{"token": token, "size": size})
				require.Equal(t, "BAD_USER_INPUT", answer.Code(), "%s", answer.Raw)
			}
			for range 2 {
				answer = s.Query(t, me.JWT, stack.CompleteUpload, stack.Vars{"token": token, "size": len(value)}).OK(t)
				require.Equal(t, token, answer.At("completeUpload", "token"))
			}
			require.True(t, string(value) == string(s.Read(t, me.JWT, token)), "the value was changed")
			require.Equal(t, "GRANT_REQUIRED", s.Detokenize(t, other.JWT, token).Code())
			require.Equal(t, "GRANT_REQUIRED", s.Query(t, me.JWT, stack.UploadStatus, stack.Vars{"token": token}).Code())
		})
	}
}

// TestUploadsOfOthers: only the session that began an upload may use it, and its end ends the upload.
func TestUploadsOfOthers(t *testing.T) {
	dir := t.TempDir()
	s := stack.Start(t, stack.Data(dir), stack.Configure(func(c *gateway.Config) { c.Tokens.SweepInterval = time.Second }))
	me, other := s.Session(t), s.Session(t)
	token, _ := s.Begin(t, me.JWT, nil)
	s.PutPart(t, me.JWT, token, 1, []byte("value"))
	operations := map[string]string{
		"parts": `mutation($token: TokenID!) { uploadParts(token: $token, parts: [{number: 1, size: 1}]) { number } }`, "status": stack.UploadStatus,
		"complete": `mutation($token: TokenID!) { completeUpload(token: $token, size: 5) { token } }`, "abort": stack.AbortUpload,
	}
	refused := func(t *testing.T, jwt, token string) {
		t.Helper()
		for name, text := range operations {
			r := s.Query(t, jwt, text, stack.Vars{"token": token})
			require.Equal(t, "GRANT_REQUIRED", r.Code(), "%s: %s", name, r.Raw)
		}
	}
	refused(t, other.JWT, token)
	refused(t, me.JWT, unknownToken)

	late := s.SignPart(t, me.JWT, token, 2, 4)
	t.Run("aborted", func(t *testing.T) {
		mine, _ := s.Begin(t, me.JWT, nil)
		s.PutPart(t, me.JWT, mine, 1, []byte("value"))
		signed := s.SignPart(t, me.JWT, mine, 2, 4)
		require.Equal(t, true, s.Query(t, me.JWT, stack.AbortUpload, stack.Vars{"token": mine}).OK(t).At("abortUpload", "aborted"))
		require.Equal(t, http.StatusNotFound, s.Send(t, signed, []byte("late")).Status)
		refused(t, me.JWT, mine)
	})
	t.Run("deleted by the application", func(t *testing.T) {
		mine, _ := s.Begin(t, me.JWT, nil)
		signed := s.SignPart(t, me.JWT, mine, 1, 4)
		require.EqualValues(t, 1, s.Query(t, s.ApplicationJWT(t), stack.DeleteTokens, stack.Vars{"tokens": []string{mine}}).OK(t).At("deleteTokens", "deleted"))
		require.Equal(t, http.StatusNotFound, s.Send(t, signed, []byte("late")).Status)
		refused(t, me.JWT, mine)
	})
	t.Run("the session ends", func(t *testing.T) {
		s.Query(t, s.ApplicationJWT(t), `mutation($id: ID!) { endSession(input: {sessionId: $id}) { revoked } }`, stack.Vars{"id": me.ID(t)}).OK(t)
		require.NotEqual(t, http.StatusOK, s.Send(t, late, []byte("late")).Status)
		require.Equal(t, "GRANT_REQUIRED", s.Detokenize(t, other.JWT, token).Code())
		require.Eventually(t, func() bool {
			left, err := os.ReadDir(filepath.Join(dir, "objects", "values", "parts"))
			return err == nil && len(left) == 0
		}, 20*time.Second, 20*time.Millisecond, "parts of ended uploads stay")
	})
}

// TestUploadExpires: an upload that is not completed in time is removed with its token.
func TestUploadExpires(t *testing.T) {
	s := stack.Start(t, stack.Configure(func(c *gateway.Config) { c.Tokens.SweepInterval = time.Second }))
	me := s.Session(t)
	token, _ := s.Begin(t, me.JWT, stack.Vars{"ttl": "2s"})
	r := s.SignPart(t, me.JWT, token, 1, 5)
	assert.Equal(t, http.StatusOK, s.Send(t, r, []byte("value")).Status)
	require.Eventually(t, func() bool {
		return s.Query(t, me.JWT, stack.UploadStatus, stack.Vars{"token": token}).Code() == "GRANT_REQUIRED"
	}, 20*time.Second, 50*time.Millisecond)
	require.Equal(t, "GRANT_REQUIRED", s.Query(t, me.JWT, stack.CompleteUpload, stack.Vars{"token": token, "size": 5}).Code())
}
