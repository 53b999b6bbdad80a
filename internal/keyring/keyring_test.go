package keyring

import (
	"bytes"
	"context"
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

// sealed and opened call Seal and Open for one envelope.
func sealed(t testing.TB, k *Keyring, token ids.Token, payload []byte) []byte {
	t.Helper()
	made, err := k.Seal(t.Context(), []Secret{{Token: token, Payload: payload}})
	require.NoError(t, err)
	require.Equal(t, k.primary, made[0].MasterKey)
	return made[0].Sealed
}

func opened(t testing.TB, k *Keyring, token ids.Token, envelope []byte) ([]byte, error) {
	t.Helper()
	got, err := k.Open(t.Context(), []Locked{{Token: token, Sealed: envelope}})
	require.NoError(t, err)
	return got[0].Payload, got[0].Err
}

func TestSealOpen(t *testing.T) {
	k := newKeyring(t)
	for _, payload := range [][]byte{{}, []byte("x"), bytes.Repeat([]byte("p"), 5000)} {
		a := sealed(t, k, tokenA, payload)
		b := sealed(t, k, tokenA, payload)
		require.NotEqual(t, a, b, "no two envelopes are equal")
		got, err := opened(t, k, tokenA, a)
		require.NoError(t, err)
		require.True(t, bytes.Equal(payload, got))
		_, err = opened(t, k, tokenB, a)
		require.ErrorIs(t, err, ErrOpen, "another token")
		_, err = opened(t, newKeyring(t), tokenA, a)
		require.ErrorIs(t, err, ErrOpen, "another keyset")
		if len(payload) > 1 {
			require.False(t, bytes.Contains(a, payload[:8]))
		}
	}
}

// TestChangedEnvelopeIsRefused: an envelope with any bit changed, cut, or longer does not open.
func TestChangedEnvelopeIsRefused(t *testing.T) {
	k := newKeyring(t)
	envelope := sealed(t, k, tokenA, []byte("payload"))
	for i := range envelope {
		for _, bit := range []byte{1, 0x80} {
			changed := bytes.Clone(envelope)
			changed[i] ^= bit
			_, err := opened(t, k, tokenA, changed)
			require.ErrorIs(t, err, ErrOpen, "byte %d", i)
		}
		_, err := opened(t, k, tokenA, envelope[:i])
		require.ErrorIs(t, err, ErrOpen, "cut at %d", i)
	}
	_, err := opened(t, k, tokenA, append(bytes.Clone(envelope), 0))
	require.ErrorIs(t, err, ErrOpen)
	_, err = opened(t, k, tokenA, nil)
	require.ErrorIs(t, err, ErrOpen)
}

// TestKeysetAloneOpensNothing: with the database and the keyset an attacker can open the outer layer; the inner layer
// takes the token.
func TestKeysetAloneOpensNothing(t *testing.T) {
	k := newKeyring(t)
	payload := []byte("the data key, 32 bytes of it....")
	envelope := sealed(t, k, tokenA, payload)
	id := tokenA.ID()
	_, inner, err := k.unwrap(id, envelope)
	require.NoError(t, err)
	require.False(t, bytes.Contains(inner, payload[:8]))
	for _, guess := range []string{"", tokenB.String(), string(id[:]), hex.EncodeToString(id[:]), strings.ToUpper(tokenA.String()), tokenA.String() + " ", tokenA.String()[4:]} {
		gcm, err := tokenCipher(guess, id)
		require.NoError(t, err)
		_, err = gcm.Open(nil, inner[1:1+nonceSize], inner[1+nonceSize:], id[:])
		require.Error(t, err, guess)
	}
	// The token without the keyset does not open the outer layer.
	gcm, err := tokenCipher(tokenA.String(), id)
	require.NoError(t, err)
	for at := range len(envelope) - nonceSize {
		_, err = gcm.Open(nil, envelope[at:at+nonceSize], envelope[at+nonceSize:], id[:])
		require.Error(t, err)
	}
	// An envelope does not open in another row.
	_, _, err = k.unwrap(tokenB.ID(), envelope)
	require.ErrorIs(t, err, ErrOpen)
}

// TestMasterKeyRotation: envelopes are sealed under a new key without any token; then the old key can be removed.
func TestMasterKeyRotation(t *testing.T) {
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
	envelope := sealed(t, before, tokenA, []byte("payload"))
	mark, err := before.NewCheck()
	require.NoError(t, err)
	next, err := m.Add(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	require.NoError(t, m.SetPrimary(next))
	both := ring()
	require.NoError(t, both.Check(mark))
	again, err := both.Reseal(tokenA.ID(), envelope)
	require.NoError(t, err)
	require.Equal(t, next, again.MasterKey)
	require.NotEqual(t, first, again.MasterKey)
	resealed := again.Sealed
	_, err = both.Reseal(tokenB.ID(), envelope)
	require.ErrorIs(t, err, ErrOpen)
	require.NoError(t, m.Disable(first))
	require.NoError(t, m.Delete(first))
	after := ring()
	for _, k := range []*Keyring{both, after} {
		got, err := opened(t, k, tokenA, resealed)
		require.NoError(t, err)
		require.Equal(t, "payload", string(got))
	}
	_, err = opened(t, after, tokenA, envelope)
	require.ErrorIs(t, err, ErrOpen, "the old key has been removed")
	_, err = opened(t, before, tokenA, resealed)
	require.ErrorIs(t, err, ErrOpen)
	require.ErrorIs(t, after.Check(mark), ErrMismatch)
}

// goldenKeyset is the keyset of the envelopes in testdata, which an earlier build made: databases with such envelopes must
// stay readable.
const goldenKeyset = `{"primaryKeyId":1,"key":[{"keyData":{"typeUrl":"type.googleapis.com/google.crypto.tink.AesGcmKey",` +
	`"value":"GiAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw==","keyMaterialType":"SYMMETRIC"},"status":"ENABLED","keyId":1,"outputPrefixType":"TINK"}]}`

func goldenKeyring(t testing.TB) *Keyring {
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(strings.NewReader(goldenKeyset)))
	require.NoError(t, err)
	k, err := fromHandle(h)
	require.NoError(t, err)
	return k
}

func goldenEnvelope(t testing.TB, version string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", "envelope-"+version+".hex"))
	require.NoError(t, err)
	envelope, err := hex.DecodeString(strings.TrimSpace(string(b)))
	require.NoError(t, err)
	return envelope
}

// TestEnvelopeFormat: envelopes of both versions have the same parts, except the byte of the layers.
func TestEnvelopeFormat(t *testing.T) {
	k := goldenKeyring(t)
	for name, c := range map[string]struct {
		version byte
		layers  int
	}{"v1": {version1, 0}, "v3": {version3, 1}} {
		t.Run(name, func(t *testing.T) {
			envelope := goldenEnvelope(t, name)
			require.Equal(t, []byte{c.version, 1, 0, 0, 0, 1}, envelope[:6], "our version, then Tink's prefix and the key's id")
			require.Len(t, envelope, 1+5+12+(c.layers+12+len("golden payload")+16)+16)
			got, err := opened(t, k, tokenA, envelope)
			require.NoError(t, err)
			require.Equal(t, "golden payload", string(got))
			again, err := k.Reseal(tokenA.ID(), envelope)
			require.NoError(t, err)
			require.EqualValues(t, 1, again.MasterKey)
			got, err = opened(t, k, tokenA, again.Sealed)
			require.NoError(t, err)
			require.Equal(t, "golden payload", string(got))
			other := bytes.Clone(envelope)
			other[0] = version1 + version3 - c.version
			_, err = opened(t, k, tokenA, other)
			require.ErrorIs(t, err, ErrOpen, "as another version")
		})
	}
}

// TestUnknownLayersAreRefused: an envelope with a layer that this build doesn't know is not opened as one without layers.
func TestUnknownLayersAreRefused(t *testing.T) {
	k, id := newKeyring(t), tokenA.ID()
	_, layered, err := k.unwrap(id, sealed(t, k, tokenA, []byte("x")))
	require.NoError(t, err)
	for layers := range 256 {
		layered[0] = byte(layers)
		envelope, err := k.wrap(version3, id, layered)
		require.NoError(t, err)
		_, err = opened(t, k, tokenA, envelope)
		if layers == noLayers {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ErrOpen, layers)
	}
	empty, err := k.wrap(version3, id, nil)
	require.NoError(t, err)
	_, err = opened(t, k, tokenA, empty)
	require.ErrorIs(t, err, ErrOpen)
}

// TestSealAndOpenLists: an envelope that can't be opened does not affect the others, and with an ended context nothing is
// sealed or opened.
func TestSealAndOpenLists(t *testing.T) {
	k := newKeyring(t)
	made, err := k.Seal(t.Context(), []Secret{{Token: tokenA, Payload: []byte("a")}, {Token: tokenB, Payload: []byte("b")}})
	require.NoError(t, err)
	got, err := k.Open(t.Context(), []Locked{
		{Token: tokenB, Sealed: made[1].Sealed}, {Token: tokenB, Sealed: made[0].Sealed}, {Token: tokenA, Sealed: made[0].Sealed},
	})
	require.NoError(t, err)
	require.Equal(t, []Opened{{Payload: []byte("b")}, {Err: ErrOpen}, {Payload: []byte("a")}}, got)
	ended, end := context.WithCancel(t.Context())
	end()
	_, err = k.Seal(ended, []Secret{{Token: tokenA}})
	require.ErrorIs(t, err, context.Canceled)
	_, err = k.Open(ended, []Locked{{Token: tokenA, Sealed: made[0].Sealed}})
	require.ErrorIs(t, err, context.Canceled)
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
	envelope := sealed(t, k, tokenA, []byte("x"))
	require.ErrorIs(t, k.Check(envelope), ErrMismatch, "an envelope is not a mark")
}

// FuzzOpen: only sealed envelopes open, and nothing panics.
func FuzzOpen(f *testing.F) {
	k := goldenKeyring(f)
	envelopes := [][]byte{goldenEnvelope(f, "v1"), goldenEnvelope(f, "v3")} // fixed ones only: each process of the fuzzer would seal its own
	for _, e := range envelopes {
		f.Add(tokenA.String(), e)
		f.Add(tokenB.String(), e)
	}
	f.Add("", []byte{version1})
	short, err := k.wrap(version1, tokenA.ID(), []byte("short"))
	require.NoError(f, err)
	f.Add(tokenA.String(), short)
	f.Fuzz(func(t *testing.T, token string, envelope []byte) {
		got, err := opened(t, k, ids.TokenOf(token), envelope)
		if token == tokenA.String() && (bytes.Equal(envelope, envelopes[0]) || bytes.Equal(envelope, envelopes[1])) {
			require.NoError(t, err)
			require.Equal(t, "golden payload", string(got))
			return
		}
		require.ErrorIs(t, err, ErrOpen)
		require.Nil(t, got)
	})
}
