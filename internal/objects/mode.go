package objects

// Mode is who encrypts an object.
type Mode uint8

// The modes.
const (
	SSEC   Mode = iota // the store, under the customer's key, which the SSE-C headers carry
	Client             // the client, before the upload; the store gets and returns ciphertext, and no key
)

// The format of ciphertexts in mode Client: Tink's AES-GCM-HKDF streaming AEAD with a 256-bit key, HKDF-SHA-256 and ciphertext
// segments of 2^20 bytes ("Streaming AEAD" in Tink's documentation). The first segment begins with the header: its length,
// the salt, and the prefix of the nonces. Each segment ends with a tag of AES-GCM (NIST SP 800-38D).
const (
	segmentSize = 1 << 20
	headerSize  = 1 + 32 + 7
	tagSize     = 16
)

// ObjectSize returns the size of the object of a value; both in bytes.
func (m Mode) ObjectSize(value int64) int64 {
	if m == SSEC {
		return value
	}
	const plain = segmentSize - tagSize
	segments := (headerSize + value + plain - 1) / plain // the header takes room in the first one, so there is one at least
	return headerSize + value + segments*tagSize
}
