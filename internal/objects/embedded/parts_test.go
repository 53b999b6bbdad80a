package embedded

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// begin begins an upload in parts.
func (s *Server) begin(t testing.TB, object string, key objects.CustomerKey) objects.Multipart {
	t.Helper()
	m := objects.Multipart{Object: object, Key: key}
	var err error
	m.ID, err = s.CreateMultipart(t.Context(), m)
	require.NoError(t, err)
	return m
}

func (s *Server) signPart(t testing.TB, m objects.Multipart, number int, size int) objects.SignedRequest {
	t.Helper()
	r, err := s.SignPart(objects.PartUpload{Multipart: m, Number: number, Size: int64(size), Signer: visitor("a", 1)})
	require.NoError(t, err)
	return r
}

func (s *Server) mustPutPart(t testing.TB, m objects.Multipart, number int, body []byte) {
	t.Helper()
	w := s.send(wire(s.signPart(t, m, number, len(body)), body))
	require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
}

func (s *Server) listed(t testing.TB, m objects.Multipart) []objects.Part {
	t.Helper()
	parts, err := s.ListParts(t.Context(), m)
	require.NoError(t, err)
	return parts
}

// TestPartsAreSecret: nothing on disk is readable, in parts, during the abortion or after the completion, and nothing is left.
func TestPartsAreSecret(t *testing.T) {
	s := newServer(t, nil)
	key, value := randomKey(), randomBytes(300_000)
	secrets := append(spellings(key), value)
	m := s.begin(t, "v/1", key)
	s.mustPutPart(t, m, 2, value[200_000:])
	s.mustPutPart(t, m, 1, value[:200_000])
	requireNowhere(t, s.opts.Dir, secrets...)
	for _, path := range files(t, s.opts.Dir) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), path)
	}
	require.NoError(t, s.CompleteMultipart(t.Context(), m, s.listed(t, m)))
	requireNowhere(t, s.opts.Dir, secrets...)
	require.Equal(t, value, s.read(t, "v/1", key).Body.Bytes())
	s.requireNoParts(t)

	other := s.begin(t, "v/2", key)
	s.mustPutPart(t, other, 1, value)
	require.NoError(t, s.AbortMultipart(t.Context(), other))
	s.requireNoParts(t)
}

func (s *Server) requireNoParts(t testing.TB) {
	t.Helper()
	for _, dir := range []string{s.disk.parts, s.disk.tmp} {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, entries)
	}
}

// TestTamperedParts: a part that was changed, cut, exchanged or repeated on disk is not joined.
func TestTamperedParts(t *testing.T) {
	s := newServer(t, nil)
	key := randomKey()
	m := s.begin(t, "v/1", key)
	other := s.begin(t, "v/2", key)
	s.mustPutPart(t, m, 1, randomBytes(70_000))
	s.mustPutPart(t, m, 2, randomBytes(70_000))
	s.mustPutPart(t, other, 1, randomBytes(70_000))
	parts := s.listed(t, m)
	file := func(of objects.Multipart, number int) string {
		return filepath.Join(s.disk.folder(of.Object, of.ID), partName(number))
	}
	whole, err := os.ReadFile(file(m, 1))
	require.NoError(t, err)
	second, err := os.ReadFile(file(m, 2))
	require.NoError(t, err)
	foreign, err := os.ReadFile(file(other, 1))
	require.NoError(t, err)
	changes := []change{
		{"the second part's file", func([]byte) []byte { return second }}, {"another upload's file", func([]byte) []byte { return foreign }},
		{"empty", func([]byte) []byte { return nil }},
	}
	all := tampering(len(whole))
	for i := 0; i < len(all); i += 7 { // the same as for objects, of which every one is tested
		changes = append(changes, all[i])
	}
	for _, c := range changes {
		require.NoError(t, os.WriteFile(file(m, 1), c.make(slices.Clone(whole)), 0o600))
		require.Error(t, s.CompleteMultipart(t.Context(), m, parts), c.name)
		requireError(t, s.read(t, "v/1", key), errNoSuchKey, c.name)
		require.Empty(t, files(t, s.disk.tmp), c.name)
	}
	require.NoError(t, os.Remove(file(m, 1)))
	require.ErrorIs(t, s.CompleteMultipart(t.Context(), m, parts), objects.ErrNoUpload, "removed")
	require.NoError(t, os.WriteFile(file(m, 1), whole, 0o600))
	require.NoError(t, s.CompleteMultipart(t.Context(), m, parts))
	require.Equal(t, http.StatusOK, s.read(t, "v/1", key).Code)
}

// TestPartsAfterACrash stops the store at each step and starts it again.
func TestPartsAfterACrash(t *testing.T) {
	dir := t.TempDir()
	open := func() *Server {
		s, err := New(testOptions(dir))
		require.NoError(t, err)
		return s
	}
	s := open()
	key, value := randomKey(), randomBytes(100_000)
	m := s.begin(t, "v/1", key)
	s.mustPutPart(t, m, 1, value)
	stale := s.begin(t, "v/2", key)
	s.mustPutPart(t, stale, 1, value)
	aborted := s.begin(t, "v/3", key)
	s.mustPutPart(t, aborted, 1, value)
	require.NoError(t, os.Rename(s.disk.folder("v/3", aborted.ID), filepath.Join(s.disk.tmp, "aborted")), "a crash during an abortion")
	require.NoError(t, os.WriteFile(filepath.Join(s.disk.tmp, "upload-1"), value, 0o600), "a crash during a part or a completion")
	old := time.Now().Add(-staleUpload - time.Hour)
	require.NoError(t, os.Chtimes(s.disk.folder("v/2", stale.ID), old, old))
	require.NoError(t, s.Close())

	s = open()
	entries, err := os.ReadDir(s.disk.tmp)
	require.NoError(t, err)
	require.Empty(t, entries)
	for _, gone := range []objects.Multipart{stale, aborted} {
		_, err = s.ListParts(t.Context(), gone)
		require.ErrorIs(t, err, objects.ErrNoUpload)
	}
	parts := s.listed(t, m)
	require.Len(t, parts, 1, "a part that was answered is durable")
	folder := s.disk.folder("v/1", m.ID)
	kept := filepath.Join(dir, "kept")
	require.NoError(t, os.CopyFS(kept, os.DirFS(folder)))
	require.NoError(t, s.CompleteMultipart(t.Context(), m, parts))
	require.NoError(t, os.Rename(kept, folder), "a crash after the object was linked, before the parts were removed")
	require.NoError(t, s.Close())

	s = open()
	defer s.Close()
	require.ErrorIs(t, s.CompleteMultipart(t.Context(), m, parts), objects.ErrObjectExists)
	size, err := s.Size(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, int64(len(value)), size)
	require.NoError(t, s.AbortMultipart(t.Context(), m))
	s.requireNoParts(t)
	require.Equal(t, value, s.read(t, "v/1", key).Body.Bytes())
}

// TestPartsAreBounded: all parts of an upload together have no more bytes than an object, and a session's end stops them.
func TestPartsAreBounded(t *testing.T) {
	s := newServer(t, func(o *Options) { o.MaxObjectSize = 3 << 20 })
	m := s.begin(t, "v/1", randomKey())
	require.Equal(t, int64(3<<20), s.PartLimits().MaxSize)
	two := make([]byte, 2<<20)
	s.mustPutPart(t, m, 1, two)
	s.mustPutPart(t, m, 1, two) // it replaces the first
	beyond := make([]byte, 3<<20)
	requireError(t, s.send(wire(s.signPart(t, m, 2, len(beyond)), beyond)), errTooLarge)
	require.Len(t, s.listed(t, m), 1)
	require.ErrorIs(t, s.CompleteMultipart(t.Context(), m, []objects.Part{{Number: 1, Size: 4 << 20}}), objects.ErrTooLarge)

	signed := s.signPart(t, m, 3, 5)
	s.EndSession(visitor("a", 1))
	requireError(t, s.send(wire(signed, []byte("value"))), errEnded)
}

// TestAbortStopsParts: a part under way is refused, and leaves no file.
func TestAbortStopsParts(t *testing.T) {
	s := newServer(t, nil)
	m := s.begin(t, "v/1", randomKey())
	body, feed := io.Pipe()
	request := wire(s.signPart(t, m, 1, 200_000), nil)
	request.body, request.size = body, 200_000
	done := make(chan int)
	go func() { done <- s.send(request).Code }()
	_, err := feed.Write(make([]byte, 100_000))
	require.NoError(t, err)
	requireError(t, s.send(wire(s.signPart(t, m, 1, 3), []byte("abc"))), errConflict, "one upload of a part at a time")
	s.mustPutPart(t, m, 2, []byte("another part at the same time"))
	require.NoError(t, s.AbortMultipart(t.Context(), m))
	go func() { _, _ = io.Copy(feed, bytes.NewReader(make([]byte, 100_000))); _ = feed.Close() }()
	require.Equal(t, http.StatusNotFound, <-done)
	s.requireNoParts(t)
}

// TestNoUploadNamesAnotherPath: an upload's id becomes part of a path only in the form that this store makes.
func TestNoUploadNamesAnotherPath(t *testing.T) {
	s := newServer(t, nil)
	for _, id := range []string{"../../objects", "x", "", "00000000000000000000000000000000/..", "ABCDEFABCDEFABCDEFABCDEFABCDEFAB"} {
		m := objects.Multipart{Object: "v/1", ID: id}
		_, err := s.ListParts(t.Context(), m)
		require.ErrorIs(t, err, objects.ErrNoUpload, id)
		require.ErrorIs(t, s.CompleteMultipart(t.Context(), m, nil), objects.ErrNoUpload, id)
		if id == "" {
			require.NoError(t, s.AbortMultipart(t.Context(), m))
			continue
		}
		require.ErrorIs(t, s.AbortMultipart(t.Context(), m), objects.ErrNoUpload, id)
		r, err := s.SignPart(objects.PartUpload{Multipart: m, Number: 1, Size: 3})
		require.NoError(t, err)
		requireError(t, s.send(wire(r, []byte("abc"))), errNoSuchUpload, id)
	}
	_, err := s.CreateMultipart(t.Context(), objects.Multipart{Object: "../x"})
	require.ErrorIs(t, err, objects.ErrObjectName)
}

// TestJoinNeedsRoom: without room for the value a second time the parts stay.
func TestJoinNeedsRoom(t *testing.T) {
	full := false
	s := newServer(t, nil)
	s.opts.Admit = func(_ context.Context, _ int64) error {
		if full {
			return errors.New("no room")
		}
		return nil
	}
	m := s.begin(t, "v/1", randomKey())
	s.mustPutPart(t, m, 1, []byte("value"))
	full = true
	parts := s.listed(t, m)
	require.ErrorIs(t, s.CompleteMultipart(t.Context(), m, parts), objects.ErrNoSpace)
	requireError(t, s.send(wire(s.signPart(t, m, 1, 5), []byte("value"))), errNoSpace)
	full = false
	require.NoError(t, s.CompleteMultipart(t.Context(), m, parts))
}
