package appkit

// Policy of secret files: a file is created completely or not at all. It is written under another name,
// synced and linked into place, so that two processes that start together use the same file. Only its
// owner can read it. A file that others can read is refused and not repaired, since it may have been
// read already.

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const (
	maxSecretFile = 64 << 10
	secretSize    = 32
)

// LoadOrCreateKey reads the private JWK in the file, and makes one there (mode 0600) if there is no
// file. The folder must exist. A file that other users can read is refused.
//
// Errors name the file and the remedy, and never quote the file. Those of the file system are wrapped: fs.ErrNotExist for
// the folder, fs.ErrPermission. Others have no sentinel: other users can read the file, it is too long, or it holds no key
// (those of ParseKey).
func LoadOrCreateKey(path string) (*Key, error) {
	data, err := loadOrCreate(path, func() ([]byte, error) {
		key, err := GenerateKey()
		if err != nil {
			return nil, err
		}
		return json.MarshalIndent(key.private, "", "  ")
	})
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	key, err := ParseKey(data)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w (or move the file away: then a new key is made)", path, err)
	}
	return key, nil
}

// LoadOrCreateSecret reads the 32-byte secret in the file, and makes a random one there (mode 0600)
// under the rules of LoadOrCreateKey. It is for an application's own use, for example to derive
// the key of its cookies. Its errors are those of LoadOrCreateKey; a file without a secret has no sentinel.
func LoadOrCreateSecret(path string) ([]byte, error) {
	data, err := loadOrCreate(path, func() ([]byte, error) {
		secret := make([]byte, secretSize)
		_, err := rand.Read(secret)
		return []byte(base64.RawURLEncoding.EncodeToString(secret)), err
	})
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	secret, err := base64.RawURLEncoding.Strict().DecodeString(string(bytes.TrimSpace(data)))
	if err != nil || len(secret) != secretSize {
		return nil, fmt.Errorf("secret %s: not %d bytes in base64url: move the file away, then a new one is made",
			path, secretSize)
	}
	return secret, nil
}

func loadOrCreate(path string, produce func() ([]byte, error)) ([]byte, error) {
	data, err := readSecretFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	fresh, err := produce()
	if err != nil {
		return nil, err
	}
	if err := createSecretFile(path, append(fresh, '\n')); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return readSecretFile(path)
}

func readSecretFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: give the path of a file", path)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o, so other users may have read it: "+
			"replace the secret, or if nobody has read it, run chmod 600 %[1]s", path, mode)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	if err == nil && len(data) > maxSecretFile {
		err = fmt.Errorf("%s has more than %d bytes: it is not a key", path, maxSecretFile)
	}
	return data, err
}

// createSecretFile returns an error that wraps fs.ErrExist if the file exists already.
func createSecretFile(path string, data []byte) error {
	folder := filepath.Dir(path)
	temp, err := os.CreateTemp(folder, "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	// A link, unlike a rename, never replaces another process's file.
	if err := os.Link(temp.Name(), path); err != nil {
		return err
	}
	return syncFolder(folder)
}

func syncFolder(path string) error {
	if runtime.GOOS == "windows" { // Windows can't sync a folder
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
