package keyring

import (
	"bytes"
	"context"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Settings keeps what a deployment decides once, for all its replicas.
type Settings interface {
	// Setting returns what is kept under a name; where nothing is, it keeps and returns the initial value.
	Setting(ctx context.Context, name string, initial []byte) ([]byte, error)
}

// A purpose's own keyset is kept in the settings under purposeSetting and its name, encrypted under the master keys
// with purposeDomain and its name as associated data. So a purpose's keys are changed without touching an envelope,
// and a new master key leaves the purposes' keys as they are.
const (
	purposeSetting = "purpose-keys/"
	purposeDomain  = "cloakroom/purpose-keys/v1\x00"
)

// Purpose seals for one purpose, with keys that serve no other. It is safe for concurrent use.
type Purpose struct {
	name string
	aead tink.AEAD
}

// Purpose returns the sealer of a purpose, such as "cookie"; the first call for a name makes its keys. It returns
// ErrMismatch where other master keys have sealed these.
func (k *Keyring) Purpose(ctx context.Context, s Settings, name string) (*Purpose, error) {
	fresh, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("keyring: making keys for %s: %w", name, err)
	}
	h, err := k.kept(ctx, s, name, fresh)
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

// Open returns what was sealed for the purpose, or ErrOpen.
func (p *Purpose) Open(sealed []byte) ([]byte, error) {
	plaintext, err := p.aead.Decrypt(sealed, []byte(p.name))
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// kept returns the keyset that is kept under a name: the fresh one where there is none yet.
func (k *Keyring) kept(ctx context.Context, s Settings, name string, fresh *keyset.Handle) (*keyset.Handle, error) {
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

// CheckPurpose returns ErrMismatch unless this keyset opens what is kept for a purpose.
func (k *Keyring) CheckPurpose(name string, text []byte) error {
	_, err := k.openPurpose(name, text)
	return err
}

func purposeData(name string) []byte { return []byte(purposeDomain + name) }
