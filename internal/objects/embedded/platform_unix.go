//go:build unix && !aix && !solaris

package embedded

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFile locks a directory for this process. The kernel releases the lock when the process ends,
// even after a crash.
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

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// checkMode returns an error for a file with permissions beyond the allowed ones.
func checkMode(path string, allowed os.FileMode) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if extra := info.Mode().Perm() &^ allowed; extra != 0 {
		return fmt.Errorf("embedded: %s has mode %04o, and at most %04[3]o is allowed: run chmod %04[3]o", path, info.Mode().Perm(), allowed)
	}
	return nil
}
