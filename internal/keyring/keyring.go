// Package keyring keeps the gateway's master keys and makes the split-key envelope: what is sealed
// opens only with the token and the keyset together.
//
// The envelope of a payload is a version byte and then
//
//	outer = AEAD under the keyset (Tink, AES-256-GCM), associated data: id
//	inner = AES-256-GCM (NIST SP 800-38D) under a key derived from the token, associated data: id
//
// so that the database and the keyset open nothing without the token, and the outer layer can be put
// under a newer master key without any token.
package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// ErrOpen is returned for an envelope that does not open: another token, another id, another
// keyset, or changed bytes. Which of these is not told.
var ErrOpen = errors.New("keyring: the envelope does not open")

const (
	version1  = 0x01
	innerInfo = "cloakroom/envelope/v1/token-key"
	nonceSize = 12
)

// Keyring seals and opens envelopes. It is safe for concurrent use.
type Keyring struct{ outer tink.AEAD }

func fromHandle(h *keyset.Handle) (*Keyring, error) {
	a, err := aead.New(h)
	if err != nil {
		return nil, fmt.Errorf("keyring: the keyset holds no usable AEAD keys: %w", err)
	}
	return &Keyring{outer: a}, nil
}

// Seal returns the envelope of payload for the token.
func (k *Keyring) Seal(token ids.Token, payload []byte) ([]byte, error) {
	id := token.ID()
	gcm, err := tokenCipher(token.String(), id)
	if err != nil {
		return nil, err
	}
	inner := make([]byte, nonceSize, nonceSize+len(payload)+gcm.Overhead())
	if _, err := rand.Read(inner); err != nil {
		return nil, err
	}
	inner = gcm.Seal(inner, inner, payload, id[:])
	return k.wrap(id, inner)
}

// Open returns the payload of a token's envelope, or ErrOpen.
func (k *Keyring) Open(token ids.Token, envelope []byte) ([]byte, error) {
	id := token.ID()
	inner, err := k.unwrap(id, envelope)
	if err != nil {
		return nil, err
	}
	gcm, err := tokenCipher(token.String(), id)
	if err != nil {
		return nil, err
	}
	if len(inner) < nonceSize {
		return nil, ErrOpen
	}
	payload, err := gcm.Open(nil, inner[:nonceSize], inner[nonceSize:], id[:])
	if err != nil {
		return nil, ErrOpen
	}
	return payload, nil
}

// Reseal puts an envelope's outer layer under the keyset's primary key; it needs no token. It returns
// ErrOpen where the keyset can't open the envelope.
func (k *Keyring) Reseal(id ids.Digest, envelope []byte) ([]byte, error) {
	inner, err := k.unwrap(id, envelope)
	if err != nil {
		return nil, err
	}
	return k.wrap(id, inner)
}

func (k *Keyring) wrap(id ids.Digest, inner []byte) ([]byte, error) {
	outer, err := k.outer.Encrypt(inner, id[:])
	if err != nil {
		return nil, fmt.Errorf("keyring: sealing: %w", err)
	}
	return append([]byte{version1}, outer...), nil
}

func (k *Keyring) unwrap(id ids.Digest, envelope []byte) ([]byte, error) {
	if len(envelope) == 0 || envelope[0] != version1 {
		return nil, ErrOpen
	}
	inner, err := k.outer.Decrypt(envelope[1:], id[:])
	if err != nil {
		return nil, ErrOpen
	}
	return inner, nil
}

// tokenCipher derives the token's key by HKDF-SHA-256 (RFC 5869), salted with the id.
func tokenCipher(token string, id ids.Digest) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(token), id[:], innerInfo, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
