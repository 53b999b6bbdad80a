package keyring

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// memorySettings implements Settings in memory.
type memorySettings struct {
	mu     sync.Mutex
	values map[string][]byte
	err    error
}

func (k *memorySettings) Setting(_ context.Context, name string, initial []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return nil, k.err
	}
	if k.values == nil {
		k.values = map[string][]byte{}
	}
	if _, ok := k.values[name]; !ok {
		k.values[name] = initial
	}
	return k.values[name], nil
}

func purpose(t testing.TB, k *Keyring, s Settings, name string) *Purpose {
	t.Helper()
	p, err := k.Purpose(t.Context(), s, name)
	require.NoError(t, err)
	return p
}

func TestPurpose(t *testing.T) {
	k, settings := newKeyring(t), &memorySettings{}
	state := purpose(t, k, settings, "state")
	for _, plaintext := range [][]byte{{}, []byte("x"), bytes.Repeat([]byte("p"), 5000)} {
		a, err := state.Seal(plaintext)
		require.NoError(t, err)
		b, err := state.Seal(plaintext)
		require.NoError(t, err)
		require.NotEqual(t, a, b, "no two are equal")
		got, err := purpose(t, k, settings, "state").Open(a)
		require.NoError(t, err, "another replica has the same keys")
		require.True(t, bytes.Equal(plaintext, got))
		for _, other := range []string{"", "stat", "state ", "state\x00", "cookie"} {
			_, err = purpose(t, k, settings, other).Open(a)
			require.ErrorIs(t, err, ErrOpen, "another purpose: %q", other)
		}
		_, err = purpose(t, k, &memorySettings{}, "state").Open(a)
		require.ErrorIs(t, err, ErrOpen, "another deployment, with the same master keys")
		for i := range min(len(a), 100) {
			changed := bytes.Clone(a)
			changed[i] ^= 1
			_, err = state.Open(changed)
			require.ErrorIs(t, err, ErrOpen, "byte %d", i)
			_, err = state.Open(a[:i])
			require.ErrorIs(t, err, ErrOpen, "cut at %d", i)
		}
	}
}

// TestPurposesAndEnvelopes: data sealed for a purpose does not open as an envelope, nor an envelope for a purpose.
func TestPurposesAndEnvelopes(t *testing.T) {
	k, settings := newKeyring(t), &memorySettings{}
	state := purpose(t, k, settings, "state")
	envelope := sealed(t, k, tokenA, []byte("payload"))
	for _, cut := range []int{0, 1} {
		_, err := state.Open(envelope[cut:])
		require.ErrorIs(t, err, ErrOpen)
	}
	text, err := state.Seal([]byte("payload"))
	require.NoError(t, err)
	for _, version := range []byte{version1, version3} {
		_, err = opened(t, k, tokenA, append([]byte{version}, text...))
		require.ErrorIs(t, err, ErrOpen)
	}
}

// TestStoredKeysOfAPurpose: the keys are stored sealed, for one name and one set of master keys, and stay when a master key
// is added.
func TestStoredKeysOfAPurpose(t *testing.T) {
	m := keyset.NewManager()
	add := func() *Keyring {
		id, err := m.Add(aead.AES256GCMKeyTemplate())
		require.NoError(t, err)
		require.NoError(t, m.SetPrimary(id))
		h, err := m.Handle()
		require.NoError(t, err)
		k, err := fromHandle(h)
		require.NoError(t, err)
		return k
	}
	k, settings := add(), &memorySettings{}
	cookie, err := purpose(t, k, settings, "cookie").Seal([]byte("x"))
	require.NoError(t, err)

	t.Run("other master keys", func(t *testing.T) {
		_, err := newKeyring(t).Purpose(t.Context(), settings, "cookie")
		require.ErrorIs(t, err, ErrMismatch)
	})
	t.Run("another name", func(t *testing.T) {
		moved := &memorySettings{values: map[string][]byte{"purpose-keys/state": settings.values["purpose-keys/cookie"]}}
		_, err := k.Purpose(t.Context(), moved, "state")
		require.ErrorIs(t, err, ErrMismatch)
	})
	t.Run("broken", func(t *testing.T) {
		for _, text := range [][]byte{nil, {1}, []byte("keys")} {
			_, err := k.Purpose(t.Context(), &memorySettings{values: map[string][]byte{"purpose-keys/cookie": text}}, "cookie")
			require.ErrorIs(t, err, ErrMismatch)
		}
	})
	t.Run("settings fail", func(t *testing.T) {
		broken := errors.New("no database")
		_, err := k.Purpose(t.Context(), &memorySettings{err: broken}, "cookie")
		require.ErrorIs(t, err, broken)
	})
	t.Run("a new master key", func(t *testing.T) {
		next := add()
		got, err := purpose(t, next, settings, "cookie").Open(cookie)
		require.NoError(t, err)
		require.Equal(t, "x", string(got))
	})
}

// TestFirstStartsShareAPurposesKeys: replicas that start at the same time agree on the keys.
func TestFirstStartsShareAPurposesKeys(t *testing.T) {
	k, settings := newKeyring(t), &memorySettings{}
	made := make([]*Purpose, 16)
	var all sync.WaitGroup
	for i := range made {
		all.Go(func() {
			var err error
			made[i], err = k.Purpose(t.Context(), settings, "cookie")
			assert.NoError(t, err)
		})
	}
	all.Wait()
	text, err := made[0].Seal([]byte("x"))
	require.NoError(t, err)
	for _, p := range made {
		_, err := p.Open(text)
		require.NoError(t, err)
	}
}
