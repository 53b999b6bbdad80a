package streamaead

import (
	"errors"
	"io"
)

// Decrypt returns a reader of the value of a ciphertext. It holds one segment, and returns bytes of a segment only after the
// whole segment was authenticated. Before io.EOF the value may be incomplete: use it only then, or be ready to throw it away.
// It returns an error for a key of another size. Errors of reading are ErrCiphertext and those of ciphertext.
func Decrypt(key, associatedData []byte, ciphertext io.Reader) (io.Reader, error) {
	if len(key) != KeySize {
		return nil, errKey
	}
	return &decrypter{key: key, associatedData: associatedData, ciphertext: cutter{from: ciphertext}}, nil
}

type decrypter struct {
	*segments           // nil before the header
	key, associatedData []byte
	ciphertext          cutter
	buffer              []byte // a segment
	plain               []byte // the part of it that was not read yet
	err                 error  // after plain
}

// Read implements io.Reader.
func (d *decrypter) Read(p []byte) (int, error) {
	for len(d.plain) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		d.err = d.open()
	}
	n := copy(p, d.plain)
	d.plain = d.plain[n:]
	return n, nil
}

// open authenticates the next segment; it returns io.EOF with the last one.
func (d *decrypter) open() error {
	if d.segments == nil {
		if err := d.begin(); err != nil {
			return err
		}
	}
	size := segmentSize
	if d.next == 0 {
		size -= headerSize
	}
	var last bool
	var err error
	if d.buffer, last, err = d.ciphertext.read(d.buffer, size); err != nil {
		return err
	}
	if err := d.number(last); err != nil {
		return err
	}
	if d.plain, err = d.aead.Open(d.buffer[:0], d.nonce[:], d.buffer, nil); err != nil {
		d.plain = nil
		return ErrCiphertext
	}
	if last {
		return io.EOF
	}
	return nil
}

// begin reads the header.
func (d *decrypter) begin() error {
	header := make([]byte, headerSize)
	switch _, err := io.ReadFull(d.ciphertext.from, header); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrCiphertext
	case err != nil:
		return err
	case header[0] != headerSize:
		return ErrCiphertext
	}
	var err error
	d.segments, err = newSegments(d.key, header, d.associatedData)
	return err
}
