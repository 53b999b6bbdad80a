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
	v2, err := encodePayload(&secret{objects.SSEC, key}, &Metadata{Filename: &name})
	require.NoError(t, err)
	bare, err := encodePayload(&secret{objects.SSEC, key}, nil)
	require.NoError(t, err)
	client, err := encodePayload(&secret{objects.Client, key}, &Metadata{Filename: &name})
	require.NoError(t, err)
	with := func(head []byte, tail string) []byte { return append(append(head, key[:]...), tail...) }
	for name, c := range map[string]struct {
		payload  []byte
		filename string
		mode     objects.Mode
		err      error
	}{
		"version 2":              {v2, "a.txt", objects.SSEC, nil},
		"version 2, no metadata": {bare, "", objects.SSEC, nil},
		"version 2, written out": {with([]byte{2, 1}, `{"filename":"b.txt"}`), "b.txt", objects.SSEC, nil},
		"the client encrypts":    {client, "a.txt", objects.Client, nil},
		"the same, written out":  {with([]byte{2, 2}, `{"filename":"b.txt"}`), "b.txt", objects.Client, nil},
		"version 1":              {with([]byte{1}, `{"filename":"b.txt"}`), "b.txt", objects.SSEC, nil},
		"version 1, no metadata": {with([]byte{1}, ""), "", objects.SSEC, nil},
		"version 3":              {with([]byte{3, 1}, ""), "", objects.SSEC, errPayload},
		"no mode":                {with([]byte{2, 0}, ""), "", objects.SSEC, errMode},
		"another mode":           {with([]byte{2, 3}, ""), "", objects.SSEC, errMode},
		"short":                  {bare[:len(bare)-1], "", objects.SSEC, errPayload},
		"version 1, short":       {with([]byte{1}, "")[:32], "", objects.SSEC, errPayload},
		"only a version":         {[]byte{2}, "", objects.SSEC, errPayload},
		"empty":                  {nil, "", objects.SSEC, errPayload},
		"malformed metadata":     {with([]byte{2, 1}, `{"filename":`), "", objects.SSEC, errPayload},
	} {
		t.Run(name, func(t *testing.T) {
			got, m, err := decodePayload(c.payload)
			require.ErrorIs(t, err, c.err)
			if c.err != nil {
				return
			}
			require.Equal(t, secret{c.mode, key}, got)
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
	for _, head := range [][]byte{{1}, {2, 1}, {2, 2}, {2, 3}, {3}} {
		f.Add(append(bytes.Clone(head), key...))
		f.Add(append(append(bytes.Clone(head), key...), `{"filename":"a","custom":{"n":1.50}}`...))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		sealed, m, err := decodePayload(payload)
		if err != nil {
			return
		}
		b, err := encodePayload(&sealed, m)
		if err != nil {
			return // a year that RFC 3339 can't express
		}
		again, n, err := decodePayload(b)
		require.NoError(t, err)
		require.Equal(t, sealed, again)
		c, err := encodePayload(&again, n)
		require.NoError(t, err)
		require.Equal(t, string(b), string(c))
	})
}
