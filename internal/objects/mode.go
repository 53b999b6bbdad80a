package objects

import "github.com/cloakroomhq/cloakroom/internal/streamaead"

// Mode is who encrypts an object.
type Mode uint8

// The modes.
const (
	SSEC   Mode = iota // the store, under the customer's key, which the SSE-C headers carry
	Client             // the client, before the upload, as package streamaead does; the store gets ciphertext, and no key
)

// ObjectSize returns the size of the object of a value; both in bytes.
func (m Mode) ObjectSize(value int64) int64 {
	if m == Client {
		return streamaead.CiphertextSize(value)
	}
	return value
}
