package embedded

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// pace is the minimum rate of a transfer: quota bytes in each window. So a steady transfer may take any time, and one that
// stalls, or is too slow, ends within a window.
type pace struct {
	window time.Duration
	quota  int64
	begin  time.Time // of the window
	n      int64     // bytes in it
}

func newPace(rate int64, window time.Duration) pace {
	return pace{window: window, quota: max(1, int64(float64(rate)*window.Seconds())), begin: time.Now()}
}

// deadline returns when the window's bytes must have been transferred.
func (p *pace) deadline() time.Time { return p.begin.Add(p.window) }

// moved counts transferred bytes, and begins a new window after quota bytes.
func (p *pace) moved(n int) {
	if p.n += int64(n); p.n >= p.quota {
		p.n, p.begin = 0, time.Now()
	}
}

var (
	// errBodyIncomplete is returned for an incomplete body. It replaces io.ErrUnexpectedEOF of net/http, which readers such
	// as sio's treat as a short last block: they would seal half a value as a complete one.
	errBodyIncomplete = errors.New("embedded: the body is incomplete")
	errStopped        = errors.New("embedded: the transfer was stopped")
	errWrite          = errors.New("embedded: the client can't be written to")
	errShare          = errors.New("embedded: the session has too many bytes in progress")
	errRoom           = errors.New("embedded: the disk has no room for more")
)

// roomEvery is the number of bytes of a body after which Admit is called again: each upload was admitted on its own, and all
// concurrent uploads together may need more room than there is.
const roomEvery = 1 << 20

// bodyReader reads a request's body with the deadlines of pace. It counts the bytes, and records errors of the body, so that
// they can be distinguished from errors of the disk.
type bodyReader struct {
	r     io.Reader
	t     *transfer
	pace  pace
	room  func() bool
	held  int64 // reserved bytes
	n     int64 // bytes read
	asked int64 // value of n when room was last called
	err   error
}

// Read implements io.Reader.
func (b *bodyReader) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, errBodyIncomplete
	}
	b.err = b.t.do(func() error { _ = b.t.control.SetReadDeadline(b.pace.deadline()); return nil })
	if b.err != nil {
		return 0, errBodyIncomplete
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	b.pace.moved(n)
	if more := b.n - b.held; more > 0 { // the size was unknown
		if b.held = b.n; !b.t.reserve(more) {
			err = errShare
		}
	}
	if b.n-b.asked >= roomEvery {
		if b.asked = b.n; !b.room() {
			err = errRoom
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		// The rest is work for the disk, without a deadline; net/http notices a disconnect meanwhile.
		if errors.Is(b.t.do(func() error { return b.t.control.SetReadDeadline(time.Time{}) }), errStopped) {
			b.err, err = errStopped, errBodyIncomplete
		}
	case err != nil:
		b.err, err = err, errBodyIncomplete
	}
	return n, err
}

// pacedWriter writes a response with the deadlines of pace.
type pacedWriter struct {
	w    io.Writer
	t    *transfer
	pace pace
}

// Write implements io.Writer.
func (w *pacedWriter) Write(p []byte) (int, error) {
	err := w.t.do(func() error { _ = w.t.control.SetWriteDeadline(w.pace.deadline()); return nil })
	if err != nil {
		return 0, err
	}
	n, err := w.w.Write(p)
	w.pace.moved(n)
	if err != nil {
		err = fmt.Errorf("%w: %w", errWrite, err)
	}
	return n, err
}
