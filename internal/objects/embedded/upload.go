package embedded

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/minio/sio"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

func (s *Server) put(w http.ResponseWriter, r *http.Request, req *objects.Request) *apiError {
	limit := s.opts.MaxObjectSize
	if req.Size == 0 {
		limit = s.opts.MaxUnsizedSize
	}
	if r.ContentLength > limit {
		return errTooLarge
	}
	if !s.admits(r, r.ContentLength) {
		return errNoSpace
	}
	t, refused := s.transfers.begin(req.Object, parseSigner(req.Signer), req.Time, true, w)
	if refused != nil {
		return refused
	}
	defer t.end()
	// This check only saves the transfer; the link in commit prevents the replacement of an object.
	if there, err := s.disk.exists(req.Object); err != nil {
		return s.fail(r, req.Object, "write", err)
	} else if there {
		return errExists
	}
	return s.receive(w, r, req, limit, t, target{name: req.Object, commit: func(u upload) error { return s.disk.commit(u, req.Object, t.do) }})
}

// putPart answers the PUT of a part of an upload in parts.
func (s *Server) putPart(w http.ResponseWriter, r *http.Request, req *objects.Request) *apiError {
	if !uploadPattern.MatchString(req.UploadID) {
		return errNoSuchUpload
	}
	if req.Size > s.PartLimits().MaxSize {
		return errTooLarge
	}
	if !s.admits(r, req.Size) {
		return errNoSpace
	}
	t, refused := s.transfers.admit(req.Object, req.Part, parseSigner(req.Signer), req.Time, true, w)
	if refused != nil {
		return refused
	}
	defer t.end()
	folder := s.disk.folder(req.Object, req.UploadID)
	total := req.Size
	err := s.disk.partSizes(folder, func(number int, size int64) error {
		if number != req.Part {
			total += size - partOverhead
		}
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errNoSuchUpload
	case err != nil:
		return s.fail(r, req.Object, "write", err)
	}
	if most, err := fileSize(s.opts.MaxObjectSize); err != nil || total > most {
		return errTooLarge
	}
	return s.receive(w, r, req, req.Size, t, target{
		name:   partObject(req.Object, req.UploadID, req.Part),
		commit: func(u upload) error { return s.disk.commitPart(u, folder, req.Part, t.do) },
	})
}

// partOverhead is more than the bytes that a part adds to the size of the files: its header, and that of its last package.
const partOverhead = 256

// target is where a received body goes.
type target struct {
	name   string // of the object or part, for its keys
	commit func(upload) error
}

// receive stores the body of an admitted upload, and answers it.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, req *objects.Request, limit int64, t *transfer, to target) *apiError {
	size := max(r.ContentLength, 0)
	if !t.reserve(size) {
		return errOverShare
	}
	h := newHeader(s.opts.Now())
	room := func() bool { return s.admits(r, 0) }
	body := &bodyReader{r: http.MaxBytesReader(w, r.Body, limit), t: t, held: size, pace: s.newPace(), room: room}
	err := s.write(req, h, body, to)
	t.settle(time.Now().Add(s.opts.Grace)) // the earlier deadline may have passed during the transfer
	if err != nil {
		return s.refuseUpload(r, req, body, err)
	}
	s.describe(w, req, h)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// admits reports whether the disk has room for this many bytes; -1: unknown size.
func (s *Server) admits(r *http.Request, bytes int64) bool {
	return s.opts.Admit == nil || s.opts.Admit(r.Context(), bytes) == nil
}

// refuseUpload returns why an upload was not stored.
func (s *Server) refuseUpload(r *http.Request, req *objects.Request, body *bodyReader, err error) *apiError {
	var over *http.MaxBytesError
	switch {
	case body.t.stopped() != nil:
		return body.t.stopped()
	case errors.As(body.err, &over):
		return errTooLarge
	case errors.Is(body.err, errShare):
		return errOverShare
	case errors.Is(body.err, errRoom):
		return errNoSpace
	case errors.Is(body.err, os.ErrDeadlineExceeded):
		return errSlow
	case body.err != nil, errors.Is(err, errBodyIncomplete):
		return errIncomplete
	case errors.Is(err, fs.ErrExist):
		return errExists
	case req.Part > 0 && errors.Is(err, fs.ErrNotExist):
		return errNoSuchUpload
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return errNoSpace
	}
	return s.fail(r, req.Object, "write", err)
}

// write encrypts a body into a new file. The header is written last, into the space left for it, because
// the length is known only then; a file without a header can't be opened with any key.
func (s *Server) write(req *objects.Request, h *header, body *bodyReader, to target) error {
	keys, err := deriveKeys(&req.Key, h.salt[:], s.opts.Bucket, to.name)
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
	sealed, err := sio.EncryptReader(body, keys.config())
	if err != nil {
		return err
	}
	if _, err := file.Seek(int64(headerSize), io.SeekStart); err != nil {
		return err
	}
	buffer := newBuffer()
	defer buffer.release()
	// The wrappers hide ReadFrom and WriteTo, so that io.CopyBuffer uses the buffer.
	if _, err := io.CopyBuffer(struct{ io.Writer }{file}, struct{ io.Reader }{sealed}, buffer.sealed()); err != nil {
		return err
	}
	if body.err != nil || (req.Size > 0 && body.n != req.Size) {
		return errBodyIncomplete
	}
	h.length = body.n
	if _, err := file.WriteAt(h.seal(keys), 0); err != nil {
		return err
	}
	return to.commit(file)
}
