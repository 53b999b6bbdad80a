package netlimit

import (
	"io"
	"net/http"
	"time"
)

// stream serves a request whose response may last as long as its client reads it. In HTTP/1 conn.Write sets the deadline of
// each write; in HTTP/2 the writer sets it here, because the connection is not written to while the client does not read the
// stream. http.Server.ReadTimeout is removed at the end of the body, because later bytes belong to the next request.
func (l *Limiter) stream(w http.ResponseWriter, r *http.Request, next http.Handler) {
	control := http.NewResponseController(w)
	if r.ContentLength == 0 {
		_ = control.SetReadDeadline(time.Time{})
	} else {
		r.Body = &body{ReadCloser: r.Body, control: control}
	}
	if r.ProtoMajor < 2 {
		next.ServeHTTP(w, r)
		return
	}
	s := &http2Writer{ResponseWriter: w, control: control, timeout: l.opts.WriteTimeout}
	next.ServeHTTP(s, r)
	s.limit() // for the bytes that are written after the handler returns
}

// body removes the read deadline at its end.
type body struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// http2Writer sets a deadline for every write and flush, unless the handler has set one.
type http2Writer struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	set     bool
}

func (w *http2Writer) limit() {
	if !w.set {
		_ = w.control.SetWriteDeadline(time.Now().Add(w.timeout))
	}
}

func (w *http2Writer) unlimit() {
	if !w.set {
		_ = w.control.SetWriteDeadline(time.Time{})
	}
}

// Write implements io.Writer.
func (w *http2Writer) Write(p []byte) (written int, err error) {
	defer w.unlimit()
	for {
		w.limit()
		n, err := w.ResponseWriter.Write(p[written:min(written+pieceSize, len(p))])
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// FlushError is called by http.ResponseController.
func (w *http2Writer) FlushError() error {
	defer w.unlimit()
	w.limit()
	return w.control.Flush()
}

// Flush implements http.Flusher.
func (w *http2Writer) Flush() { _ = w.FlushError() }

// SetReadDeadline is called by http.ResponseController.
func (w *http2Writer) SetReadDeadline(t time.Time) error { return w.control.SetReadDeadline(t) }

// SetWriteDeadline is called by http.ResponseController. Afterwards the writer sets no deadlines.
func (w *http2Writer) SetWriteDeadline(t time.Time) error {
	w.set = !t.IsZero()
	return w.control.SetWriteDeadline(t)
}

// Unwrap is for http.ResponseController.
func (w *http2Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
