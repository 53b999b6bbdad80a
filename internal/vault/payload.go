package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// Metadata is a client's description of a value. It is sealed together with the data key, so that the database
// reveals neither.
type Metadata struct {
	Filename     *string        `json:"filename,omitempty"`
	ContentType  *string        `json:"contentType,omitempty"`
	LastModified *time.Time     `json:"lastModified,omitempty"`
	Custom       map[string]any `json:"custom,omitempty"`
}

// The bytes of objects.Mode in payloads. This build knows no others.
const (
	byteSSEC   = 1
	byteClient = 2
)

// A payload is the version byte 2, a byte for the mode, the data key, and the metadata as JSON, if any. Version 1 has no
// byte for the mode: its mode is SSEC.
const (
	payloadV1 = 0x01
	payloadV2 = 0x02
)

var (
	errPayload = errors.New("vault: a sealed payload is malformed")
	errMode    = errors.New("vault: the value is encrypted in a mode that this version of the gateway does not know: upgrade the gateway")
)

// secret is what encrypts a value: its data key, and who uses it.
type secret struct {
	mode objects.Mode
	key  objects.CustomerKey
}

// customerKey is the key that the store needs: none if the client encrypts.
func (s *secret) customerKey() (none objects.CustomerKey) {
	if s.mode == objects.Client {
		return none
	}
	return s.key
}

// encryption is what a client needs to encrypt or decrypt the value: nil if the store does it.
func (s *secret) encryption(object string) *Encryption {
	if s.mode != objects.Client {
		return nil
	}
	return &Encryption{Key: s.key, AssociatedData: object}
}

func encodePayload(s *secret, m *Metadata) ([]byte, error) {
	b := make([]byte, 0, 2+len(s.key)+256)
	by := byte(byteSSEC)
	if s.mode == objects.Client {
		by = byteClient
	}
	b = append(append(b, payloadV2, by), s.key[:]...)
	if m == nil {
		return b, nil
	}
	j, err := json.Marshal(m)
	return append(b, j...), err
}

func decodePayload(b []byte) (s secret, m *Metadata, err error) {
	mode, rest, err := cutMode(b)
	if err != nil {
		return s, nil, err
	}
	if len(rest) < len(s.key) {
		return s, nil, errPayload
	}
	s.mode = mode
	copy(s.key[:], rest)
	rest = rest[len(s.key):]
	if len(rest) == 0 {
		return s, nil, nil
	}
	m = &Metadata{}
	d := json.NewDecoder(bytes.NewReader(rest))
	d.UseNumber() // keeps numbers as the client wrote them
	if err := d.Decode(m); err != nil {
		return s, nil, errPayload
	}
	return s, m, nil
}

// cutMode returns the mode of a payload, and the rest after its version and mode.
func cutMode(b []byte) (m objects.Mode, rest []byte, err error) {
	switch {
	case len(b) > 0 && b[0] == payloadV1:
		return objects.SSEC, b[1:], nil
	case len(b) < 2 || b[0] != payloadV2:
		return 0, nil, errPayload
	case b[1] == byteSSEC:
		return objects.SSEC, b[2:], nil
	case b[1] == byteClient:
		return objects.Client, b[2:], nil
	}
	return 0, nil, errMode
}
