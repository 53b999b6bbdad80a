package keyring

import (
	"bytes"
	"context"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Settings stores values that are set once and shared by all replicas of a deployment.
type Settings interface {
	// Setting returns the value stored under a name. If there is none, it stores and returns the initial value.
	Setting(ctx context.Context, name string, initial []byte) ([]byte, error)
}

// A purpose's keyset is stored in the settings under purposeSetting plus its name, encrypted under the master keys with
// purposeDomain plus its name as associated data. So a purpose's keys can be changed without changing an envelope, and a
// new master key does not change the purposes' keys.
const (
	purposeSetting = "purpose-keys/"
	purposeDomain  = "cloakroom/purpose-keys/v1\x00"
)

// Purpose seals and opens data for one purpose, with keys of its own. It is safe for concurrent use.
type Purpose struct {
	name string
	aead tink.AEAD
}

// Purpose returns the Purpose of a name, such as "cookie"; the first call for a name makes its keys. It returns
// ErrMismatch if its keys were sealed under other master keys.
func (k *Keyring) Purpose(ctx context.Context, s Settings, name string) (*Purpose, error) {
	fresh, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("keyring: making keys for %s: %w", name, err)
	}
	h, err := k.storedKeyset(ctx, s, name, fresh)
	if err != nil {
		return nil, err
	}
	a, err := aead.New(h)
	if err != nil {
		return nil, fmt.Errorf("keyring: the keys for %s: %w", name, err)
	}
	return &Purpose{name: name, aead: a}, nil
}

// Seal returns plaintext sealed for the purpose.
func (p *Purpose) Seal(plaintext []byte) ([]byte, error) {
	sealed, err := p.aead.Encrypt(plaintext, []byte(p.name))
	if err != nil {
		return nil, fmt.Errorf("keyring: sealing for %s: %w", p.name, err)
	}
	return sealed, nil
}

// Open returns the plaintext of data sealed for the purpose, or ErrOpen.
func (p *Purpose) Open(sealed []byte) ([]byte, error) {
	plaintext, err := p.aead.Decrypt(sealed, []byte(p.name))
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// storedKeyset returns the keyset stored under a name. If there is none, it stores and returns the fresh one.
func (k *Keyring) storedKeyset(ctx context.Context, s Settings, name string, fresh *keyset.Handle) (*keyset.Handle, error) {
	var b bytes.Buffer
	if err := fresh.WriteWithAssociatedData(keyset.NewBinaryWriter(&b), k.outer, purposeData(name)); err != nil {
		return nil, fmt.Errorf("keyring: sealing the keys for %s: %w", name, err)
	}
	text, err := s.Setting(ctx, purposeSetting+name, b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("keyring: the keys for %s: %w", name, err)
	}
	return k.openPurpose(name, text)
}

func (k *Keyring) openPurpose(name string, text []byte) (*keyset.Handle, error) {
	h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(text)), k.outer, purposeData(name))
	if err != nil {
		return nil, ErrMismatch
	}
	return h, nil
}

// CheckPurpose returns ErrMismatch unless this keyset opens text, the stored keyset of a purpose.
func (k *Keyring) CheckPurpose(name string, text []byte) error {
	_, err := k.openPurpose(name, text)
	return err
}

func purposeData(name string) []byte { return []byte(purposeDomain + name) }
