package netlimit

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// pieceSize is how much is written with one deadline, in bytes.
const pieceSize = 16 << 10

// conn is a connection of a Limiter.
type conn struct {
	net.Conn
	limiter *Limiter

	from     netip.Prefix // the address; for IPv6 its network of 64 bits
	customer netip.Prefix // the address; for IPv6 its network of 56 bits
	bounded  bool         // not exempt

	moved atomic.Int64 // when the last byte was read or written, in Unix nanoseconds
	until atomic.Int64 // the write deadline set by the handler or server, in Unix nanoseconds; 0: none
	once  sync.Once

	// The limiter's state, guarded by its lock.
	address      *pool // nil: not admitted
	running      int
	removed      bool
	idleElements [3]*list.Element // in the idle lists of its address, its customer and the listener
	idleSince    time.Time
	busy         *list.Element // in the busy list of its address; nil: idle
	seen         int64         // the value of moved when the heap last read it
	at           int           // index in the heap
}

func (l *Limiter) newConn(inner net.Conn) *conn {
	c := &conn{Conn: inner, limiter: l}
	c.touch()
	if a, err := netip.ParseAddrPort(inner.RemoteAddr().String()); err == nil {
		ip := a.Addr().Unmap().WithZone("")
		c.from, c.customer = network(ip, 64), network(ip, 56)
		c.bounded = !ip.IsLoopback() && !l.exempt(ip)
		if !c.bounded { // the whole address, so that its neighbours are not counted with it
			c.from, c.customer = network(ip, 128), network(ip, 128)
		}
	}
	return c
}

func (l *Limiter) exempt(ip netip.Addr) bool {
	for _, p := range l.opts.Exempt {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// network returns an IPv4 address, or an IPv6 address's network of this many bits. A host in a network of 64 bits can use all
// its addresses, and one customer usually has a network of 56 bits (RFC 6177; RIPE-690, section 4.2).
func network(ip netip.Addr, bits int) netip.Prefix {
	if ip.Is4() {
		bits = ip.BitLen()
	}
	p, _ := ip.Prefix(bits) // the length is always valid
	return p
}

func (c *conn) touch() { c.moved.Store(c.limiter.opts.Now().UnixNano()) }

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.touch()
	}
	return n, err
}

// Write sets a deadline for each piece, no later than the deadline set by SetDeadline or SetWriteDeadline.
func (c *conn) Write(p []byte) (written int, err error) {
	for {
		part := p[written:min(written+pieceSize, len(p))]
		deadline := time.Now().Add(c.limiter.opts.WriteTimeout)
		if until := c.until.Load(); until != 0 && until < deadline.UnixNano() {
			deadline = time.Unix(0, until)
		}
		if err := c.Conn.SetWriteDeadline(deadline); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(part)
		written += n
		if n > 0 {
			c.touch()
		}
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.note(t)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	c.note(t)
	return c.Conn.SetDeadline(t)
}

func (c *conn) note(t time.Time) {
	if t.IsZero() {
		c.until.Store(0)
		return
	}
	c.until.Store(t.UnixNano())
}

// Close implements net.Conn.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.limiter.closed(c) })
	return err
}

// CloseWrite closes the write side of a TCP connection, for net/http.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
