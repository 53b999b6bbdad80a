//go:build unix && !aix && !solaris

package embedded

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFile takes a directory for this process. The kernel gives it back when the process ends,
// however it does.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, fmt.Errorf("embedded: lock: %w", err)
	}
	return f, nil
}

// syncDir makes the names in a directory survive a power cut.
func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// checkMode refuses a file that others than its owner may use.
func checkMode(path string, allowed os.FileMode) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if extra := info.Mode().Perm() &^ allowed; extra != 0 {
		return fmt.Errorf("embedded: %s has mode %04o, and may have at most %04o: run chmod", path, info.Mode().Perm(), allowed)
	}
	return nil
}
