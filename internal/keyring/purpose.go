package keyring

import "fmt"

// version2 marks what is sealed for a purpose: no envelope begins with it.
const version2 = 0x02

const purposeDomain = "cloakroom/purpose/v1\x00"

// SealFor returns plaintext sealed under the keyset for one purpose, a name that is associated data: what
// is sealed for one purpose opens for no other. It never opens as a token's envelope either, nor an envelope
// for a purpose: the associated data of those is a hash.
func (k *Keyring) SealFor(purpose string, plaintext []byte) ([]byte, error) {
	sealed, err := k.outer.Encrypt(plaintext, purposeData(purpose))
	if err != nil {
		return nil, fmt.Errorf("keyring: sealing for %s: %w", purpose, err)
	}
	return append([]byte{version2}, sealed...), nil
}

// OpenFor returns what was sealed for the purpose, or ErrOpen.
func (k *Keyring) OpenFor(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != version2 {
		return nil, ErrOpen
	}
	plaintext, err := k.outer.Decrypt(sealed[1:], purposeData(purpose))
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

func purposeData(purpose string) []byte { return []byte(purposeDomain + purpose) }
