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
			return nil, errors.New("embedded: another process uses the directory")
		}
		return nil, fmt.Errorf("embedded: lock: %w", err)
	}
	return f, nil
}
