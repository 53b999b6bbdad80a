package streamaead

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
)

var associated = []byte("v/ab/cdef")

const first, later = segmentSize - headerSize - tagSize, segmentSize - tagSize // bytes of the value in a segment

var sizes = []int{0, 1, 2, 1000, first - 1, first, first + 1, first + later - 1, first + later, first + later + 1, first + 2*later, 5<<20 + 7}

func tink(t testing.TB, key []byte) *subtle.AESGCMHKDF {
	t.Helper()
	a, err := subtle.NewAESGCMHKDF(key, "SHA256", 32, segmentSize, 0)
	require.NoError(t, err)
	return a
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func seal(t testing.TB, key, value []byte) []byte {
	t.Helper()
	r, err := Encrypt(key, associated, bytes.NewReader(value))
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return b
}

func open(t testing.TB, key, associated []byte, ciphertext io.Reader) ([]byte, error) {
	t.Helper()
	r, err := Decrypt(key, associated, ciphertext)
	require.NoError(t, err)
	return io.ReadAll(r)
}

// TestEqualsTink: Tink opens what Encrypt makes, and Decrypt opens what Tink makes.
func TestEqualsTink(t *testing.T) {
	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			key, value := random(KeySize), random(size)
			ciphertext := seal(t, key, value)
			require.Len(t, ciphertext, int(CiphertextSize(int64(size))))
			r, err := tink(t, key).NewDecryptingReader(bytes.NewReader(ciphertext), associated)
			require.NoError(t, err)
			opened, err := io.ReadAll(r)
			require.NoError(t, err)
			require.True(t, bytes.Equal(value, opened), "Tink reads another value")

			var theirs bytes.Buffer
			w, err := tink(t, key).NewEncryptingWriter(&theirs, associated)
			require.NoError(t, err)
			_, err = w.Write(value)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			require.Equal(t, int(CiphertextSize(int64(size))), theirs.Len())
			opened, err = open(t, key, associated, iotest.HalfReader(&theirs))
			require.NoError(t, err)
			require.True(t, bytes.Equal(value, opened), "another value than Tink's")
		})
	}
}

// TestRefuses: no changed ciphertext opens, and no wrong byte is returned before the error.
func TestRefuses(t *testing.T) {
	key, value := random(KeySize), random(first+later+100)
	good := seal(t, key, value)
	flipped := func(at int) []byte { b := bytes.Clone(good); b[at] ^= 0x10; return b }
	second := good[segmentSize : 2*segmentSize]
	cases := map[string][]byte{
		"empty": {}, "half a header": good[:20], "only the header": good[:headerSize],
		"cut in the last segment": good[:len(good)-1], "without the last segment": good[:2*segmentSize], "only the first segment": good[:segmentSize],
		"cut in the first segment": good[:1000], "one byte more": append(bytes.Clone(good), 0), "a segment twice": append(bytes.Clone(good), second...),
		"segments exchanged":                bytes.Join([][]byte{good[:segmentSize], good[2*segmentSize:], second}, nil),
		"a segment missing":                 bytes.Join([][]byte{good[:segmentSize], good[2*segmentSize:]}, nil),
		"another ciphertext's last segment": append(bytes.Clone(good[:2*segmentSize]), seal(t, key, value)[2*segmentSize:]...),
	}
	for at := range headerSize + tagSize {
		cases[fmt.Sprintf("byte %d changed", at)] = flipped(at)
	}
	for _, at := range []int{segmentSize - 1, segmentSize, 2*segmentSize - 1, 2 * segmentSize, len(good) - 1} {
		cases[fmt.Sprintf("byte %d changed", at)] = flipped(at)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			opened, err := open(t, key, associated, bytes.NewReader(c))
			require.ErrorIs(t, err, ErrCiphertext)
			require.True(t, bytes.HasPrefix(value, opened), "wrong bytes before the error")
		})
	}
	t.Run("another key", func(t *testing.T) {
		_, err := open(t, random(KeySize), associated, bytes.NewReader(good))
		require.ErrorIs(t, err, ErrCiphertext)
	})
	t.Run("other associated data", func(t *testing.T) {
		_, err := open(t, key, []byte("v/ab/cdeg"), bytes.NewReader(good))
		require.ErrorIs(t, err, ErrCiphertext)
	})
	t.Run("a short key", func(t *testing.T) {
		_, err := Decrypt(key[:31], associated, bytes.NewReader(good))
		require.ErrorIs(t, err, errKey)
		_, err = Encrypt(key[:31], associated, bytes.NewReader(value))
		require.ErrorIs(t, err, errKey)
	})
}

// TestReaderFails: an error of the source is returned as it is, and again by the next Read.
func TestReaderFails(t *testing.T) {
	lost := errors.New("lost")
	key := random(KeySize)
	for name, size := range map[string]int{"at once": 0, "in the header": 20, "in the first segment": 1000, "after the first segment": segmentSize, "later": segmentSize + 1} {
		t.Run(name, func(t *testing.T) {
			source := func(b []byte) io.Reader { return io.MultiReader(bytes.NewReader(b), iotest.ErrReader(lost)) }
			r, err := Decrypt(key, associated, source(seal(t, key, make([]byte, 3*segmentSize))[:size]))
			require.NoError(t, err)
			_, err = io.ReadAll(r)
			require.ErrorIs(t, err, lost)
			_, err = r.Read(make([]byte, 1))
			require.ErrorIs(t, err, lost)
			r, err = Encrypt(key, associated, source(make([]byte, size)))
			require.NoError(t, err)
			_, err = io.ReadAll(r)
			require.ErrorIs(t, err, lost)
			_, err = r.Read(make([]byte, 1))
			require.ErrorIs(t, err, lost)
		})
	}
}

// FuzzDecrypt: only the whole ciphertext opens.
func FuzzDecrypt(f *testing.F) {
	key, value := random(KeySize), []byte("a value")
	good := seal(f, key, value)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte{headerSize})
	f.Fuzz(func(t *testing.T, ciphertext []byte) {
		opened, err := open(t, key, associated, bytes.NewReader(ciphertext))
		if bytes.Equal(ciphertext, good) {
			require.NoError(t, err)
			require.Equal(t, value, opened)
			return
		}
		require.ErrorIs(t, err, ErrCiphertext)
		require.Empty(t, opened)
	})
}

func BenchmarkEncrypt(b *testing.B) {
	key, value := random(KeySize), random(64<<20)
	b.SetBytes(int64(len(value)))
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(value)))
		for b.Loop() {
			r, err := Encrypt(key, associated, bytes.NewReader(value))
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("tink", func(b *testing.B) {
		b.SetBytes(int64(len(value)))
		for b.Loop() {
			w, err := tink(b, key).NewEncryptingWriter(io.Discard, associated)
			if err == nil {
				_, err = w.Write(value)
			}
			if err = errors.Join(err, w.Close()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
