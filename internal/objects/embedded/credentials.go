package embedded

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// credentialsFile is the JSON form of the signing credentials.
type credentialsFile struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
}

var errCredentialsFile = errors.New("embedded: the credentials file is not valid: restore it, or delete it to make new credentials")

// LoadOrCreateCredentials reads the signing credentials of an embedded store, or makes random
// ones if the file is missing. It returns an error for a file with a wider mode than 0600.
func LoadOrCreateCredentials(path string) (objects.Credentials, error) {
	c, err := loadCredentials(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	err = createCredentials(path)
	if err != nil && !errors.Is(err, fs.ErrExist) { // another process has created it: use that file
		return objects.Credentials{}, fmt.Errorf("embedded: make credentials: %w", err)
	}
	return loadCredentials(path)
}

func loadCredentials(path string) (objects.Credentials, error) {
	var c objects.Credentials
	if err := checkMode(path, 0o600); err != nil {
		return c, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	var f credentialsFile
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	// The decoder's error is dropped, because it can quote the file.
	if d.Decode(&f) != nil || d.More() || f.AccessKeyID == "" || len(f.SecretAccessKey) < 32 {
		return c, errCredentialsFile
	}
	c.AccessKeyID, c.SecretAccessKey = f.AccessKeyID, f.SecretAccessKey
	return c, nil
}

// createCredentials writes a complete new file or none, and never overwrites one.
func createCredentials(path string) error {
	var id [9]byte
	var secret [33]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	_, _ = rand.Read(secret[:])
	b, err := json.MarshalIndent(credentialsFile{
		AccessKeyID:     "embedded" + base64.RawURLEncoding.EncodeToString(id[:]),
		SecretAccessKey: base64.RawURLEncoding.EncodeToString(secret[:]),
	}, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".credentials-") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
