package keyring

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSealFor(t *testing.T) {
	k := newKeyring(t)
	for _, plaintext := range [][]byte{{}, []byte("x"), bytes.Repeat([]byte("p"), 5000)} {
		a, err := k.SealFor("state", plaintext)
		require.NoError(t, err)
		b, err := k.SealFor("state", plaintext)
		require.NoError(t, err)
		require.NotEqual(t, a, b, "each is its own")
		got, err := k.OpenFor("state", a)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plaintext, got))
		for _, other := range []string{"", "stat", "state ", "state\x00", "cookie"} {
			_, err = k.OpenFor(other, a)
			require.ErrorIs(t, err, ErrOpen, "for another purpose: %q", other)
		}
		_, err = newKeyring(t).OpenFor("state", a)
		require.ErrorIs(t, err, ErrOpen, "under another keyset")
		for i := range min(len(a), 100) {
			changed := bytes.Clone(a)
			changed[i] ^= 1
			_, err := k.OpenFor("state", changed)
			require.ErrorIs(t, err, ErrOpen, "byte %d", i)
			_, err = k.OpenFor("state", a[:i])
			require.ErrorIs(t, err, ErrOpen)
		}
	}
}

// TestPurposesAndEnvelopes: neither opens as the other, even if the version is put right and whatever the purpose
// is called.
func TestPurposesAndEnvelopes(t *testing.T) {
	k := newKeyring(t)
	envelope, err := k.Seal(tokenA, []byte("payload"))
	require.NoError(t, err)
	mark, err := k.NewCheck()
	require.NoError(t, err)
	id := tokenA.ID()
	purposes := []string{"state", "", string(id[:]), string(checkID[:]), tokenA.String()}
	for _, sealed := range [][]byte{envelope, mark} {
		for _, purpose := range purposes {
			_, err := k.OpenFor(purpose, sealed)
			require.ErrorIs(t, err, ErrOpen)
			_, err = k.OpenFor(purpose, append([]byte{version2}, sealed[1:]...))
			require.ErrorIs(t, err, ErrOpen)
		}
	}
	for _, purpose := range purposes {
		sealed, err := k.SealFor(purpose, []byte("payload"))
		require.NoError(t, err)
		for _, b := range [][]byte{sealed, append([]byte{version1}, sealed[1:]...)} {
			_, err = k.Open(tokenA, b)
			require.ErrorIs(t, err, ErrOpen)
			_, err = k.Reseal(id, b)
			require.ErrorIs(t, err, ErrOpen)
			require.ErrorIs(t, k.Check(b), ErrMismatch)
		}
	}
}

// FuzzOpenFor: nothing opens that was not sealed for the purpose, and nothing panics.
func FuzzOpenFor(f *testing.F) {
	k := newKeyring(f)
	genuine, err := k.SealFor("state", []byte("secret"))
	require.NoError(f, err)
	envelope, err := k.Seal(tokenA, []byte("secret"))
	require.NoError(f, err)
	for _, seed := range [][]byte{nil, {}, {version2}, genuine, envelope, genuine[:20], append(genuine[:len(genuine):len(genuine)], 0)} {
		f.Add(seed, "state")
		f.Add(seed, "cookie")
	}
	f.Fuzz(func(t *testing.T, sealed []byte, purpose string) {
		plaintext, err := k.OpenFor(purpose, sealed)
		if bytes.Equal(sealed, genuine) && purpose == "state" {
			require.NoError(t, err)
			require.Equal(t, "secret", string(plaintext))
			return
		}
		require.ErrorIs(t, err, ErrOpen)
		require.Nil(t, plaintext)
	})
}
