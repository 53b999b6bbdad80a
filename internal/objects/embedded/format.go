package embedded

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/minio/sio"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// An object's file is a header and a body.
//
//	offset size
//	0      8    "CLKROBJ" and the format's version, 1
//	8      32   random salt
//	40     8    length of the value in bytes, big endian
//	48     8    time of the write, Unix seconds, big endian
//	56     16   ETag: random, so that it reveals nothing about the value
//	72     32   HMAC-SHA-256 of all the above
//	104    ...  the value in DARE 2.0 packages of 64 KiB, AES-256-GCM
//
// The keys of the HMAC and of the body are HKDF-SHA-256 of the customer's key with the salt, bound to
// the version, bucket and object key. So the header verifies with the right customer's key and name
// only (a file of another object in its place does not), and authenticates the length; DARE
// authenticates the order and the end of the packages. Nothing on disk is derived from the customer's
// key without the salt.
//
// In mode objects.Client the store gets ciphertext and no key. The customer's key is then all zeros: the file has the same
// format, which detects damaged and exchanged files, but the secrecy is that of the client's encryption alone.

const (
	magic      = "CLKROBJ\x01"
	saltSize   = 32
	etagSize   = 16
	signedSize = len(magic) + saltSize + 8 + 8 + etagSize
	headerSize = signedSize + sha256.Size
	keyContext = "cloakroom embedded object v1"
)

// errKey means that the header does not verify: a wrong key, another object's file, or a changed file.
var errKey = errors.New("embedded: the header does not verify with this key")

// errCorrupt means that the header verifies, but the rest of the file was changed.
var errCorrupt = errors.New("embedded: the object is damaged")

// header is the verified header of a file.
type header struct {
	salt    [saltSize]byte
	length  int64
	written time.Time
	etag    [etagSize]byte
}

// objectKeys encrypt one file's body and authenticate its header.
type objectKeys struct{ body, header [32]byte }

func deriveKeys(key *objects.CustomerKey, salt []byte, bucket, object string) (*objectKeys, error) {
	// Neither name contains NUL, so different pairs of names give different contexts.
	out, err := hkdf.Key(sha256.New, key[:], salt, keyContext+"\x00"+bucket+"\x00"+object, 64)
	if err != nil {
		return nil, fmt.Errorf("embedded: derive keys: %w", err)
	}
	k := &objectKeys{}
	copy(k.body[:], out)
	copy(k.header[:], out[32:])
	return k, nil
}

func (k *objectKeys) config() sio.Config {
	return sio.Config{
		MinVersion: sio.Version20, MaxVersion: sio.Version20,
		CipherSuites: []byte{sio.AES_256_GCM}, Key: k.body[:],
	}
}

func newHeader(now time.Time) *header {
	h := &header{written: now}
	_, _ = rand.Read(h.salt[:]) // never fails (crypto/rand)
	_, _ = rand.Read(h.etag[:])
	return h
}

// seal returns the header's bytes.
func (h *header) seal(k *objectKeys) []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, magic...)
	b = append(b, h.salt[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.length))
	b = binary.BigEndian.AppendUint64(b, uint64(h.written.Unix()))
	b = append(b, h.etag[:]...)
	mac := hmac.New(sha256.New, k.header[:])
	mac.Write(b)
	return mac.Sum(b)
}

// readHeader reads and verifies the header of an object's file. It returns errKey for every header that does not
// verify.
func readHeader(r io.Reader, key *objects.CustomerKey, bucket, object string) (*header, *objectKeys, error) {
	var b [headerSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, nil, errKey
		}
		return nil, nil, err
	}
	k, err := deriveKeys(key, b[len(magic):len(magic)+saltSize], bucket, object)
	if err != nil {
		return nil, nil, err
	}
	mac := hmac.New(sha256.New, k.header[:])
	mac.Write(b[:signedSize])
	if !hmac.Equal(mac.Sum(nil), b[signedSize:]) || string(b[:len(magic)]) != magic {
		return nil, nil, errKey
	}
	h := &header{}
	rest := b[len(magic)+copy(h.salt[:], b[len(magic):]):]
	h.length = int64(binary.BigEndian.Uint64(rest))
	h.written = time.Unix(int64(binary.BigEndian.Uint64(rest[8:])), 0)
	copy(h.etag[:], rest[16:])
	return h, k, nil
}

// fileSize returns the length of the file for a value of this length, or errCorrupt.
func fileSize(length int64) (int64, error) {
	if length < 0 {
		return 0, errCorrupt
	}
	n, err := sio.EncryptedSize(uint64(length))
	if err != nil {
		return 0, errCorrupt
	}
	return int64(n) + int64(headerSize), nil
}
