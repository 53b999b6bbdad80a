package keyring

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

var (
	tokenA = ids.TokenOf("tok-2b58d9b2-83c1-4e9b-9692-b149112810c8")
	tokenB = ids.TokenOf("tok-2b58d9b2-83c1-4e9b-9692-b149112810c9")
)

func newKeyring(t testing.TB) *Keyring {
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	k, err := fromHandle(h)
	require.NoError(t, err)
	return k
}

func TestSealOpen(t *testing.T) {
	k := newKeyring(t)
	for _, payload := range [][]byte{{}, []byte("x"), bytes.Repeat([]byte("p"), 5000)} {
		a, err := k.Seal(tokenA, payload)
		require.NoError(t, err)
		b, err := k.Seal(tokenA, payload)
		require.NoError(t, err)
		require.NotEqual(t, a, b, "each envelope is its own")
		got, err := k.Open(tokenA, a)
		require.NoError(t, err)
		require.True(t, bytes.Equal(payload, got))
		_, err = k.Open(tokenB, a)
		require.ErrorIs(t, err, ErrOpen, "another token")
		_, err = newKeyring(t).Open(tokenA, a)
		require.ErrorIs(t, err, ErrOpen, "another keyset")
		if len(payload) > 1 {
			require.False(t, bytes.Contains(a, payload[:8]))
		}
	}
}

// TestEveryByteCounts: an envelope with any bit changed, cut, or longer does not open.
func TestEveryByteCounts(t *testing.T) {
	k := newKeyring(t)
	envelope, err := k.Seal(tokenA, []byte("payload"))
	require.NoError(t, err)
	for i := range envelope {
		for _, bit := range []byte{1, 0x80} {
			changed := bytes.Clone(envelope)
			changed[i] ^= bit
			_, err := k.Open(tokenA, changed)
			require.ErrorIs(t, err, ErrOpen, "byte %d", i)
		}
		_, err := k.Open(tokenA, envelope[:i])
		require.ErrorIs(t, err, ErrOpen, "cut at %d", i)
	}
	_, err = k.Open(tokenA, append(bytes.Clone(envelope), 0))
	require.ErrorIs(t, err, ErrOpen)
	_, err = k.Open(tokenA, nil)
	require.ErrorIs(t, err, ErrOpen)
}

// TestKeysetAloneOpensNothing: who has the database and the keyset gets to the inner layer, and finds it
// sealed under what only the token gives.
func TestKeysetAloneOpensNothing(t *testing.T) {
	k := newKeyring(t)
	payload := []byte("the data key, 32 bytes of it....")
	envelope, err := k.Seal(tokenA, payload)
	require.NoError(t, err)
	id := tokenA.ID()
	inner, err := k.unwrap(id, envelope)
	require.NoError(t, err)
	require.False(t, bytes.Contains(inner, payload[:8]))
	for _, guess := range []string{"", tokenB.String(), string(id[:]), hex.EncodeToString(id[:]), strings.ToUpper(tokenA.String()), tokenA.String() + " ", tokenA.String()[4:]} {
		gcm, err := tokenCipher(guess, id)
		require.NoError(t, err)
		_, err = gcm.Open(nil, inner[:nonceSize], inner[nonceSize:], id[:])
		require.Error(t, err, guess)
	}
	// And the token without the keyset: the outer layer does not open under what the token gives.
	gcm, err := tokenCipher(tokenA.String(), id)
	require.NoError(t, err)
	for at := range len(envelope) - nonceSize {
		_, err = gcm.Open(nil, envelope[at:at+nonceSize], envelope[at+nonceSize:], id[:])
		require.Error(t, err)
	}
	// Nor does an envelope open in another row.
	_, err = k.unwrap(tokenB.ID(), envelope)
	require.ErrorIs(t, err, ErrOpen)
}

// TestRotation: envelopes go under a new key without any token; the old key can then be taken away.
func TestRotation(t *testing.T) {
	m := keyset.NewManager()
	first, err := m.Add(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	require.NoError(t, m.SetPrimary(first))
	ring := func() *Keyring {
		h, err := m.Handle()
		require.NoError(t, err)
		k, err := fromHandle(h)
		require.NoError(t, err)
		return k
	}
	before := ring()
	envelope, err := before.Seal(tokenA, []byte("payload"))
	require.NoError(t, err)
	mark, err := before.NewCheck()
	require.NoError(t, err)
	next, err := m.Add(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	require.NoError(t, m.SetPrimary(next))
	both := ring()
	require.NoError(t, both.Check(mark))
	resealed, err := both.Reseal(tokenA.ID(), envelope)
	require.NoError(t, err)
	_, err = both.Reseal(tokenB.ID(), envelope)
	require.ErrorIs(t, err, ErrOpen)
	require.NoError(t, m.Disable(first))
	require.NoError(t, m.Delete(first))
	after := ring()
	for _, k := range []*Keyring{both, after} {
		got, err := k.Open(tokenA, resealed)
		require.NoError(t, err)
		require.Equal(t, "payload", string(got))
	}
	_, err = after.Open(tokenA, envelope)
	require.ErrorIs(t, err, ErrOpen, "the old key is gone")
	_, err = before.Open(tokenA, resealed)
	require.ErrorIs(t, err, ErrOpen)
	require.ErrorIs(t, after.Check(mark), ErrMismatch)
}

// golden is a keyset and an envelope of an earlier build: databases hold such, and must stay readable.
const goldenKeyset = `{"primaryKeyId":1,"key":[{"keyData":{"typeUrl":"type.googleapis.com/google.crypto.tink.AesGcmKey",` +
	`"value":"GiAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw==","keyMaterialType":"SYMMETRIC"},"status":"ENABLED","keyId":1,"outputPrefixType":"TINK"}]}`

func goldenKeyring(t testing.TB) *Keyring {
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(strings.NewReader(goldenKeyset)))
	require.NoError(t, err)
	k, err := fromHandle(h)
	require.NoError(t, err)
	return k
}

func goldenEnvelope(t testing.TB) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", "envelope-v1.hex"))
	require.NoError(t, err)
	envelope, err := hex.DecodeString(strings.TrimSpace(string(b)))
	require.NoError(t, err)
	return envelope
}

func TestFormatIsPinned(t *testing.T) {
	envelope := goldenEnvelope(t)
	require.Equal(t, []byte{version1, 1, 0, 0, 0, 1}, envelope[:6], "our version, then Tink's prefix and the key's id")
	got, err := goldenKeyring(t).Open(tokenA, envelope)
	require.NoError(t, err)
	require.Equal(t, "golden payload", string(got))
	require.Len(t, envelope, 1+5+12+(12+len("golden payload")+16)+16)
}

func TestCheck(t *testing.T) {
	k := newKeyring(t)
	mark, err := k.NewCheck()
	require.NoError(t, err)
	require.NoError(t, k.Check(mark))
	require.NoError(t, k.Ready(t.Context()))
	require.ErrorIs(t, newKeyring(t).Check(mark), ErrMismatch)
	require.ErrorIs(t, k.Check(mark[1:]), ErrMismatch)
	require.ErrorIs(t, k.Check(nil), ErrMismatch)
	envelope, err := k.Seal(tokenA, []byte("x"))
	require.NoError(t, err)
	require.ErrorIs(t, k.Check(envelope), ErrMismatch, "an envelope is no mark")
}

// FuzzOpen: nothing opens that was not sealed, and nothing panics.
func FuzzOpen(f *testing.F) {
	k := goldenKeyring(f)
	sealed := goldenEnvelope(f) // the only one: each process of the fuzzer would seal another
	f.Add(tokenA.String(), sealed)
	f.Add(tokenB.String(), sealed)
	f.Add("", []byte{version1})
	short, err := k.wrap(tokenA.ID(), []byte("short"))
	require.NoError(f, err)
	f.Add(tokenA.String(), short)
	f.Fuzz(func(t *testing.T, token string, envelope []byte) {
		got, err := k.Open(ids.TokenOf(token), envelope)
		if token == tokenA.String() && bytes.Equal(envelope, sealed) {
			require.NoError(t, err)
			require.Equal(t, "golden payload", string(got))
			return
		}
		require.ErrorIs(t, err, ErrOpen)
		require.Nil(t, got)
	})
}
