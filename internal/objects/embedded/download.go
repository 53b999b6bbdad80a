package embedded

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"

	"github.com/minio/sio"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// inMemory is the largest value that a download holds in memory. It is opened once; a larger one
// is opened twice, see get.
const inMemory = 1 << 20

// get answers a GET or HEAD. Nothing of a value leaves before all of it is authenticated: a small
// one is opened into memory; a large one is opened to its end first, and again to send it. The
// second pass authenticates too, so that a file changed in between breaks the connection off.
func (s *Server) get(w http.ResponseWriter, r *http.Request, req *objects.Request) *apiError {
	file, err := s.disk.open(req.Object)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoSuchKey
	} else if err != nil {
		return s.fail(r, req.Object, "read", err)
	}
	defer func() { _ = file.Close() }()
	h, keys, err := readHeader(file, &req.Key, s.opts.Bucket, req.Object)
	if errors.Is(err, errKey) {
		return errWrongKey
	} else if err != nil {
		return s.fail(r, req.Object, "read", err)
	}
	small, err := authenticate(file, h, keys)
	if err != nil {
		return s.fail(r, req.Object, "the object is damaged", err)
	}
	s.describe(w, req, h)
	header := w.Header()
	header.Set("Content-Type", req.ContentType)
	if req.Disposition != "" {
		header.Set("Content-Disposition", req.Disposition)
	}
	header.Set("Content-Length", strconv.FormatInt(h.length, 10))
	header.Set("Last-Modified", h.written.UTC().Format(http.TimeFormat))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	if small == nil {
		err = decrypt(w, file, keys)
	} else {
		_, err = w.Write(small)
	}
	if err != nil {
		panic(http.ErrAbortHandler) // the client must not take a part for the whole
	}
	return nil
}

// authenticate opens the whole body. It returns a value of up to inMemory bytes, and nil for a
// larger one.
func authenticate(file *os.File, h *header, keys *objectKeys) ([]byte, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if want, err := fileSize(h.length); err != nil || info.Size() != want {
		return nil, errCorrupt
	}
	if h.length > inMemory {
		return nil, decrypt(io.Discard, file, keys)
	}
	if h.length == 0 {
		return []byte{}, nil
	}
	value := bytes.NewBuffer(make([]byte, 0, h.length))
	if err := decrypt(value, file, keys); err != nil {
		return nil, err
	}
	if int64(value.Len()) != h.length {
		return nil, errCorrupt
	}
	return value.Bytes(), nil
}

// decrypt writes a file's value from its beginning.
func decrypt(w io.Writer, file *os.File, keys *objectKeys) error {
	if _, err := file.Seek(int64(headerSize), io.SeekStart); err != nil {
		return err
	}
	open, err := sio.DecryptReader(file, keys.config())
	if err != nil {
		return err
	}
	return copyAll(w, open)
}
