//go:build linux || darwin || freebsd

package space

import "syscall"

func stat(dir string) (free, size int64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	block := int64(s.Bsize) //nolint:unconvert // uint32 on some systems
	return int64(s.Bavail) * block, int64(s.Blocks) * block, nil
}
