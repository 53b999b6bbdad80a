// Package streamaead encrypts values in their clients: Tink's AES-GCM-HKDF streaming AEAD with a 256-bit key, HKDF-SHA-256
// and ciphertext segments of 2^20 bytes (Tink's documentation, "AES-GCM-HKDF Streaming AEAD"). Tink's own package reads and
// writes the same format; it would link protobuf and a registry of keys into every program that uses package client.
//
// A ciphertext is a header and segments:
//
//	header   the header's length (1 byte, 40), salt (32), prefix of the nonces (7)
//	segment  AES-256-GCM (NIST SP 800-38D) of a part of the value, with its tag of 16 bytes
//
// The first segment has 2^20 bytes with the header, each further one 2^20, and the last one the rest. The key of the segments
// is HKDF-SHA-256 (RFC 5869) of the value's key, with the salt, and the associated data as info. A segment's nonce is the
// prefix, the segment's number (4 bytes, big endian), and a byte that is 1 in the last segment and 0 in the others. So a
// segment opens only in its place and in its ciphertext, and a ciphertext that is cut or extended does not open.
package streamaead

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
)

// KeySize is the size of a value's key, in bytes.
const KeySize = 32

const (
	segmentSize = 1 << 20
	saltSize    = 32
	prefixSize  = 7
	headerSize  = 1 + saltSize + prefixSize
	tagSize     = 16
	nonceSize   = prefixSize + 4 + 1
)

// ErrCiphertext means that a ciphertext does not open: another key, other associated data, or changed, cut or added bytes.
var ErrCiphertext = errors.New("the ciphertext can't be opened: it was changed or cut, or belongs to another key")

var (
	errKey      = errors.New("streamaead: a key has 32 bytes")
	errTooLarge = errors.New("streamaead: the value has too many segments")
)

// CiphertextSize returns the size of the ciphertext of a value of n bytes, 0 or more; both in bytes.
func CiphertextSize(n int64) int64 {
	const room = segmentSize - tagSize
	segments := (headerSize + n + room - 1) / room // the header takes room in the first one, so there is one at least
	return headerSize + n + segments*tagSize
}

// segments seals or opens the segments of one ciphertext in their order.
type segments struct {
	aead  cipher.AEAD
	nonce [nonceSize]byte
	next  uint64 // number of the next segment
}

// newSegments derives the key of the segments; header is a whole header.
func newSegments(key, header, associatedData []byte) (*segments, error) {
	if len(key) != KeySize {
		return nil, errKey
	}
	derived, err := hkdf.Key(sha256.New, key, header[1:1+saltSize], string(associatedData), KeySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	s := &segments{}
	copy(s.nonce[:], header[1+saltSize:])
	s.aead, err = cipher.NewGCM(block)
	return s, err
}

// number sets the nonce of the next segment.
func (s *segments) number(last bool) error {
	if s.next > math.MaxUint32 {
		return errTooLarge
	}
	binary.BigEndian.PutUint32(s.nonce[prefixSize:], uint32(s.next))
	s.nonce[nonceSize-1] = 0
	if last {
		s.nonce[nonceSize-1] = 1
	}
	s.next++
	return nil
}

// cutter reads parts of given sizes, and knows whether something follows: only the last segment's nonce says so.
type cutter struct {
	from  io.Reader
	ahead [1]byte // the first byte of the next part
	held  int     // 1 if ahead is set
}

// read returns a part of size bytes, or a shorter last one, in buffer or in a larger one that replaces it, and reports whether
// nothing follows. An error is from's own, except io.EOF.
func (c *cutter) read(buffer []byte, size int) (part []byte, last bool, err error) {
	part = append(buffer[:0], c.ahead[:c.held]...)
	for c.held = 0; len(part) < size; {
		part = slices.Grow(part, min(max(len(part), 4096), size-len(part))) // most values are short
		n, err := io.ReadFull(c.from, part[len(part):min(cap(part), size)])
		part = part[:len(part)+n]
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return part, true, nil
		case err != nil:
			return part, false, err
		}
	}
	c.held, err = io.ReadFull(c.from, c.ahead[:])
	if errors.Is(err, io.EOF) {
		return part, true, nil
	}
	return part, false, err
}
