package client

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloakroomhq/cloakroom/internal/streamaead"
)

// ErrCiphertext is returned while a value is read that the client decrypts, if it was changed or cut in the object store. No
// changed byte is returned before it.
var ErrCiphertext = streamaead.ErrCiphertext

// Encryption is how a client encrypts a value before its upload, and decrypts it after its download: Client.Upload and
// Client.Download do. The format is Tink's AES-GCM-HKDF streaming AEAD, see EncryptionScheme in the gateway's schema. The key
// is a secret, and no verb of fmt prints it.
type Encryption struct {
	Key            []byte // 32 bytes, for this value only
	AssociatedData []byte
}

// Format implements fmt.Formatter.
func (Encryption) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "[key]") }

// LogValue implements slog.LogValuer.
func (e Encryption) LogValue() slog.Value { return slog.StringValue("[key]") }

// scheme is the only EncryptionScheme.
const scheme = "TINK_AES256_GCM_HKDF_1MB"

// decode returns nil if the store encrypts.
func (e *encryption) decode() (*Encryption, error) {
	switch {
	case e == nil:
		return nil, nil
	case e.Scheme != scheme:
		return nil, failure(ErrBadAnswer, nil, "the gateway uses an encryption that this version of the client does not know: update the client")
	case len(e.Key) != streamaead.KeySize:
		return nil, failure(ErrBadAnswer, nil, "the key of a value is missing")
	}
	return &Encryption{Key: e.Key, AssociatedData: e.AssociatedData}, nil
}

// encrypt returns the body of an upload and its size; a nil Encryption changes nothing.
func (e *Encryption) encrypt(value io.Reader, size int64) (io.Reader, int64, error) {
	if e == nil {
		return value, size, nil
	}
	ciphertext, err := streamaead.Encrypt(e.Key, e.AssociatedData, value)
	return ciphertext, streamaead.CiphertextSize(size), err
}

// decrypt returns a reader of the value in the body of a download; a nil Encryption changes nothing.
func (e *Encryption) decrypt(body io.ReadCloser) (io.ReadCloser, error) {
	if e == nil {
		return body, nil
	}
	value, err := streamaead.Decrypt(e.Key, e.AssociatedData, body)
	return struct {
		io.Reader
		io.Closer
	}{value, body}, err
}

// exact reads a value of exactly size bytes. It looks for a byte after them before it returns the last one, so that a value
// of another size is never uploaded whole.
type exact struct {
	value io.Reader
	left  int64
}

// Read implements io.Reader. Errors: ErrBadUserInput, io.EOF, and those of the value.
func (e *exact) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.value.Read(p[:min(int64(len(p)), e.left)])
	if e.left -= int64(n); e.left > 0 {
		if errors.Is(err, io.EOF) {
			return n, failure(ErrBadUserInput, nil, "the value is shorter than its size")
		}
		return n, err
	}
	if more, _ := io.ReadFull(e.value, make([]byte, 1)); more > 0 {
		return 0, failure(ErrBadUserInput, nil, "the value is longer than its size")
	}
	return n, nil
}
