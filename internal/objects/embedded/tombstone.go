package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// A tombstone is an empty file in an object's place: no upload can be linked over it, and nothing can be read from it. No
// object is an empty file, as each has a header.

// bury turns the objects' files into tombstones, and makes those of objects that don't exist.
func (d *disk) bury(ctx context.Context, names []string) error {
	dirs := make(map[string]bool)
	var failed objects.PartialError
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		path := d.path(name)
		made, err := d.buryOne(path)
		if err != nil { // a full disk has no room for a new one, and those that empty a file make room
			failed.Objects = append(failed.Objects, name)
			if failed.Err == nil {
				failed.Err = fmt.Errorf("embedded: delete: %w", err)
			}
			continue
		}
		if made {
			dirs[filepath.Dir(path)] = true
		}
	}
	var err error
	for dir := range dirs {
		err = errors.Join(err, syncDir(dir))
	}
	if err == nil && failed.Err != nil {
		return &failed
	}
	return err
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
