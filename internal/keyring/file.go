package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// LoadFile reads a keyset, as Tink's JSON, from a file that only its owner may read.
// It returns an error that wraps fs.ErrNotExist if there is no file.
func LoadFile(path string) (*Keyring, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	if wide := info.Mode().Perm() & 0o077; wide != 0 {
		return nil, fmt.Errorf("keyring: other users may read the keyset %s (mode %04o): run chmod 600 on it, "+
			"and rotate its keys if other users could log in", path, info.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	defer clear(b)
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(b)))
	if err != nil {
		return nil, fmt.Errorf("keyring: %s is not a Tink keyset in JSON", path) // Tink's text could quote a key
	}
	return fromHandle(h)
}

// CreateFile makes a keyset of one new key in a file of mode 0600, and syncs it to disk. It never
// overwrites: if the file exists it returns an error that wraps fs.ErrExist.
func CreateFile(path string) error {
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("keyring: making a key: %w", err)
	}
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b)); err != nil {
		return fmt.Errorf("keyring: writing the keyset: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	tmp, err := os.CreateTemp(dir, ".keyset-*") // mode 0600
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(b.Bytes())
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	// A link, unlike a rename, fails if the file exists.
	if err := os.Link(tmp.Name(), path); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keyring: %s exists, and a keyset is never overwritten: tokens may need it (%w)", path, fs.ErrExist)
	} else if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return syncDir(dir)
}

// LoadOrCreateFile loads a keyset as LoadFile does, after CreateFile if there is no file.
func LoadOrCreateFile(path string) (*Keyring, error) {
	k, err := LoadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if err := CreateFile(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return LoadFile(path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}
