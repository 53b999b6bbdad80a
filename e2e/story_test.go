package e2e_test

import (
	"crypto/sha256"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
)

func TestAValueComesBackToTheSessionThatStoredIt(t *testing.T) {
	s := stack.Start(t)
	me := s.Session(t)
	for name, value := range map[string]string{
		"one blank":  " ",
		"short text": "078-05-1120",
		"UTF-8":      "Zoë Ærøskøbing 陈 👩‍⚕️ \x00 \u202e",
		"no text":    "\xff\xfe\x00\x01",
	} {
		t.Run(name, func(t *testing.T) {
			token, _ := s.Store(t, me.JWT, []byte(value), nil)
			assert.Regexp(t, `^tok-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, token)
			assert.Equal(t, value, string(s.Read(t, me.JWT, token)))
			assert.Equal(t, value, string(s.Read(t, me.JWT, token)), "when read again")
			assert.Nil(t, s.Detokenize(t, me.JWT, token).OK(t).At("detokenize", "metadata"))
		})
	}
}

// A value of a common size for scans is never completely in memory.
func TestALargeFileComesBackUnchanged(t *testing.T) {
	const size = 64 << 20
	s := stack.Start(t)
	me := s.Session(t)
	r := s.Query(t, me.JWT, stack.Tokenize, stack.Vars{"input": stack.Vars{"size": size}}).OK(t)

	sent := sha256.New()
	file := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{7}), size), sent)
	response := s.Stream(t, stack.Signed(t, r.At("tokenize", "upload")), file, size)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)

	got := s.Detokenize(t, me.JWT, r.At("tokenize", "token").(string)).OK(t)
	response = s.Stream(t, stack.Signed(t, got.At("detokenize", "download")), nil, 0)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusOK, response.StatusCode)
	received := sha256.New()
	n, err := io.Copy(received, response.Body)
	require.NoError(t, err)
	assert.EqualValues(t, size, n)
	assert.Equal(t, sent.Sum(nil), received.Sum(nil))
}

func TestMetadataComesBackAsGiven(t *testing.T) {
	s := stack.Start(t)
	me := s.Session(t)
	given := stack.Vars{
		"filename": "Röntgen Thorax №2.png", "contentType": "image/png", "lastModified": "2026-05-04T10:00:00.123Z",
		"custom": stack.Vars{"ward": "B", "n": 12345678901234567.0, "__proto__": stack.Vars{"x": nil}, "list": []any{true, "ü"}},
	}
	token, _ := s.Store(t, me.JWT, []byte("not really a picture"), given)
	assert.EqualValues(t, given, s.Query(t, me.JWT, stack.Describe, stack.Vars{"id": token}).OK(t).At("token", "metadata"))
	r := s.Detokenize(t, me.JWT, token).OK(t)
	assert.EqualValues(t, given, r.At("detokenize", "metadata"))

	download := s.Send(t, stack.Signed(t, r.At("detokenize", "download")), nil)
	assert.Equal(t, "image/png", download.Header.Get("Content-Type"))
	assert.Contains(t, download.Header.Get("Content-Disposition"), "attachment")
}

func TestABatchAnswersTokenByTokenInOrder(t *testing.T) {
	s := stack.Start(t)
	me, other := s.Session(t), s.Session(t)
	r := s.Query(t, me.JWT, `mutation { tokenizeBatch(inputs: [{size: 1}, {size: 2}, {}]) { token upload { url } } }`, nil).OK(t)
	var tokens []any
	for i := range 3 {
		tokens = append(tokens, r.At("tokenizeBatch", i, "token"))
	}
	asked := []any{tokens[2], s.Reserve(t, other.JWT), tokens[0], unknownToken, tokens[1], tokens[1]}
	const batch = `mutation($tokens: [TokenID!]!) { detokenizeBatch(tokens: $tokens) { __typename
		... on DetokenizePayload { token download { url } } ... on TokenFailure { token code message } } }`
	r = s.Query(t, me.JWT, batch, stack.Vars{"tokens": asked}).OK(t)
	for i, want := range []string{"", "GRANT_REQUIRED", "", "GRANT_REQUIRED", "", ""} {
		assert.Equal(t, asked[i], r.At("detokenizeBatch", i, "token"))
		if want == "" {
			assert.Equal(t, "DetokenizePayload", r.At("detokenizeBatch", i, "__typename"))
		} else {
			assert.Equal(t, want, r.At("detokenizeBatch", i, "code"))
		}
	}
	assert.Equal(t, r.At("detokenizeBatch", 1, "message"), r.At("detokenizeBatch", 3, "message"))
}

// A signed upload accepts only the signed size, and only once.
func TestASignedUploadBindsItsSizeAndIsUsedOnce(t *testing.T) {
	s := stack.Start(t)
	me := s.Session(t)
	token, upload := s.Store(t, me.JWT, []byte("12345"), nil)
	assert.Equal(t, http.StatusPreconditionFailed, s.Send(t, upload, []byte("54321")).Status)
	assert.Equal(t, "12345", string(s.Read(t, me.JWT, token)))

	r := s.Query(t, me.JWT, stack.Tokenize, stack.Vars{"input": stack.Vars{"size": 5}}).OK(t)
	assert.Equal(t, http.StatusForbidden, s.Send(t, stack.Signed(t, r.At("tokenize", "upload")), []byte("123456")).Status)
}

// objectFiles returns the files of values; the file of a deleted value is empty, a tombstone.
func objectFiles(t *testing.T, s *stack.Stack) (files []string) {
	t.Helper()
	root := filepath.Join(s.Data, "objects", "values", "objects")
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Size() > 0 {
			files = append(files, path)
		}
		return err
	}))
	return files
}
