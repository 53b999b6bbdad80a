package embedded

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/minio/sio"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// ListParts implements objects.Uploads. It reads and verifies the header of each part.
func (s *Server) ListParts(ctx context.Context, m objects.Multipart) (all []objects.Part, err error) {
	if err := checkUpload(&m); err != nil {
		return nil, err
	}
	folder := s.disk.folder(m.Object, m.ID)
	err = s.disk.partSizes(folder, func(number int, size int64) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		file, h, _, err := s.openPart(&m, number)
		if err != nil {
			return err
		}
		all = append(all, objects.Part{Number: number, Size: h.length, ETag: hex.EncodeToString(h.etag[:])})
		return file.Close()
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("embedded: list parts: %w", objects.ErrNoUpload)
	}
	return all, diskError("list parts", err)
}

// openPart opens a part's file, and verifies its header and its length.
func (s *Server) openPart(m *objects.Multipart, number int) (file *os.File, h *header, keys *objectKeys, err error) {
	file, err = os.Open(filepath.Join(s.disk.folder(m.Object, m.ID), partName(number)))
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	h, keys, err = readHeader(file, &m.Key, s.opts.Bucket, partObject(m.Object, m.ID, number))
	if err != nil {
		return nil, nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, nil, nil, err
	}
	if want, err := fileSize(h.length); err != nil || info.Size() != want {
		return nil, nil, nil, errCorrupt
	}
	return file, h, keys, nil
}

// CompleteMultipart implements objects.Uploads: it decrypts the parts, one after the other, encrypts them as one object, and makes
// that the object at once, as an upload does. It needs room for the value a second time.
func (s *Server) CompleteMultipart(ctx context.Context, m objects.Multipart, parts []objects.Part) error {
	if err := checkUpload(&m); err != nil {
		return err
	}
	total := int64(0)
	for i := range parts {
		total += parts[i].Size
	}
	if total > s.opts.MaxObjectSize {
		return fmt.Errorf("embedded: join parts: %w", objects.ErrTooLarge)
	}
	if there, err := s.disk.exists(m.Object); err != nil {
		return diskError("join parts", err)
	} else if there {
		return fmt.Errorf("embedded: join parts: %w", objects.ErrObjectExists)
	}
	if s.opts.Admit != nil && s.opts.Admit(ctx, total) != nil {
		return fmt.Errorf("embedded: join parts: %w", objects.ErrNoSpace)
	}
	if err := s.join(ctx, &m, parts, total); err != nil {
		return diskError("join parts", err)
	}
	if err := s.disk.abortUploads(m.Object, m.ID); err != nil { // the gateway aborts the upload again later
		s.opts.Logger.ErrorContext(ctx, "object store: the parts of a joined object can't be removed yet", "error", err)
	}
	return nil
}

func (s *Server) join(ctx context.Context, m *objects.Multipart, parts []objects.Part, total int64) error {
	h := newHeader(s.opts.Now())
	keys, err := deriveKeys(&m.Key, h.salt[:], s.opts.Bucket, m.Object)
	if err != nil {
		return err
	}
	file, err := s.disk.create()
	if err != nil {
		return err
	}
	defer func() {
		if err := file.discard(); err != nil {
			s.opts.Logger.Error("object store: a temporary file can't be removed", "error", err)
		}
	}()
	if _, err := file.Seek(int64(headerSize), io.SeekStart); err != nil {
		return err
	}
	sealed, err := sio.EncryptWriter(struct{ io.Writer }{file}, keys.config())
	if err != nil {
		return err
	}
	for i := range parts {
		if err := s.appendPart(ctx, m, &parts[i], sealed); err != nil {
			return err
		}
	}
	if err := sealed.Close(); err != nil { // writes the last package; it can't close the file
		return err
	}
	h.length = total
	if _, err := file.WriteAt(h.seal(keys), 0); err != nil {
		return err
	}
	return s.disk.commit(file, m.Object, func(f func() error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := os.Lstat(s.disk.folder(m.Object, m.ID)); err != nil { // aborted meanwhile
			return err
		}
		return f()
	})
}

// appendPart writes the plain text of a part, each package of which is authenticated first.
func (s *Server) appendPart(ctx context.Context, m *objects.Multipart, p *objects.Part, w io.Writer) error {
	file, h, keys, err := s.openPart(m, p.Number)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if hex.EncodeToString(h.etag[:]) != p.ETag || h.length != p.Size {
		return objects.ErrParts
	}
	b := newBuffer()
	defer b.release()
	v := &value{buffer: b.plain(), length: h.length}
	if err := v.start(file, keys); err != nil {
		return err
	}
	return v.send(ctx, w)
}

// Size implements objects.Uploads.
func (s *Server) Size(_ context.Context, m objects.Multipart) (int64, error) {
	if !objects.ValidObject(m.Object) {
		return 0, objects.ErrObjectName
	}
	file, err := s.disk.open(m.Object)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("embedded: %w", objects.ErrNoObject)
	} else if err != nil {
		return 0, diskError("size of an object", err)
	}
	defer func() { _ = file.Close() }()
	h, _, err := readHeader(file, &m.Key, s.opts.Bucket, m.Object)
	if errors.Is(err, errKey) {
		return 0, fmt.Errorf("embedded: %w", objects.ErrNoObject)
	} else if err != nil {
		return 0, diskError("size of an object", err)
	}
	return h.length, nil
}

// diskError returns the error of an operation on an upload in parts, wrapping its sentinel. An error of a file names its path, which
// is a hash.
func diskError(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		err = fmt.Errorf("%w: %w", objects.ErrObjectExists, err)
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: %w", objects.ErrNoUpload, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		err = fmt.Errorf("%w: %w", objects.ErrNoSpace, err)
	}
	return fmt.Errorf("embedded: %s: %w", what, err)
}
