package embedded

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// The files of uploads in parts:
//
//	DIR/parts/HASH-ID/00001  part 1 of the upload ID of an object, by SHA-256 of bucket and object key
//
// A part has the format of an object (format.go); its keys are bound to object, upload and number. A part is renamed into the
// folder, so that the folder has whole parts only, and another one of the same number replaces it. An upload is aborted by
// moving its folder to DIR/tmp, so that no part can arrive any more.

// staleUpload is the age after which an upload's folder is removed at a start, if no part has arrived since. No upload lasts as
// long (objects.multipart_lifetime), so the folder belongs to no row.
const staleUpload = 8 * 24 * time.Hour

var uploadPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// folder returns the folder of an upload. Callers have checked the object's key and the id.
func (d *disk) folder(object, id string) string {
	return filepath.Join(d.parts, d.hash(object)+"-"+id)
}

func partName(number int) string { return fmt.Sprintf("%05d", number) }

// partObject is what a part's keys are bound to, in place of an object's key. No key contains NUL.
func partObject(object, id string, number int) string {
	return object + "\x00" + id + "\x00" + strconv.Itoa(number)
}

// hash returns SHA-256 of bucket and object key, in hexadecimal.
func (d *disk) hash(object string) string {
	sum := sha256.Sum256([]byte(d.bucket + "\x00" + object))
	return hex.EncodeToString(sum[:])
}

// createUpload makes the folder of a new upload, durably, and returns the upload's id.
func (d *disk) createUpload(object string) (id string, err error) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	id = hex.EncodeToString(b[:])
	if err := os.Mkdir(d.folder(object, id), 0o700); err != nil {
		return "", err
	}
	return id, syncDir(d.parts)
}

// commitPart makes the file the part, durably, as commit does for an object. If the upload is over it returns fs.ErrNotExist.
func (d *disk) commitPart(u upload, folder string, number int, guard func(func() error) error) error {
	if err := errors.Join(u.Sync(), u.Close()); err != nil {
		return err
	}
	return guard(func() error {
		if err := os.Rename(u.Name(), filepath.Join(folder, partName(number))); err != nil {
			return err
		}
		return syncDir(folder)
	})
}

// partSizes calls each for every part in the folder, in the order of their numbers, with its file's size.
func (d *disk) partSizes(folder string, each func(number int, size int64) error) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		number, err := strconv.Atoi(e.Name())
		if err != nil {
			return errCorrupt
		}
		info, err := e.Info()
		if err == nil {
			err = each(number, info.Size())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// abortUploads removes the folders of an object's uploads: of one, or of all if id is "". A crash leaves them in DIR/tmp, which
// the next start empties.
func (d *disk) abortUploads(object, id string) error {
	found := []string{d.folder(object, id)}
	if id == "" {
		found = nil
		entries, err := os.ReadDir(d.parts)
		if err != nil {
			return err
		}
		prefix := d.hash(object) + "-"
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), prefix) {
				found = append(found, filepath.Join(d.parts, e.Name()))
			}
		}
	}
	var failed error
	for _, folder := range found {
		failed = errors.Join(failed, d.removeUpload(folder))
	}
	return failed
}

func (d *disk) removeUpload(folder string) error {
	aborted := filepath.Join(d.tmp, "aborted-"+filepath.Base(folder))
	err := os.Rename(folder, aborted)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(os.RemoveAll(aborted), syncDir(d.parts))
}

// removeStale removes the folders of uploads that belong to no row any more, for example after an older database was restored.
func (d *disk) removeStale(before time.Time) error {
	entries, err := os.ReadDir(d.parts)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, failed := e.Info()
		if failed == nil && info.ModTime().Before(before) {
			failed = d.removeUpload(filepath.Join(d.parts, e.Name()))
		}
		err = errors.Join(err, failed)
	}
	return err
}

// checkUpload checks what becomes part of a path.
func checkUpload(m *objects.Multipart) error {
	if !objects.ValidObject(m.Object) {
		return objects.ErrObjectName
	}
	if !uploadPattern.MatchString(m.ID) {
		return fmt.Errorf("embedded: %w", objects.ErrNoUpload)
	}
	return nil
}

// CreateMultipart implements objects.Uploads.
func (s *Server) CreateMultipart(ctx context.Context, m objects.Multipart) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if !objects.ValidObject(m.Object) {
		return "", objects.ErrObjectName
	}
	id, err := s.disk.createUpload(m.Object)
	if err != nil {
		return "", diskError("begin an upload in parts", err)
	}
	return id, nil
}

// SignPart implements objects.Uploads. A size over MaxObjectSize is objects.ErrTooLarge.
func (s *Server) SignPart(u objects.PartUpload) (objects.SignedRequest, error) {
	if u.Size > s.PartLimits().MaxSize {
		return objects.SignedRequest{}, objects.ErrTooLarge
	}
	return s.sign.Part(u, s.opts.Now(), s.opts.UploadLifetime, s.names.of(u.Signer).text())
}

// The limits are those of S3, so that clients work with both stores; the sizes are bounded by MaxObjectSize.
const (
	minPart  = 5 << 20
	maxPart  = 5 << 30
	maxParts = 10_000
)

// PartLimits implements objects.Uploads.
func (s *Server) PartLimits() objects.PartLimits {
	return objects.PartLimits{MinSize: minPart, MaxSize: min(maxPart, s.opts.MaxObjectSize), MaxNumber: maxParts, MaxTotal: s.opts.MaxObjectSize}
}

// AbortMultipart implements objects.Uploads. It stops the upload's transfers.
func (s *Server) AbortMultipart(ctx context.Context, m objects.Multipart) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.ID != "" || !objects.ValidObject(m.Object) {
		if err := checkUpload(&m); err != nil {
			return err
		}
	}
	s.transfers.stopParts(m.Object)
	return diskError("abort an upload in parts", s.disk.abortUploads(m.Object, m.ID))
}
