package embedded

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// pace is the least that must move on a connection: quota bytes in each window, whatever the age of the transfer. So one
// that goes on may take as long as it needs, and one that stands still, or creeps, ends within a window.
type pace struct {
	window time.Duration
	quota  int64
	begin  time.Time // of the window
	n      int64     // bytes in it
}

func newPace(rate int64, window time.Duration) pace {
	return pace{window: window, quota: max(1, int64(float64(rate)*window.Seconds())), begin: time.Now()}
}

// deadline is by when the window's bytes must have moved.
func (p *pace) deadline() time.Time { return p.begin.Add(p.window) }

// moved counts bytes.
func (p *pace) moved(n int) {
	if p.n += int64(n); p.n >= p.quota {
		p.n, p.begin = 0, time.Now()
	}
}

var (
	// errHalf is a body that broke off. It is not io.ErrUnexpectedEOF, as net/http says: readers such
	// as sio's take that for a short last block, and would seal half a value as a whole one.
	errHalf    = errors.New("embedded: the body broke off")
	errStopped = errors.New("embedded: the transfer was stopped")
	errWrite   = errors.New("embedded: the client can't be written to")
	errShare   = errors.New("embedded: the session has as many bytes under way as it may")
	errRoom    = errors.New("embedded: the disk is to take no more")
)

// roomEvery is after how many bytes of a body it is asked again whether the disk is to take more: each upload was
// admitted for itself, and all that are under way together can be more than there is room for.
const roomEvery = 1 << 20

// bodyReader reads a request's body at the client's pace. It counts the body, and tells its faults from the disk's.
type bodyReader struct {
	r     io.Reader
	t     *transfer
	pace  pace
	room  func() bool
	held  int64 // bytes that are reserved
	n     int64
	asked int64 // of n, when room was asked
	err   error
}

// Read implements io.Reader.
func (b *bodyReader) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, errHalf
	}
	b.err = b.t.do(func() error { _ = b.t.control.SetReadDeadline(b.pace.deadline()); return nil })
	if b.err != nil {
		return 0, errHalf
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	b.pace.moved(n)
	if more := b.n - b.held; more > 0 { // its size was not known
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
		// What is left is the disk's; meanwhile net/http watches for the client to go, without a deadline.
		if errors.Is(b.t.do(func() error { return b.t.control.SetReadDeadline(time.Time{}) }), errStopped) {
			b.err, err = errStopped, errHalf
		}
	case err != nil:
		b.err, err = err, errHalf
	}
	return n, err
}

// pacedWriter writes an answer at the client's pace.
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
