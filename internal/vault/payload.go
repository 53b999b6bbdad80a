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

// mode says who encrypts a value.
type mode byte

// sseC: the store encrypts, with the data key in each request. This build knows no other mode.
const sseC mode = 1

// A payload is the version byte 2, a byte for the mode, the data key, and the metadata as JSON, if any. Version 1 has no
// byte for the mode: its mode is sseC.
const (
	payloadV1 = 0x01
	payloadV2 = 0x02
)

var (
	errPayload = errors.New("vault: a sealed payload is malformed")
	errMode    = errors.New("vault: the value is encrypted in a mode that this version of the gateway does not know: upgrade the gateway")
)

func encodePayload(key objects.CustomerKey, m *Metadata) ([]byte, error) {
	b := make([]byte, 0, 2+len(key)+256)
	b = append(append(b, payloadV2, byte(sseC)), key[:]...)
	if m == nil {
		return b, nil
	}
	j, err := json.Marshal(m)
	return append(b, j...), err
}

func decodePayload(b []byte) (key objects.CustomerKey, m *Metadata, err error) {
	rest, err := afterMode(b)
	if err != nil {
		return key, nil, err
	}
	if len(rest) < len(key) {
		return key, nil, errPayload
	}
	copy(key[:], rest)
	rest = rest[len(key):]
	if len(rest) == 0 {
		return key, nil, nil
	}
	m = &Metadata{}
	d := json.NewDecoder(bytes.NewReader(rest))
	d.UseNumber() // keeps numbers as the client wrote them
	if err := d.Decode(m); err != nil {
		return key, nil, errPayload
	}
	return key, m, nil
}

// afterMode returns the rest of a payload after its version and mode.
func afterMode(b []byte) (rest []byte, err error) {
	switch {
	case len(b) > 0 && b[0] == payloadV1:
		return b[1:], nil
	case len(b) > 1 && b[0] == payloadV2 && mode(b[1]) == sseC:
		return b[2:], nil
	case len(b) > 1 && b[0] == payloadV2:
		return nil, errMode
	}
	return nil, errPayload
}
