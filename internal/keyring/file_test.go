package keyring

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCreateAndLoadFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	path := filepath.Join(dir, "keyset.json")
	_, err := LoadFile(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, CreateFile(path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	info, err = os.Stat(dir)
	require.NoError(t, err)
	require.EqualValues(t, 0o700, info.Mode().Perm())
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.ErrorIs(t, CreateFile(path), fs.ErrExist)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after, "never overwritten")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "no temporary file is left")
	k, err := LoadFile(path)
	require.NoError(t, err)
	again, err := LoadOrCreateFile(path)
	require.NoError(t, err)
	envelope := sealed(t, k, tokenA, []byte("x"))
	_, err = opened(t, again, tokenA, envelope)
	require.NoError(t, err)
}

// TestFileReadableByOthersIsRefused: a keyset that other users may read is no longer secret.
func TestFileReadableByOthersIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	require.NoError(t, CreateFile(path))
	for _, mode := range []fs.FileMode{0o644, 0o640, 0o604, 0o620, 0o602, 0o601, 0o777} {
		require.NoError(t, os.Chmod(path, mode))
		for _, load := range []func(string) (*Keyring, error){LoadFile, LoadOrCreateFile} {
			_, err := load(path)
			require.ErrorContains(t, err, "chmod 600", mode)
		}
	}
	require.NoError(t, os.Chmod(path, 0o400))
	_, err := LoadFile(path)
	require.NoError(t, err)
}

// TestMalformedFileIsRefused: a file that is not a keyset is refused, not replaced, and not quoted in the error.
func TestMalformedFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	for _, text := range []string{"", "SECRET", "{}", `{"primaryKeyId":1,"key":[]}`, goldenKeyset[:100], `{"primaryKeyId":1,"key":[{"keyData":{"value":"SECRET"}}]}`} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := LoadOrCreateFile(path)
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), "SECRET")
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, string(b))
	}
	blocked := filepath.Join(path, "below", "keyset.json")
	require.Error(t, CreateFile(blocked))
}

// TestConcurrentStartsShareAKeyset: processes that start at the same time agree on one keyset.
func TestConcurrentStartsShareAKeyset(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	rings := make([]*Keyring, 32)
	var all sync.WaitGroup
	for i := range rings {
		all.Go(func() {
			k, err := LoadOrCreateFile(path)
			assert.NoError(t, err)
			rings[i] = k
		})
	}
	all.Wait()
	envelope := sealed(t, rings[0], tokenA, []byte("x"))
	for _, k := range rings {
		_, err := opened(t, k, tokenA, envelope)
		require.NoError(t, err)
	}
}
