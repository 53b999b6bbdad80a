package objectstest

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// begin creates an upload in parts of a new object.
func (s suite) begin(t *testing.T) objects.Multipart {
	t.Helper()
	m := objects.Multipart{ContentType: "text/plain"}
	m.Object, m.Key = NewObject()
	var err error
	m.ID, err = s.Store.CreateMultipart(context.Background(), m)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Store.AbortMultipart(context.Background(), m)) })
	return m
}

func (s suite) signPart(t *testing.T, m objects.Multipart, number int, size int) objects.SignedRequest {
	t.Helper()
	r, err := s.Store.SignPart(objects.PartUpload{Multipart: m, Number: number, Size: int64(size)})
	require.NoError(t, err)
	return r
}

func (s suite) putPart(t *testing.T, m objects.Multipart, number int, body []byte) {
	t.Helper()
	a := Do(t, s.HTTP, s.signPart(t, m, number, len(body)), body)
	require.Equal(t, http.StatusOK, a.Status, "part %d: %s", number, a.Body)
}

func (s suite) list(t *testing.T, m objects.Multipart) []objects.Part {
	t.Helper()
	parts, err := s.Store.ListParts(context.Background(), m)
	require.NoError(t, err)
	return parts
}

// joined uploads parts in another order, one of them twice; the object exists from the completion on, whole.
func (s suite) joined(t *testing.T) {
	ctx := context.Background()
	m := s.begin(t)
	require.Empty(t, s.list(t, m))
	value := randomBytes(11<<20 + 7)
	s.putPart(t, m, 3, value[10<<20:])
	s.putPart(t, m, 1, randomBytes(6<<20))
	s.putPart(t, m, 2, value[5<<20:10<<20])
	s.putPart(t, m, 1, value[:5<<20])
	parts := s.list(t, m)
	require.Len(t, parts, 3)
	for i, size := range []int64{5 << 20, 5 << 20, 1<<20 + 7} {
		require.Equal(t, i+1, parts[i].Number)
		require.Equal(t, size, parts[i].Size)
	}
	require.Equal(t, http.StatusNotFound, Get(t, s.Store, s.HTTP, m.Object, m.Key).Status, "the object exists before it is complete")
	_, err := s.Store.Size(ctx, m)
	require.ErrorIs(t, err, objects.ErrNoObject)

	late := s.signPart(t, m, 1, 9)
	require.NoError(t, s.Store.CompleteMultipart(ctx, m, parts))
	s.requireValue(t, m.Object, m.Key, value)
	size, err := s.Store.Size(ctx, m)
	require.NoError(t, err)
	require.Equal(t, int64(len(value)), size)
	_, err = s.Store.ListParts(ctx, m)
	require.ErrorIs(t, err, objects.ErrNoUpload)
	s.requireOver(t, s.Store.CompleteMultipart(ctx, m, parts))
	require.Equal(t, http.StatusNotFound, Do(t, s.HTTP, late, []byte("too late!")).Status)
	require.NoError(t, s.Store.AbortMultipart(ctx, m))
	r, err := s.Store.SignUpload(objects.Upload{Object: m.Object, Key: m.Key, Size: 5})
	require.NoError(t, err)
	require.Equal(t, http.StatusPreconditionFailed, Do(t, s.HTTP, r, []byte("other")).Status)
	s.requireValue(t, m.Object, m.Key, value)
	require.NoError(t, s.Store.Delete(ctx, m.Object))
}

// requireOver: the store says that the upload is over, or that the object exists.
func (s suite) requireOver(t *testing.T, err error) {
	t.Helper()
	require.True(t, errors.Is(err, objects.ErrNoUpload) || errors.Is(err, objects.ErrObjectExists), "%v", err)
}

// partRequests: a part has exactly the signed size, number and upload.
func (s suite) partRequests(t *testing.T) {
	m := s.begin(t)
	r := s.signPart(t, m, 7, 5)
	s.requireRefused(t, r, []byte("four"), nil, "a byte less")
	s.requireRefused(t, r, []byte("sixsix"), nil, "a byte more")
	for name, change := range map[string][2]string{
		"another number": {"partNumber=7", "partNumber=8"}, "another upload": {"uploadId=", "uploadId=0"}, "a whole object": {"x-id=UploadPart", "x-id=PutObject"},
		"no number": {"partNumber=7&", ""}, "another date": {"X-Amz-Expires=", "X-Amz-Expires=1"},
	} {
		changed := r
		changed.URL = strings.Replace(r.URL, change[0], change[1], 1)
		require.NotEqual(t, r.URL, changed.URL, name)
		s.requireRefused(t, changed, []byte("right"), nil, name)
	}
	require.Empty(t, s.list(t, m))
	require.Equal(t, http.StatusOK, Do(t, s.HTTP, r, []byte("right")).Status)
	require.Len(t, s.list(t, m), 1)
	limits := s.Store.PartLimits()
	for name, u := range map[string]objects.PartUpload{
		"number 0": {Multipart: m, Size: 1}, "number 10001": {Multipart: m, Number: 10_001, Size: 1}, "no size": {Multipart: m, Number: 1},
		"no upload": {Multipart: objects.Multipart{Object: m.Object, Key: m.Key}, Number: 1, Size: 1}, "too large": {Multipart: m, Number: 1, Size: limits.MaxSize + 1},
		"expired": {Multipart: m, Number: 1, Size: 1, NotAfter: time.Now().Add(-time.Second)},
	} {
		_, err := s.Store.SignPart(u)
		require.Error(t, err, name)
	}
}

// aborted: nothing of an aborted upload stays, and signed requests for its parts write nothing.
func (s suite) aborted(t *testing.T) {
	ctx := context.Background()
	for name, without := range map[string]bool{"by its id": false, "without its id": true} {
		m := s.begin(t)
		s.putPart(t, m, 1, []byte("part"))
		parts := s.list(t, m)
		late := s.signPart(t, m, 2, 4)
		named := m
		if without {
			named.ID = ""
		}
		require.NoError(t, s.Store.AbortMultipart(ctx, named), name)
		require.NoError(t, s.Store.AbortMultipart(ctx, named), "%s: a second time", name)
		require.Equal(t, http.StatusNotFound, Do(t, s.HTTP, late, []byte("late")).Status, name)
		_, err := s.Store.ListParts(ctx, m)
		require.ErrorIs(t, err, objects.ErrNoUpload, name)
		require.ErrorIs(t, s.Store.CompleteMultipart(ctx, m, parts), objects.ErrNoUpload, name)
		require.Equal(t, http.StatusNotFound, Get(t, s.Store, s.HTTP, m.Object, m.Key).Status, name)
	}
}

// partsOfTombstone: an upload does not become an object in a tombstone's place.
func (s suite) partsOfTombstone(t *testing.T) {
	ctx := context.Background()
	m := s.begin(t)
	s.putPart(t, m, 1, []byte("resurrected"))
	parts := s.list(t, m)
	require.NoError(t, s.Store.Tombstone(ctx, m.Object))
	s.requireOver(t, s.Store.CompleteMultipart(ctx, m, parts))
	require.NotContains(t, string(Get(t, s.Store, s.HTTP, m.Object, m.Key).Body), "resurrected")
	require.NoError(t, s.Store.AbortMultipart(ctx, m))
	require.NoError(t, s.Store.Delete(ctx, m.Object))
	require.Equal(t, http.StatusNotFound, Get(t, s.Store, s.HTTP, m.Object, m.Key).Status)
}

// joinWritesOnce: an object that exists stays.
func (s suite) joinWritesOnce(t *testing.T) {
	ctx := context.Background()
	m := s.begin(t)
	s.putPart(t, m, 1, []byte("second"))
	r, err := s.Store.SignUpload(objects.Upload{Object: m.Object, Key: m.Key, Size: 5})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, Do(t, s.HTTP, r, []byte("first")).Status)
	require.ErrorIs(t, s.Store.CompleteMultipart(ctx, m, s.list(t, m)), objects.ErrObjectExists)
	s.requireValue(t, m.Object, m.Key, []byte("first"))
}

// partsChanged: only the parts that were listed, and checked, are joined.
func (s suite) partsChanged(t *testing.T) {
	m := s.begin(t)
	s.putPart(t, m, 1, []byte("listed"))
	parts := s.list(t, m)
	s.putPart(t, m, 1, []byte("longer than before"))
	require.ErrorIs(t, s.Store.CompleteMultipart(context.Background(), m, parts), objects.ErrParts)
	require.Equal(t, http.StatusNotFound, Get(t, s.Store, s.HTTP, m.Object, m.Key).Status)
	require.NotEqual(t, parts, s.list(t, m))
}

// manyParts lists more parts than S3 returns in one page.
func (s suite) manyParts(t *testing.T) {
	m := s.begin(t)
	const n = 1003
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := worker; i < n; i += 8 {
				r, err := s.Store.SignPart(objects.PartUpload{Multipart: m, Number: 2 * (i + 1), Size: 1})
				if err == nil {
					_, _ = Send(s.HTTP, r, bytes.NewReader([]byte{'x'}), 1)
				}
			}
		})
	}
	all.Wait()
	parts := s.list(t, m)
	require.Len(t, parts, n)
	require.True(t, slices.IsSortedFunc(parts, func(a, b objects.Part) int { return a.Number - b.Number }))
	require.Equal(t, 2*n, parts[n-1].Number)
}

// sizeNeedsKey: another key is that of no object.
func (s suite) sizeNeedsKey(t *testing.T) {
	object, key := s.put(t, []byte("value"))
	key[0] ^= 1
	_, err := s.Store.Size(context.Background(), objects.Multipart{Object: object, Key: key})
	require.ErrorIs(t, err, objects.ErrNoObject)
}

// racedJoins: of concurrent completions one joins, and the object is whole.
func (s suite) racedJoins(t *testing.T) {
	m := s.begin(t)
	value := randomBytes(5<<20 + 100)
	s.putPart(t, m, 1, value[:5<<20])
	s.putPart(t, m, 2, value[5<<20:])
	parts := s.list(t, m)
	errs := make([]error, 4)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = s.Store.CompleteMultipart(context.Background(), m, parts) })
	}
	all.Wait()
	require.Contains(t, errs, error(nil))
	for _, err := range errs {
		if err != nil {
			s.requireOver(t, err)
		}
	}
	s.requireValue(t, m.Object, m.Key, value)
}
