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
	size := max(r.ContentLength, 0)
	if !t.reserve(size) {
		return errOverShare
	}
	h := newHeader(s.opts.Now())
	room := func() bool { return s.admits(r, 0) }
	body := &bodyReader{r: http.MaxBytesReader(w, r.Body, limit), t: t, held: size, pace: s.newPace(), room: room}
	err := s.write(req, h, body)
	t.settle(time.Now().Add(s.opts.Grace)) // the earlier deadline may have passed during the transfer
	if err != nil {
		return s.refuseUpload(r, req.Object, body, err)
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
func (s *Server) refuseUpload(r *http.Request, object string, body *bodyReader, err error) *apiError {
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
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return errNoSpace
	}
	return s.fail(r, object, "write", err)
}

// write encrypts a body into a new file. The header is written last, into the space left for it, because
// the length is known only then; a file without a header can't be opened with any key.
func (s *Server) write(req *objects.Request, h *header, body *bodyReader) error {
	keys, err := deriveKeys(&req.Key, h.salt[:], s.opts.Bucket, req.Object)
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
	return s.disk.commit(file, req.Object, body.t.do)
}
