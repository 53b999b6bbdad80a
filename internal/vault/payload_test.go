package vault

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// TestPayload: both versions are decoded, and unknown versions and modes are refused.
func TestPayload(t *testing.T) {
	key := objects.CustomerKey(bytes.Repeat([]byte{7}, 32))
	name := "a.txt"
	v2, err := encodePayload(key, &Metadata{Filename: &name})
	require.NoError(t, err)
	bare, err := encodePayload(key, nil)
	require.NoError(t, err)
	with := func(head []byte, tail string) []byte { return append(append(head, key[:]...), tail...) }
	for name, c := range map[string]struct {
		payload  []byte
		filename string
		err      error
	}{
		"version 2":              {v2, "a.txt", nil},
		"version 2, no metadata": {bare, "", nil},
		"version 2, written out": {with([]byte{2, 1}, `{"filename":"b.txt"}`), "b.txt", nil},
		"version 1":              {with([]byte{1}, `{"filename":"b.txt"}`), "b.txt", nil},
		"version 1, no metadata": {with([]byte{1}, ""), "", nil},
		"version 3":              {with([]byte{3, 1}, ""), "", errPayload},
		"no mode":                {with([]byte{2, 0}, ""), "", errMode},
		"another mode":           {with([]byte{2, 2}, ""), "", errMode},
		"short":                  {bare[:len(bare)-1], "", errPayload},
		"version 1, short":       {with([]byte{1}, "")[:32], "", errPayload},
		"only a version":         {[]byte{2}, "", errPayload},
		"empty":                  {nil, "", errPayload},
		"malformed metadata":     {with([]byte{2, 1}, `{"filename":`), "", errPayload},
	} {
		t.Run(name, func(t *testing.T) {
			got, m, err := decodePayload(c.payload)
			require.ErrorIs(t, err, c.err)
			if c.err != nil {
				return
			}
			require.Equal(t, key, got)
			if c.filename == "" {
				require.Nil(t, m)
				return
			}
			require.Equal(t, c.filename, *m.Filename)
		})
	}
}

// FuzzDecodePayload: nothing panics, and a decoded payload has one encoding.
func FuzzDecodePayload(f *testing.F) {
	key := make([]byte, 32)
	for _, head := range [][]byte{{1}, {2, 1}, {2, 2}, {3}} {
		f.Add(append(bytes.Clone(head), key...))
		f.Add(append(append(bytes.Clone(head), key...), `{"filename":"a","custom":{"n":1.50}}`...))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		key, m, err := decodePayload(payload)
		if err != nil {
			return
		}
		b, err := encodePayload(key, m)
		if err != nil {
			return // a year that RFC 3339 can't express
		}
		again, n, err := decodePayload(b)
		require.NoError(t, err)
		require.Equal(t, key, again)
		c, err := encodePayload(again, n)
		require.NoError(t, err)
		require.Equal(t, string(b), string(c))
	})
}
