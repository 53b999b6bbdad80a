package embedded

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func randomKey() objects.CustomerKey { return objects.CustomerKey(randomBytes(32)) }

// spellings returns the encodings in which a customer's key could leak.
func spellings(key objects.CustomerKey) [][]byte {
	return [][]byte{key[:], []byte(hex.EncodeToString(key[:])), []byte(base64.StdEncoding.EncodeToString(key[:])), []byte(objects.KeyMD5(key))}
}

// TestNothingReadableOnDisk scans the disk during an upload, after it, and after a deletion.
func TestNothingReadableOnDisk(t *testing.T) {
	s := newServer(t, nil)
	value, key := randomBytes(400_000), randomKey()
	secrets := append(spellings(key), value)
	r, err := s.SignUpload(objects.Upload{Object: "a/1", Key: key, Size: int64(len(value))})
	require.NoError(t, err)
	body, feed := io.Pipe()
	request := wire(r, nil)
	request.body, request.size = body, int64(len(value))
	done := make(chan int)
	go func() { done <- s.send(request).Code }()
	_, err = feed.Write(value[:300_000])
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		all := files(t, s.disk.tmp)
		if len(all) != 1 {
			return false
		}
		info, err := os.Stat(all[0])
		return err == nil && info.Size() > 65536
	}, 10*time.Second, 5*time.Millisecond, "the upload does not stream to disk")
	requireNowhere(t, s.opts.Dir, secrets...)
	require.Equal(t, http.StatusNotFound, s.read(t, "a/1", key).Code, "an incomplete upload is not an object")
	_, err = feed.Write(value[300_000:])
	require.NoError(t, err)
	require.NoError(t, feed.Close())
	require.Equal(t, http.StatusOK, <-done)

	requireNowhere(t, s.opts.Dir, secrets...)
	require.Equal(t, value, s.read(t, "a/1", key).Body.Bytes())
	require.Empty(t, files(t, s.disk.tmp))
	for _, path := range files(t, s.opts.Dir) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), path)
	}
	require.NoError(t, s.Delete(t.Context(), "a/1"))
	require.Empty(t, files(t, s.disk.objects))
}

// TestDiskAndSecretDoNotRevealValues: with the disk and the signing secret an attacker still needs the customer's key.
func TestDiskAndSecretDoNotRevealValues(t *testing.T) {
	s := newServer(t, nil)
	key := randomKey()
	s.mustPut(t, "a/1", key, []byte("a secret value"))
	for bit := range 256 {
		other := key
		other[bit/8] ^= 1 << (bit % 8)
		requireError(t, s.read(t, "a/1", other), errWrongKey)
	}
	requireError(t, s.read(t, "a/1", objects.CustomerKey{}), errWrongKey)
}

// brokenReader ends like net/http's body when a client disconnects.
type brokenReader struct {
	r   io.Reader
	err error
}

func (b brokenReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = b.err
	}
	return n, err
}

func TestHalfUploadLeavesNothing(t *testing.T) {
	for _, sent := range []int{0, 1, 65535, 65536, 65537, 131072, 200_000} {
		for _, size := range []int64{300_000, 0} {
			for _, broken := range []error{io.ErrUnexpectedEOF, errors.New("connection reset"), io.EOF} {
				if size == 0 && broken == io.EOF {
					continue // with an unknown size, a body that ends is complete
				}
				name := fmt.Sprintf("%d of %d, %v", sent, size, broken)
				s := newServer(t, nil)
				key := randomKey()
				r, err := s.SignUpload(objects.Upload{Object: "a/1", Key: key, Size: size})
				require.NoError(t, err)
				request := wire(r, nil)
				request.body, request.size = brokenReader{bytes.NewReader(randomBytes(sent)), broken}, size
				if size == 0 {
					request.size = -1
				}
				requireError(t, s.send(request), errIncomplete, name)
				require.Equal(t, http.StatusNotFound, s.read(t, "a/1", key).Code, name)
				require.Equal(t, []string{filepath.Join(s.opts.Dir, "lock")}, files(t, s.opts.Dir), name)
			}
		}
	}
}

func TestRestartKeepsObjects(t *testing.T) {
	dir := t.TempDir()
	s, err := New(testOptions(dir))
	require.NoError(t, err)
	key := randomKey()
	s.mustPut(t, "a/1", key, []byte("kept"))
	stale := filepath.Join(dir, "tmp", "upload-123")
	require.NoError(t, os.WriteFile(stale, []byte("left by a crash"), 0o600))
	_, err = New(testOptions(dir))
	require.ErrorContains(t, err, "another process uses the directory")
	require.FileExists(t, stale, "the upload may be the other process's")
	require.NoError(t, s.Close())

	s, err = New(testOptions(dir))
	require.NoError(t, err)
	require.NoFileExists(t, stale)
	require.Equal(t, "kept", s.read(t, "a/1", key).Body.String())
	require.NoError(t, s.Ready(t.Context()))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "objects")))
	require.Error(t, s.Ready(t.Context()))
	require.NoError(t, s.Close())
}

// TestDeleteTouchesNothingElse deletes one of several objects with names that could be taken for other files.
func TestDeleteTouchesNothingElse(t *testing.T) {
	s := newServer(t, nil)
	key := randomKey()
	for _, name := range []string{"a", "a/b", "a/b/c", "lock", "tmp", "objects"} {
		s.mustPut(t, name, key, []byte(name))
	}
	before := len(files(t, s.opts.Dir))
	require.NoError(t, s.Delete(t.Context(), "a/b", "not/there", "a/b"))
	require.Len(t, files(t, s.opts.Dir), before-1)
	for _, name := range []string{"a", "a/b/c", "lock", "tmp", "objects"} {
		require.Equal(t, name, s.read(t, name, key).Body.String())
	}
	for _, path := range files(t, s.disk.objects) {
		rel, err := filepath.Rel(s.disk.objects, path)
		require.NoError(t, err)
		require.Regexp(t, `^[0-9a-f]{2}/[0-9a-f]{62}$`, filepath.ToSlash(rel))
	}
}

func TestSizeLimits(t *testing.T) {
	s := newServer(t, func(o *Options) { o.MaxObjectSize = 100_000 })
	key := randomKey()
	_, err := s.SignUpload(objects.Upload{Object: "a", Key: key, Size: 100_001})
	require.ErrorIs(t, err, objects.ErrTooLarge)
	unsized, err := s.SignUpload(objects.Upload{Object: "a", Key: key})
	require.NoError(t, err)
	requireError(t, s.send(wire(unsized, randomBytes(100_001))), errTooLarge)
	chunked := wire(unsized, randomBytes(100_001))
	chunked.size = -1
	requireError(t, s.send(chunked), errTooLarge)
	require.Empty(t, files(t, s.disk.tmp))
	require.Equal(t, http.StatusNotFound, s.read(t, "a", key).Code)
	chunked = wire(unsized, randomBytes(100_000))
	chunked.size = -1
	require.Equal(t, http.StatusOK, s.send(chunked).Code)

	down, err := s.SignDownload(objects.Download{Object: "a", Key: key})
	require.NoError(t, err)
	long := wire(down, nil)
	long.uri += strings.Repeat("&x=y", maxURI/4)
	requireError(t, s.send(long), errSignature)
}

// discardWriter counts a response's bytes and discards them.
type discardWriter struct {
	header http.Header
	status int
	n      int64
}

func (w *discardWriter) Header() http.Header         { return w.header }
func (w *discardWriter) WriteHeader(status int)      { w.status = status }
func (w *discardWriter) Write(b []byte) (int, error) { w.n += int64(len(b)); return len(b), nil }

// TestValuesAreStreamed checks that a value of 64 MiB is never completely in memory.
func TestValuesAreStreamed(t *testing.T) {
	s := newServer(t, nil)
	const size, limit = 64 << 20, 8 << 20
	key := randomKey()
	up, err := s.SignUpload(objects.Upload{Object: "a", Key: key, Size: size})
	require.NoError(t, err)
	down, err := s.SignDownload(objects.Download{Object: "a", Key: key})
	require.NoError(t, err)
	for _, r := range []objects.SignedRequest{up, down} {
		request := wire(r, nil)
		if r.Method == "PUT" {
			request.body, request.size = io.LimitReader(zeros{}, size), size
		}
		req, err := request.parse()
		require.NoError(t, err)
		w := &discardWriter{header: http.Header{}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s.ServeHTTP(w, req)
		runtime.ReadMemStats(&after)
		require.Equal(t, http.StatusOK, w.status)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(limit), r.Method)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
