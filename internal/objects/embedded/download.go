package embedded

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/minio/sio"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// checkedFirst is the size in bytes up to which a value is authenticated completely before the first byte of a response is
// sent. Such a value is read twice, so that it is not kept in memory for a slow client.
const checkedFirst = 4 << 20

// get answers a GET or HEAD. Each package of a value is authenticated before it is sent, with its position, and the header
// authenticates the length. So the response for a changed file ends before its Content-Length, and for a small value it
// is an error.
func (s *Server) get(w http.ResponseWriter, r *http.Request, req *objects.Request) *apiError {
	t, refused := s.transfers.begin(req.Object, parseSigner(req.Signer), req.Time, false, w)
	if refused != nil {
		return refused
	}
	defer t.end()
	// net/http reads in the background to notice a disconnect; a read deadline would end the context of a long transfer.
	_ = t.control.SetReadDeadline(time.Time{})
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
	b := newBuffer()
	defer b.release()
	value, err := openValue(r.Context(), file, h, keys, b)
	if t.stopped() != nil {
		t.settle(time.Now().Add(s.opts.Grace))
		return t.stopped()
	} else if err != nil {
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
	if err := value.send(r.Context(), &pacedWriter{w: w, t: t, pace: s.newPace()}); err != nil {
		s.opts.Logger.DebugContext(r.Context(), "a download was interrupted", "error", err)
		s.refused(r, cutReason(r.Context(), t, err))
		panic(http.ErrAbortHandler) // the client must not take the part for a complete response
	}
	return nil
}

// cutReason returns why a download was interrupted.
func cutReason(ctx context.Context, t *transfer, err error) string {
	why := t.stopped()
	switch {
	case why != nil:
		return why.reason
	case errors.Is(err, os.ErrDeadlineExceeded):
		return reasonSlow
	case errors.Is(err, errWrite), ctx.Err() != nil:
		return reasonIncomplete
	}
	return reasonFailed
}

// value is an open value; its first package has been read.
type value struct {
	open   io.Reader
	buffer []byte
	n      int // bytes of the package in buffer
	end    bool
	length int64
}

// openValue checks, before the response begins, the file's length, and all of a small value or the first package of a larger
// one.
func openValue(ctx context.Context, file *os.File, h *header, keys *objectKeys, b *buffer) (*value, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if want, err := fileSize(h.length); err != nil || info.Size() != want {
		return nil, errCorrupt
	}
	v := &value{buffer: b.plain(), length: h.length}
	if h.length > packageSize && h.length <= checkedFirst {
		if err := v.start(file, keys); err != nil {
			return nil, err
		}
		if err := v.send(ctx, io.Discard); err != nil {
			return nil, err
		}
	}
	err = v.start(file, keys)
	return v, err
}

// start reads the first package.
func (v *value) start(file *os.File, keys *objectKeys) error {
	_, err := file.Seek(int64(headerSize), io.SeekStart)
	if err != nil {
		return err
	}
	v.end = false
	if v.open, err = sio.DecryptReader(file, keys.config()); err != nil || v.length == 0 {
		return err
	}
	return v.next()
}

// next reads one package. If the value is not longer than one package, next also checks that the file ends there.
func (v *value) next() (err error) {
	v.n, err = v.open.Read(v.buffer)
	if err == nil && v.length <= packageSize {
		var more int
		if more, err = v.open.Read(v.buffer[v.n:cap(v.buffer)]); more > 0 {
			return errCorrupt
		}
	}
	if errors.Is(err, io.EOF) {
		v.end, err = true, nil
	}
	if err == nil && v.n == 0 && !v.end {
		err = io.ErrNoProgress
	}
	return err
}

// send writes the whole value, and checks that its length is that of the header.
func (v *value) send(ctx context.Context, w io.Writer) error {
	for left := v.length; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if int64(v.n) > left || v.n == 0 {
			return errCorrupt
		}
		if _, err := w.Write(v.buffer[:v.n]); err != nil {
			return err
		}
		if left -= int64(v.n); left == 0 {
			break
		}
		if v.end {
			return errCorrupt
		}
		if err := v.next(); err != nil {
			return err
		}
	}
	return nil
}
