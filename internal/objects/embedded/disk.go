package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// disk has the files of one bucket:
//
//	DIR/lock              locked while a process uses the directory
//	DIR/tmp/*             uploads in progress; removed at start
//	DIR/parts/*           uploads in parts: see parts.go
//	DIR/objects/ab/cdef…  objects, by SHA-256 of bucket and object key; an empty file is a tombstone
//
// A name on disk is a hash, so that no object key can name another path, and the 256 directories
// fill evenly.
type disk struct {
	root, tmp, parts, objects string
	bucket                    string
	lock                      *os.File
}

func openDisk(dir, bucket string) (*disk, error) {
	d := &disk{root: dir, tmp: filepath.Join(dir, "tmp"), parts: filepath.Join(dir, "parts"), objects: filepath.Join(dir, "objects"), bucket: bucket}
	for _, p := range []string{d.root, d.tmp, d.parts, d.objects} {
		if err := os.MkdirAll(p, 0o700); err != nil {
			return nil, fmt.Errorf("embedded: %w", err)
		}
	}
	var err error
	if d.lock, err = lockFile(filepath.Join(dir, "lock")); err != nil {
		return nil, err
	}
	// No other process writes while the lock is held, so these files are from interrupted uploads and abortions.
	entries, err := os.ReadDir(d.tmp)
	if err == nil {
		for _, e := range entries {
			err = errors.Join(err, os.RemoveAll(filepath.Join(d.tmp, e.Name())))
		}
	}
	if err == nil {
		err = d.removeStale(time.Now().Add(-staleUpload))
	}
	if err == nil {
		err = errors.Join(syncDir(d.root), syncDir(d.tmp))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded: clean up: %w", err), d.close())
	}
	return d, nil
}

func (d *disk) close() error { return d.lock.Close() }

func (d *disk) ready() error {
	for _, p := range []string{d.tmp, d.parts, d.objects} {
		if _, err := os.Stat(p); err != nil {
			return fmt.Errorf("embedded: not ready: %w", err)
		}
	}
	return nil
}

// path returns the path of an object's file. Callers have checked the object's key.
func (d *disk) path(object string) string {
	name := d.hash(object)
	return filepath.Join(d.objects, name[:2], name[2:])
}

// open opens an object's file; for a tombstone it returns fs.ErrNotExist.
func (d *disk) open(object string) (*os.File, error) {
	file, err := os.Open(d.path(object))
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Size() == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// exists reports whether the object or its tombstone exists.
func (d *disk) exists(object string) (bool, error) {
	_, err := os.Lstat(d.path(object))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// upload is the temporary file of an upload. discard must be called at the end, also after commit or commitPart.
type upload struct{ *os.File }

func (d *disk) create() (upload, error) {
	f, err := os.CreateTemp(d.tmp, "upload-")
	return upload{f}, err
}

func (u upload) discard() error {
	_ = u.Close()                                                    // after a commit this is the second Close
	if err := os.Remove(u.Name()); !errors.Is(err, fs.ErrNotExist) { // a part's file has been renamed
		return err
	}
	return nil
}

// commit makes the file the object. It returns fs.ErrExist if the object or its tombstone exists. Of concurrent uploads the
// first link wins, and the directory is synced before the upload is answered. Link and sync run in guard, which may
// refuse them.
func (d *disk) commit(u upload, object string, guard func(func() error) error) error {
	if err := u.Sync(); err != nil {
		return err
	}
	if err := u.Close(); err != nil {
		return err
	}
	path := d.path(object)
	if err := d.makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	return guard(func() error {
		if err := os.Link(u.Name(), path); err != nil {
			return err
		}
		return syncDir(filepath.Dir(path))
	})
}

// makeDir makes one of the directories of objects if it is missing.
func (d *disk) makeDir(dir string) error {
	switch err := os.Mkdir(dir, 0o700); {
	case err == nil:
		return syncDir(d.objects)
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	return nil
}

// remove deletes the objects' files only: directories stay.
func (d *disk) remove(ctx context.Context, names []string) error {
	return d.erase(ctx, names, func(path string) (bool, error) {
		err := os.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	})
}

// erase calls one for each object's file, and syncs the changed directories. After a failure it continues with the other
// files; its PartialError names the failed objects.
func (d *disk) erase(ctx context.Context, names []string, one func(path string) (changed bool, err error)) error {
	dirs := make(map[string]bool)
	var failed objects.PartialError
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		path := d.path(name)
		changed, err := one(path)
		if err != nil {
			failed.Objects = append(failed.Objects, name)
			if failed.Err == nil {
				failed.Err = fmt.Errorf("embedded: delete: %w", err)
			}
			continue
		}
		if changed {
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
