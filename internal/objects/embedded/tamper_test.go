package embedded

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// dare is the size of a full DARE 2.0 package on disk: header, payload and tag.
const dare = 16 + 65536 + 16

// change is one way to alter a file.
type change struct {
	name string
	make func(file []byte) []byte
}

func tampering(size int) []change {
	var all []change
	flip := func(at int, bit byte) {
		all = append(all, change{fmt.Sprintf("bit %d of byte %d", bit, at), func(b []byte) []byte { b[at] ^= bit; return b }})
	}
	for at := range min(size, headerSize+40) {
		flip(at, 1)
		flip(at, 0x80)
	}
	for at := headerSize + 40; at < size; at += max(1, size/150) {
		flip(at, 0x10)
	}
	for at := max(size-20, headerSize); at < size; at++ {
		flip(at, 1)
	}
	cuts := []int{0, 1, headerSize - 1, headerSize, size - 1, size / 2}
	for at := headerSize + dare; at < size; at += dare {
		cuts = append(cuts, at-1, at, at+1)
	}
	for _, at := range cuts {
		if at < size {
			all = append(all, change{fmt.Sprintf("cut at %d", at), func(b []byte) []byte { return b[:at] }})
		}
	}
	for _, extra := range [][]byte{{0}, make([]byte, dare), bytes.Repeat([]byte{'x'}, 100)} {
		all = append(all, change{fmt.Sprintf("%d bytes more", len(extra)), func(b []byte) []byte { return append(b, extra...) }})
	}
	all = append(all, change{"body twice", func(b []byte) []byte { return append(b, b[headerSize:]...) }})
	if size >= headerSize+2*dare {
		all = append(all,
			change{"packages swapped", func(b []byte) []byte {
				first := slices.Clone(b[headerSize : headerSize+dare])
				copy(b[headerSize:], b[headerSize+dare:headerSize+2*dare])
				copy(b[headerSize+dare:], first)
				return b
			}},
			change{"package repeated", func(b []byte) []byte { copy(b[headerSize+dare:], b[headerSize:headerSize+dare]); return b }},
			change{"first package removed", func(b []byte) []byte { return slices.Delete(b, headerSize, headerSize+dare) }},
			change{"last full package removed", func(b []byte) []byte { return slices.Delete(b, len(b)-dare, len(b)) }})
	}
	return all
}

// TestTamperingIsFoundBeforeTheFirstByte changes files of values with sizes around the boundaries of DARE
// packages.
func TestTamperingIsFoundBeforeTheFirstByte(t *testing.T) {
	for _, size := range []int{0, 1, 100, 65535, 65536, 65537, 2 * 65536, 3*65536 + 5, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			s := newServer(t, nil)
			key, value := randomKey(), randomBytes(size)
			up, err := s.SignUpload(objects.Upload{Object: "a/1", Key: key})
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, s.send(wire(up, value)).Code)
			path := s.disk.path("a/1")
			whole, err := os.ReadFile(path)
			require.NoError(t, err)
			for _, c := range tampering(len(whole)) {
				changed := c.make(slices.Clone(whole))
				if bytes.Equal(changed, whole) {
					continue // an empty value has no body
				}
				require.NoError(t, os.WriteFile(path, changed, 0o600))
				w := s.read(t, "a/1", key)
				require.GreaterOrEqual(t, w.Code, 400, c.name)
				require.Contains(t, w.Body.String(), "<Error>", c.name)
				if size > 20 {
					require.False(t, bytes.Contains(w.Body.Bytes(), value[:16]), c.name)
				}
			}
			require.NoError(t, os.WriteFile(path, whole, 0o600))
			w := s.read(t, "a/1", key)
			require.Equal(t, http.StatusOK, w.Code)
			require.True(t, bytes.Equal(value, w.Body.Bytes()))
		})
	}
}

// TestSwappedObjects replaces an object's file with that of another: with another key, the same key, in
// another bucket, and the body of one with the header of the other.
func TestSwappedObjects(t *testing.T) {
	s := newServer(t, nil)
	key, other := randomKey(), randomKey()
	s.mustPut(t, "a/1", key, bytes.Repeat([]byte("first "), 20_000))
	s.mustPut(t, "a/2", key, bytes.Repeat([]byte("second"), 20_000))
	s.mustPut(t, "a/3", other, bytes.Repeat([]byte("third "), 20_000))
	first, err := os.ReadFile(s.disk.path("a/1"))
	require.NoError(t, err)
	for _, name := range []string{"a/2", "a/3"} {
		b, err := os.ReadFile(s.disk.path(name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(s.disk.path("a/1"), b, 0o600))
		requireError(t, s.read(t, "a/1", key), errWrongKey, name)
		requireError(t, s.read(t, "a/1", other), errWrongKey, name)
		mixed := append(slices.Clone(first[:headerSize]), b[headerSize:]...)
		require.NoError(t, os.WriteFile(s.disk.path("a/1"), mixed, 0o600))
		requireError(t, s.read(t, "a/1", key), errInternal, name)
	}
	moved := newServer(t, func(o *Options) { o.Bucket = "others" })
	require.NoError(t, os.MkdirAll(moved.disk.path("a/1")[:len(moved.disk.path("a/1"))-63], 0o700))
	require.NoError(t, os.WriteFile(moved.disk.path("a/1"), first, 0o600))
	requireError(t, moved.read(t, "a/1", key), errWrongKey, "another bucket")
}

// TestEqualValuesDifferOnDisk checks that the files and ETags of one value, written twice under one key, have
// nothing in common.
func TestEqualValuesDifferOnDisk(t *testing.T) {
	s := newServer(t, nil)
	key := randomKey()
	value := make([]byte, 10_000)
	s.mustPut(t, "a/1", key, value)
	s.mustPut(t, "a/2", key, value)
	require.NotEqual(t, s.read(t, "a/1", key).Header().Get("ETag"), s.read(t, "a/2", key).Header().Get("ETag"))
	first, err := os.ReadFile(s.disk.path("a/1"))
	require.NoError(t, err)
	second, err := os.ReadFile(s.disk.path("a/2"))
	require.NoError(t, err)
	require.NotEqual(t, first[headerSize+16:], second[headerSize+16:])
	require.NotEqual(t, first[8:40], second[8:40])
}

// TestLargestCheckedValueIsAuthenticatedFirst: its last byte is authenticated before its first byte is sent.
func TestLargestCheckedValueIsAuthenticatedFirst(t *testing.T) {
	s := newServer(t, nil)
	key := randomKey()
	s.mustPut(t, "a/1", key, make([]byte, checkedFirst))
	path := s.disk.path("a/1")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	whole[len(whole)-1] ^= 1
	require.NoError(t, os.WriteFile(path, whole, 0o600))
	requireError(t, s.read(t, "a/1", key), errInternal)
}

// TestChangedLargeValueEndsTheResponse: a change after the first package of a large value is found during the response, which
// then ends before its Content-Length.
func TestChangedLargeValueEndsTheResponse(t *testing.T) {
	s := newServer(t, nil)
	key, value := randomKey(), randomBytes(checkedFirst+3*packageSize+5)
	s.mustPut(t, "a/1", key, value)
	down, err := s.SignDownload(objects.Download{Object: "a/1", Key: key})
	require.NoError(t, err)
	path := s.disk.path("a/1")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, at := range map[string]int{
		"the second package": headerSize + dare + 100, "the middle": headerSize + 30*dare + 20, "the last full package's tag": len(whole) - 100 - 16 - 16,
		"the last byte": len(whole) - 1, "the last package's header": len(whole) - 5 - 16 - 16 + 1,
	} {
		t.Run(name, func(t *testing.T) {
			changed := slices.Clone(whole)
			changed[at] ^= 1
			require.NoError(t, os.WriteFile(path, changed, 0o600))
			req, err := wire(down, nil).parse()
			require.NoError(t, err)
			w := httptest.NewRecorder()
			require.PanicsWithValue(t, http.ErrAbortHandler, func() { s.ServeHTTP(w, req) })
			require.Less(t, w.Body.Len(), len(value))
			require.True(t, bytes.HasPrefix(value, w.Body.Bytes()), "the bytes that were sent are authentic")
		})
	}
	for name, change := range map[string]func([]byte) []byte{
		"the first package": func(b []byte) []byte { b[headerSize+100] ^= 1; return b },
		"cut":               func(b []byte) []byte { return b[:len(b)-1] }, "cut between packages": func(b []byte) []byte { return b[:headerSize+3*dare] },
		"longer": func(b []byte) []byte { return append(b, 0) },
	} {
		t.Run(name+" is found before the first byte", func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, change(slices.Clone(whole)), 0o600))
			requireError(t, s.read(t, "a/1", key), errInternal)
		})
	}
}

// TestChangeBetweenTheReadsEndsTheResponse: a small value is read twice, and the file changes between the two reads.
func TestChangeBetweenTheReadsEndsTheResponse(t *testing.T) {
	s := newServer(t, nil)
	key := randomKey()
	s.mustPut(t, "a/1", key, make([]byte, 3<<20))
	down, err := s.SignDownload(objects.Download{Object: "a/1", Key: key})
	require.NoError(t, err)
	req, err := wire(down, nil).parse()
	require.NoError(t, err)
	w := &swapper{discardWriter{header: http.Header{}}, func() {
		f, err := os.OpenFile(s.disk.path("a/1"), os.O_RDWR, 0)
		require.NoError(t, err)
		_, err = f.WriteAt([]byte("changed"), 2<<20)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}}
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { s.ServeHTTP(w, req) })
	require.Less(t, w.n, int64(2<<20)+1)
}

// swapper changes the file when the response begins.
type swapper struct {
	discardWriter
	swap func()
}

func (w *swapper) WriteHeader(status int) { w.status = status; w.swap() }

func TestVerifyPassesAndLeavesNothing(t *testing.T) {
	s := newServer(t, nil)
	require.NoError(t, s.Verify(t.Context()))
	require.Empty(t, files(t, s.disk.objects))
	require.Empty(t, files(t, s.disk.tmp))
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	require.Error(t, s.Verify(ctx))
}
