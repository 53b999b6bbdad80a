//go:build !unix || aix || solaris

package embedded

import (
	"fmt"
	"os"
)

// lockFile only opens the file: this system has no advisory lock that is released with its process.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	return f, nil
}

// syncDir does nothing: a directory can't be synced here.
func syncDir(string) error { return nil }

// checkMode only checks that the file exists: its mode has no meaning here.
func checkMode(path string, _ os.FileMode) error {
	_, err := os.Stat(path)
	return err
}
