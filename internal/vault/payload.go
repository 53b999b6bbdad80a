package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// Metadata is what a client says of a value. It is sealed with the data key, so that the database
// tells as little of a value as of its key.
type Metadata struct {
	Filename     *string        `json:"filename,omitempty"`
	ContentType  *string        `json:"contentType,omitempty"`
	LastModified *time.Time     `json:"lastModified,omitempty"`
	Custom       map[string]any `json:"custom,omitempty"`
}

// A payload is a version byte, the data key, and the metadata as JSON, if there is any.
const payloadV1 = 0x01

var errPayload = errors.New("vault: a sealed payload is malformed")

func encodePayload(key objects.CustomerKey, m *Metadata) ([]byte, error) {
	b := make([]byte, 0, 1+len(key)+256)
	b = append(append(b, payloadV1), key[:]...)
	if m == nil {
		return b, nil
	}
	j, err := json.Marshal(m)
	return append(b, j...), err
}

func decodePayload(b []byte) (key objects.CustomerKey, m *Metadata, err error) {
	if len(b) < 1+len(key) || b[0] != payloadV1 {
		return key, nil, errPayload
	}
	copy(key[:], b[1:])
	rest := b[1+len(key):]
	if len(rest) == 0 {
		return key, nil, nil
	}
	m = &Metadata{}
	d := json.NewDecoder(bytes.NewReader(rest))
	d.UseNumber() // numbers come back as they were given
	if err := d.Decode(m); err != nil {
		return key, nil, errPayload
	}
	return key, m, nil
}
