package objectstest

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// This file tests signed requests after their object was deleted or their token expired.

// tombstones replays signed requests after a deletion: of a stored object, and of one whose upload was only signed.
func (s suite) tombstones(t *testing.T) {
	value := []byte("deleted value")
	for name, stored := range map[string]bool{"stored": true, "never stored": false} {
		t.Run(name, func(t *testing.T) {
			object, key := NewObject()
			up, err := s.Store.SignUpload(objects.Upload{Object: object, Key: key, Size: int64(len(value))})
			require.NoError(t, err)
			unsized, err := s.Store.SignUpload(objects.Upload{Object: object, Key: key})
			require.NoError(t, err)
			down, err := s.Store.SignDownload(objects.Download{Object: object, Key: key})
			require.NoError(t, err)
			if stored {
				require.Equal(t, http.StatusOK, Do(t, s.HTTP, up, value).Status)
				require.Equal(t, http.StatusOK, Do(t, s.HTTP, down, nil).Status)
			}
			for range 2 { // Tombstone can be repeated
				require.NoError(t, s.Store.Tombstone(context.Background(), object))
				for _, replay := range []objects.SignedRequest{up, unsized} {
					require.Equal(t, http.StatusPreconditionFailed, Do(t, s.HTTP, replay, value).Status, "a replay")
				}
				a := Do(t, s.HTTP, down, nil)
				s.requireGone(t, a)
				require.NotContains(t, string(a.Body), string(value))
			}
			require.NoError(t, s.Store.Delete(context.Background(), object), "the sweep removes tombstones")
			require.Equal(t, http.StatusNotFound, Do(t, s.HTTP, down, nil).Status)
			require.Equal(t, http.StatusOK, Do(t, s.HTTP, up, value).Status, "without a tombstone the upload is accepted again")
			s.requireValue(t, object, key, value)
		})
	}
	t.Run("while an upload is under way", s.tombstoneUnderWay)
	require.NoError(t, s.Store.Tombstone(context.Background()), "nothing to delete is no error")
	require.ErrorIs(t, s.Store.Tombstone(context.Background(), "../a"), objects.ErrObjectName)
}

// requireGone expects the answer to a download of a tombstone. In mode objects.Client it may be one byte, which is no
// ciphertext.
func (s suite) requireGone(t *testing.T, a Answer) {
	t.Helper()
	if _, client := s.Store.(clientMode); client && a.Status == http.StatusOK {
		require.Len(t, a.Body, 1, "a tombstone")
		return
	}
	require.GreaterOrEqual(t, a.Status, 400, "a tombstone must not be served")
	require.Less(t, a.Status, 500)
}

// tombstoneUnderWay deletes an object during its upload: whether or not that upload succeeds, another one is refused, and
// the sweep's second deletion leaves no object.
func (s suite) tombstoneUnderWay(t *testing.T) {
	object, key := NewObject()
	value := randomBytes(300_000)
	up, err := s.Store.SignUpload(objects.Upload{Object: object, Key: key, Size: int64(len(value))})
	require.NoError(t, err)
	body, feed := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := Send(s.HTTP, up, body, int64(len(value)))
		_ = body.CloseWithError(err) // the rest of the body is not needed
	}()
	_, err = feed.Write(value[:200_000])
	require.NoError(t, err)
	buried := make(chan error, 1)
	go func() { buried <- s.Store.Tombstone(context.Background(), object) }() // in MinIO it waits for the upload
	_, _ = feed.Write(value[200_000:])                                        // fails if the store has stopped the upload
	_ = feed.Close()
	<-done
	require.NoError(t, <-buried)
	require.Equal(t, http.StatusPreconditionFailed, Do(t, s.HTTP, up, value).Status)
	require.NoError(t, s.Store.Delete(context.Background(), object))
	require.Equal(t, http.StatusNotFound, Get(t, s.Store, s.HTTP, object, key).Status)
}

func (s suite) manyTombstones(t *testing.T) {
	first, firstKey := s.put(t, []byte("a"))
	last, lastKey := s.put(t, []byte("b"))
	kept, keptKey := s.put(t, []byte("staying"))
	all := []string{first}
	for range 40 {
		name, _ := NewObject()
		all = append(all, name)
	}
	all = append(all, last)
	require.NoError(t, s.Store.Tombstone(context.Background(), all...))
	s.requireGone(t, Get(t, s.Store, s.HTTP, first, firstKey))
	s.requireGone(t, Get(t, s.Store, s.HTTP, last, lastKey))
	s.requireValue(t, kept, keptKey, []byte("staying"))
	require.NoError(t, s.Store.Delete(context.Background(), all...))
	require.Equal(t, http.StatusNotFound, Get(t, s.Store, s.HTTP, first, firstKey).Status)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	require.Error(t, s.Store.Tombstone(ended, kept))
	s.requireValue(t, kept, keptKey, []byte("staying"))
}

// oneStays checks that an object that can't be deleted is named, and that the others are deleted: one by one, in a batch,
// and if it is the only object.
func (s suite) oneStays(t *testing.T) {
	for name, c := range map[string]struct {
		many  int
		erase func(objects.Store, ...string) error
	}{
		"deletion":          {0, func(st objects.Store, names ...string) error { return st.Delete(context.Background(), names...) }},
		"deletion of many":  {1200, func(st objects.Store, names ...string) error { return st.Delete(context.Background(), names...) }},
		"tombstone":         {0, func(st objects.Store, names ...string) error { return st.Tombstone(context.Background(), names...) }},
		"tombstone of many": {40, func(st objects.Store, names ...string) error { return st.Tombstone(context.Background(), names...) }},
	} {
		t.Run(name, func(t *testing.T) {
			held, _ := NewObject()
			first, firstKey := s.put(t, []byte("a"))
			last, lastKey := s.put(t, []byte("b"))
			all := []string{held, first}
			for range c.many {
				name, _ := NewObject()
				all = append(all, name)
			}
			store, release := s.Block(t, held)
			var partial *objects.PartialError
			require.ErrorAs(t, c.erase(store, append(all, last)...), &partial)
			require.Equal(t, []string{held}, partial.Objects)
			require.NotContains(t, partial.Error(), held)
			for object, key := range map[string]objects.CustomerKey{first: firstKey, last: lastKey} {
				s.requireGone(t, Get(t, s.Store, s.HTTP, object, key))
			}
			require.ErrorAs(t, c.erase(store, held), &partial, "alone")
			require.Equal(t, []string{held}, partial.Objects)
			release()
			require.NoError(t, s.Store.Delete(context.Background(), append(all, last)...))
		})
	}
}

// notAfter checks that a URL expires at NotAfter if that is before the end of the store's lifetime, or else with that.
func (s suite) notAfter(t *testing.T) {
	object, key := NewObject()
	sign := map[string]func(time.Time) (objects.SignedRequest, error){
		"upload": func(end time.Time) (objects.SignedRequest, error) {
			return s.Store.SignUpload(objects.Upload{Object: object, Key: key, NotAfter: end})
		},
		"download": func(end time.Time) (objects.SignedRequest, error) {
			return s.Store.SignDownload(objects.Download{Object: object, Key: key, NotAfter: end})
		},
	}
	for name, sign := range sign {
		t.Run(name, func(t *testing.T) {
			end := time.Now().Add(10 * time.Second)
			r, err := sign(end)
			require.NoError(t, err)
			require.False(t, r.ExpiresAt.After(end))
			require.WithinDuration(t, end, r.ExpiresAt, 2*time.Second)
			free, err := sign(time.Time{})
			require.NoError(t, err)
			far, err := sign(time.Now().Add(24 * time.Hour))
			require.NoError(t, err)
			require.WithinDuration(t, free.ExpiresAt, far.ExpiresAt, 2*time.Second, "NotAfter does not lengthen the life")
			for _, ended := range []time.Time{time.Now().Truncate(time.Second), time.Now().Add(-time.Hour)} {
				_, err = sign(ended)
				require.ErrorIs(t, err, objects.ErrExpired)
			}
		})
	}
	t.Run("is refused", func(t *testing.T) {
		r, err := s.Store.SignUpload(objects.Upload{Object: object, Key: key, Size: 1, NotAfter: time.Now().Add(1100 * time.Millisecond)})
		require.NoError(t, err)
		require.Eventually(t, func() bool { return !time.Now().Before(r.ExpiresAt) }, time.Minute, 10*time.Millisecond)
		require.Equal(t, http.StatusForbidden, Do(t, s.HTTP, r, []byte("x")).Status)
	})
}
