package embedded

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"syscall"
	"time"

	"github.com/minio/sio"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

func (s *Server) put(w http.ResponseWriter, r *http.Request, req *objects.Request) *apiError {
	most := s.opts.MaxObjectSize
	if req.Size == 0 {
		most = s.opts.MaxUnsizedSize
	}
	if r.ContentLength > most {
		return errTooLarge
	}
	if s.opts.Admit != nil && s.opts.Admit(r.Context(), r.ContentLength) != nil {
		return errNoSpace
	}
	// Only now that the request is known to be signed may its body take its time; not every writer has a deadline to set.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.opts.UploadLifetime))
	// The link in commit is what keeps an object from being replaced; this spares the transfer.
	if there, err := s.disk.exists(req.Object); err != nil {
		return s.fail(r, req.Object, "write", err)
	} else if there {
		return errExists
	}
	h := newHeader(s.opts.Now())
	body := &bodyReader{r: http.MaxBytesReader(w, r.Body, most)}
	err := s.write(req, h, body)
	var over *http.MaxBytesError
	switch {
	case errors.As(body.err, &over):
		return errTooLarge
	case body.err != nil, errors.Is(err, errHalf):
		return errIncomplete
	case errors.Is(err, fs.ErrExist):
		return errExists
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return errNoSpace
	case err != nil:
		return s.fail(r, req.Object, "write", err)
	}
	s.describe(w, req, h)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// write encrypts a body into a new file. The header comes last, over the hole left for it: its
// length is known only then, and a file without it opens under no key.
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
			s.opts.Logger.Error("object store: a temporary file stays", "error", err)
		}
	}()
	sealed, err := sio.EncryptReader(body, keys.config())
	if err != nil {
		return err
	}
	if _, err := file.Seek(int64(headerSize), io.SeekStart); err != nil {
		return err
	}
	if err := copyAll(file, sealed); err != nil {
		return err
	}
	if body.err != nil || (req.Size > 0 && body.n != req.Size) {
		return errHalf
	}
	h.length = body.n
	if _, err := file.WriteAt(h.seal(keys), 0); err != nil {
		return err
	}
	return s.disk.commit(file, req.Object)
}

// bodyReader counts a request's body, and tells its faults from the disk's.
type bodyReader struct {
	r   io.Reader
	n   int64
	err error
}

// errHalf is a body that broke off. It is not io.ErrUnexpectedEOF, as net/http says: readers such
// as sio's take that for a short last block, and would seal half a value as a whole one.
var errHalf = errors.New("embedded: the body broke off")

// Read implements io.Reader.
func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	if err != nil && err != io.EOF {
		b.err = err
		err = errHalf
	}
	return n, err
}
