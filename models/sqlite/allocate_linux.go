package sqlite

import (
	"errors"
	"os"
	"syscall"
)

// keepSize is FALLOC_FL_KEEP_SIZE of fallocate(2): the allocated blocks lie beyond the file's end.
const keepSize = 1

// allocate allocates at least want bytes of the disk to a file, whatever its size; blocks that it has stay. If the file
// system can't do this, it returns errors.ErrUnsupported.
func allocate(f *os.File, want int64) error {
	var s syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &s); err != nil {
		return err
	}
	if s.Blocks*512 >= want {
		return nil
	}
	for {
		err := syscall.Fallocate(int(f.Fd()), keepSize, 0, want)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
			return errors.ErrUnsupported
		}
		return err
	}
}

// freeBytes returns how many bytes of the file's disk are free.
func freeBytes(f *os.File) int64 {
	var s syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &s); err != nil {
		return 0
	}
	return int64(s.Bavail) * s.Bsize
}
