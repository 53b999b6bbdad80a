package streamaead

import (
	"crypto/rand"
	"io"
)

// Encrypt returns a reader of the ciphertext of a value. It holds one segment. Each call uses a random salt, but the client
// must encrypt one value only under a key. It returns an error for a key of another size; errors of reading are those of
// value, or that the value is too large for the format (4 PiB).
func Encrypt(key, associatedData []byte, value io.Reader) (io.Reader, error) {
	header := make([]byte, headerSize)
	header[0] = headerSize
	_, _ = rand.Read(header[1:]) // never fails (crypto/rand)
	s, err := newSegments(key, header, associatedData)
	if err != nil {
		return nil, err
	}
	return &encrypter{segments: s, value: cutter{from: value}, buffer: header}, nil
}

type encrypter struct {
	*segments
	value  cutter
	plain  []byte
	buffer []byte // the header or a segment; out of it are the bytes before read
	read   int
	err    error // after the buffer
}

// Read implements io.Reader.
func (e *encrypter) Read(p []byte) (int, error) {
	for e.read == len(e.buffer) {
		if e.err != nil {
			return 0, e.err
		}
		e.seal()
	}
	n := copy(p, e.buffer[e.read:])
	e.read += n
	return n, nil
}

// seal puts the next segment into the buffer. The header, which is read before, takes room in the first one.
func (e *encrypter) seal() {
	e.buffer, e.read = e.buffer[:0], 0
	size := segmentSize - tagSize
	if e.next == 0 {
		size -= headerSize
	}
	var last bool
	e.plain, last, e.err = e.value.read(e.plain, size)
	if e.err == nil {
		e.err = e.number(last)
	}
	if e.err == nil {
		e.buffer = e.aead.Seal(e.buffer, e.nonce[:], e.plain, nil)
		if last {
			e.err = io.EOF
		}
	}
	clear(e.plain)
}
