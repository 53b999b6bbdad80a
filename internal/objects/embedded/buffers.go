package embedded

import "sync"

const (
	packageSize = 64 << 10 // of plain text in a DARE 2.0 package
	sealedSize  = 16 + packageSize + 16
)

// buffer holds one package of a transfer. With the one inside sio it is all that a transfer has in memory.
type buffer [sealedSize]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func newBuffer() *buffer { return buffers.Get().(*buffer) }

// sealed takes one sealed package, whole: sio then writes there directly.
func (b *buffer) sealed() []byte { return b[:] }

// plain takes the text of one package.
func (b *buffer) plain() []byte { return b[:packageSize] }

// release wipes the buffer, which may have held a value, and gives it back.
func (b *buffer) release() {
	clear(b[:])
	buffers.Put(b)
}
