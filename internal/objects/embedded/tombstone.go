package embedded

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A tombstone is an empty file in an object's place: no upload can be linked over it, and nothing can be read from it. No
// object is an empty file, as each has a header.

// bury turns the objects' files into tombstones, and makes those of objects that don't exist: a full disk has no room for
// a new one, and those that empty a file make room.
func (d *disk) bury(ctx context.Context, names []string) error {
	return d.erase(ctx, names, d.buryOne)
}

// buryOne empties a file in its place, which needs no space on a full disk, and makes a new one only where there is
// none.
func (d *disk) buryOne(path string) (made bool, err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if err = d.makeDir(filepath.Dir(path)); err != nil {
			return false, err
		}
		made = true
		file, err = os.OpenFile(path, os.O_WRONLY|os.O_TRUNC|os.O_CREATE, 0o600)
	}
	if err != nil {
		return false, err
	}
	return made, errors.Join(file.Sync(), file.Close())
}
