package netlimit

import (
	"io"
	"net/http"
	"time"
)

// stream serves a request whose answer may go on for as long as its client reads it. Over HTTP/1 each write has its
// deadline at the connection; over HTTP/2, where a stream whose client does not read is not written to at all, it has one
// here. http.Server.ReadTimeout ends with the body: what is read after it is the next request.
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
	s.limit() // what is left is written after this
}

// body sees to the deadline once it has been read.
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

// http2Writer gives every write and flush a deadline of its own, unless the handler has set one.
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
		n, err := w.ResponseWriter.Write(p[written:min(written+piece, len(p))])
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// FlushError is what http.ResponseController flushes by.
func (w *http2Writer) FlushError() error {
	defer w.unlimit()
	w.limit()
	return w.control.Flush()
}

// Flush implements http.Flusher.
func (w *http2Writer) Flush() { _ = w.FlushError() }

// SetReadDeadline is what http.ResponseController sets by.
func (w *http2Writer) SetReadDeadline(t time.Time) error { return w.control.SetReadDeadline(t) }

// SetWriteDeadline is what http.ResponseController sets by: from then on the deadline is the handler's affair.
func (w *http2Writer) SetWriteDeadline(t time.Time) error {
	w.set = !t.IsZero()
	return w.control.SetWriteDeadline(t)
}

// Unwrap is for http.ResponseController.
func (w *http2Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
