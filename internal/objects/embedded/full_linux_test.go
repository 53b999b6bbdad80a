package embedded

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/disktest"
	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// TestTheDiskFillsDuringAnUpload: the upload is refused with a response that a page can read, leaves no file, and existing
// objects can be read and deleted.
func TestTheDiskFillsDuringAnUpload(t *testing.T) {
	disktest.On(t, 8<<20, func(t *testing.T, dir string) {
		s := newServer(t, func(o *Options) { o.Dir = filepath.Join(dir, "values") })
		key := objects.CustomerKey{1}
		s.mustPut(t, "v/kept", key, make([]byte, 1<<20))
		upload, err := s.SignUpload(objects.Upload{Object: "v/big", Key: key})
		require.NoError(t, err)
		request := wire(upload, make([]byte, 16<<20))
		request.headers = append(request.headers, objects.Header{Name: "Origin", Value: appOrigin})
		answer := s.send(request)
		requireError(t, answer, errNoSpace)
		require.Equal(t, http.StatusInsufficientStorage, answer.Code)
		require.Equal(t, "30", answer.Header().Get("Retry-After"))
		require.Equal(t, appOrigin, answer.Header().Get("Access-Control-Allow-Origin"))
		require.Contains(t, answer.Header().Get("Access-Control-Expose-Headers"), "Retry-After")
		require.Empty(t, files(t, filepath.Join(dir, "values", "tmp")))

		filler := disktest.Fill(t, dir)
		require.Equal(t, http.StatusOK, s.read(t, "v/kept", key).Code)
		require.ErrorIs(t, s.Verify(t.Context()), objects.ErrNoSpace, "a full store is not unsuitable")
		require.NoError(t, s.Delete(t.Context(), "v/kept"))
		filler.Free()
		require.NoError(t, s.Verify(t.Context()))
		s.mustPut(t, "v/small", key, []byte("x"))
	})
}

// TestAdmit: Admit is called before an upload is read, and can recognize the canary.
func TestAdmit(t *testing.T) {
	var asked []int64
	s := newServer(t, func(o *Options) {
		o.Admit = func(ctx context.Context, bytes int64) error {
			if objects.IsCanary(ctx) {
				return nil
			}
			asked = append(asked, bytes)
			return errors.New("no room")
		}
	})
	require.NoError(t, s.Verify(t.Context()))
	upload, err := s.SignUpload(objects.Upload{Object: "v/x", Key: objects.CustomerKey{1}})
	require.NoError(t, err)
	requireError(t, s.send(wire(upload, []byte("four"))), errNoSpace)
	require.Equal(t, []int64{4}, asked)
	require.Empty(t, files(t, filepath.Join(s.opts.Dir, "tmp")))
}

// TestConcurrentUploadsKeepTheThreshold: each upload is admitted on its own, and together they would use space that must stay
// free.
func TestConcurrentUploadsKeepTheThreshold(t *testing.T) {
	free, read := int64(3<<20), int64(0)
	s := newServer(t, func(o *Options) {
		o.Admit = func(_ context.Context, bytes int64) error {
			if free < bytes {
				return errors.New("no room")
			}
			return nil
		}
	})
	for name, size := range map[string]int64{"of a known size": 3 << 20, "of unknown size": -1} {
		t.Run(name, func(t *testing.T) {
			free, read = 3<<20, 0
			upload, err := s.SignUpload(objects.Upload{Object: "v/x", Key: objects.CustomerKey{1}})
			require.NoError(t, err)
			r, err := wire(upload, make([]byte, 3<<20)).parse()
			require.NoError(t, err)
			r.ContentLength = size
			r.Body = io.NopCloser(readFunc(func(p []byte) (int, error) {
				read += int64(len(p))
				free -= 3 * int64(len(p)) // for two other concurrent uploads
				return len(p), nil
			}))
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			requireError(t, w, errNoSpace)
			require.Less(t, read, int64(5<<19), "the upload stops at the threshold")
			require.Empty(t, files(t, filepath.Join(s.opts.Dir, "tmp")))
		})
	}
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// TestTheDiskFillsDuringAJoin: the value has no room a second time. The parts stay, and can be joined once there is room.
func TestTheDiskFillsDuringAJoin(t *testing.T) {
	disktest.On(t, 16<<20, func(t *testing.T, dir string) {
		s := newServer(t, func(o *Options) { o.Dir = filepath.Join(dir, "values") })
		key := objects.CustomerKey{1}
		m := s.begin(t, "v/1", key)
		s.mustPutPart(t, m, 1, make([]byte, 3<<20))
		s.mustPutPart(t, m, 2, make([]byte, 2<<20))
		filler := disktest.Fill(t, dir)
		parts := s.listed(t, m)
		require.ErrorIs(t, s.CompleteMultipart(t.Context(), m, parts), objects.ErrNoSpace)
		requireError(t, s.read(t, "v/1", key), errNoSuchKey)
		require.Empty(t, files(t, filepath.Join(dir, "values", "tmp")))
		filler.Free()
		require.NoError(t, s.CompleteMultipart(t.Context(), m, parts))
		require.Equal(t, 5<<20, s.read(t, "v/1", key).Body.Len())

		m = s.begin(t, "v/2", key)
		s.mustPutPart(t, m, 1, make([]byte, 1<<20))
		disktest.Fill(t, dir)
		require.NoError(t, s.AbortMultipart(t.Context(), m), "an abortion needs no room")
		s.requireNoParts(t)
	})
}
