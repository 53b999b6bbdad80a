package embedded

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A tombstone is an empty file in an object's place: no upload can be linked over it, and it contains nothing. An object is
// never an empty file, because it has a header.

// tombstone replaces the objects' files with tombstones, and creates tombstones for objects that don't exist. On a full disk
// creating one can fail; emptying a file frees space.
func (d *disk) tombstone(ctx context.Context, names []string) error {
	return d.erase(ctx, names, d.tombstoneOne)
}

// tombstoneOne truncates the file, which needs no space on a full disk, and creates one only if there is none.
func (d *disk) tombstoneOne(path string) (made bool, err error) {
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
