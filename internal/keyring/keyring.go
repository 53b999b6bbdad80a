// Package keyring holds the gateway's master keys and makes the split-key envelope: opening one takes
// both the token and the keyset.
//
// The envelope of a payload is a version byte and then
//
//	outer = AEAD under the keyset (Tink, AES-256-GCM), associated data: id
//	layers = one byte: the layers between outer and inner; only 0, none, is defined
//	inner = AES-256-GCM (NIST SP 800-38D) under a key derived from the token, associated data: id
//
// so that database and keyset can't open an envelope without its token, and the outer layer can be encrypted
// under a newer master key without any token. Envelopes of version 1 have no byte for layers.
//
// Data sealed for other purposes has its own keys: see Purpose.
package keyring

import (
	"context"
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

// ErrOpen is returned for an envelope that can't be opened: another token, another id, another keyset, or
// changed bytes. It does not say which.
var ErrOpen = errors.New("keyring: the envelope can't be opened")

const (
	version1  = 0x01
	version3  = 0x03
	noLayers  = 0x00 // between outer and inner
	innerInfo = "cloakroom/envelope/v1/token-key"
	nonceSize = 12
)

// Keyring seals and opens envelopes. It is safe for concurrent use.
type Keyring struct {
	outer   tink.AEAD
	primary uint32
}

func fromHandle(h *keyset.Handle) (*Keyring, error) {
	a, err := aead.New(h)
	if err != nil {
		return nil, fmt.Errorf("keyring: the keyset holds no usable AEAD keys: %w", err)
	}
	primary, err := h.Primary()
	if err != nil {
		return nil, fmt.Errorf("keyring: the keyset has no primary key: %w", err)
	}
	return &Keyring{outer: a, primary: primary.KeyID()}, nil
}

// Secret is a payload, and the token to seal it with.
type Secret struct {
	Token   ids.Token
	Payload []byte
}

// Envelope is a sealed payload.
type Envelope struct {
	Sealed    []byte
	MasterKey uint32 // the id of the keyset's key that encrypts the outer layer
}

// Locked is a sealed payload, and the token to open it with.
type Locked struct {
	Token  ids.Token
	Sealed []byte
}

// Opened is the payload of an envelope, or ErrOpen.
type Opened struct {
	Payload []byte
	Err     error
}

// Seal returns an envelope for each secret, in their order, or an error and no envelope.
func (k *Keyring) Seal(ctx context.Context, secrets []Secret) ([]Envelope, error) {
	sealed := make([]Envelope, len(secrets))
	for i := range secrets {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if sealed[i], err = k.seal(&secrets[i]); err != nil {
			return nil, err
		}
	}
	return sealed, nil
}

func (k *Keyring) seal(s *Secret) (Envelope, error) {
	id := s.Token.ID()
	gcm, err := tokenCipher(s.Token.String(), id)
	if err != nil {
		return Envelope{}, err
	}
	layered := make([]byte, 1+nonceSize, 1+nonceSize+len(s.Payload)+gcm.Overhead())
	layered[0] = noLayers
	nonce := layered[1:]
	if _, err := rand.Read(nonce); err != nil {
		return Envelope{}, err
	}
	layered = gcm.Seal(layered, nonce, s.Payload, id[:])
	sealed, err := k.wrap(version3, id, layered)
	return Envelope{Sealed: sealed, MasterKey: k.primary}, err
}

// Open returns the payload of each envelope, in their order. An envelope that can't be opened has ErrOpen, and the others
// are opened. If the second result, an error of the keys or the context, is not nil, no payload is returned.
func (k *Keyring) Open(ctx context.Context, locked []Locked) ([]Opened, error) {
	opened := make([]Opened, len(locked))
	for i := range locked {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		opened[i].Payload, opened[i].Err = k.open(&locked[i])
	}
	return opened, nil
}

func (k *Keyring) open(l *Locked) ([]byte, error) {
	id := l.Token.ID()
	version, inner, err := k.unwrap(id, l.Sealed)
	if err != nil {
		return nil, err
	}
	if version == version3 {
		if len(inner) == 0 || inner[0] != noLayers {
			return nil, ErrOpen
		}
		inner = inner[1:]
	}
	gcm, err := tokenCipher(l.Token.String(), id)
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

// Reseal encrypts an envelope's outer layer under the keyset's primary key; it needs no token. It returns
// ErrOpen if the keyset can't open the envelope.
func (k *Keyring) Reseal(id ids.Digest, envelope []byte) (Envelope, error) {
	version, inner, err := k.unwrap(id, envelope)
	if err != nil {
		return Envelope{}, err
	}
	sealed, err := k.wrap(version, id, inner)
	return Envelope{Sealed: sealed, MasterKey: k.primary}, err
}

func (k *Keyring) wrap(version byte, id ids.Digest, inner []byte) ([]byte, error) {
	outer, err := k.outer.Encrypt(inner, id[:])
	if err != nil {
		return nil, fmt.Errorf("keyring: sealing: %w", err)
	}
	return append([]byte{version}, outer...), nil
}

func (k *Keyring) unwrap(id ids.Digest, envelope []byte) (version byte, inner []byte, err error) {
	if len(envelope) == 0 || envelope[0] != version1 && envelope[0] != version3 {
		return 0, nil, ErrOpen
	}
	inner, err = k.outer.Decrypt(envelope[1:], id[:])
	if err != nil {
		return 0, nil, ErrOpen
	}
	return envelope[0], inner, nil
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
