package embedded

import "sync"

const (
	packageSize = 64 << 10 // of plain text in a DARE 2.0 package
	sealedSize  = 16 + packageSize + 16
)

// buffer holds one package of a transfer. A transfer's memory is this buffer and the one inside sio.
type buffer [sealedSize]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func newBuffer() *buffer { return buffers.Get().(*buffer) }

// sealed returns room for one sealed package, so that sio writes into it directly.
func (b *buffer) sealed() []byte { return b[:] }

// plain returns room for the plain text of one package.
func (b *buffer) plain() []byte { return b[:packageSize] }

// release wipes the buffer, which may contain a part of a value, and returns it to the pool.
func (b *buffer) release() {
	clear(b[:])
	buffers.Put(b)
}
