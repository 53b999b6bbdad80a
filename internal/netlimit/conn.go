package netlimit

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// piece is what is written under one deadline, in bytes.
const piece = 16 << 10

// conn is a connection that is counted.
type conn struct {
	net.Conn
	limiter *Limiter

	from     netip.Prefix // the address; of IPv6 a network of 64 bits
	customer netip.Prefix // likewise, of 56 bits
	bounded  bool         // not exempt

	moved atomic.Int64 // when the last byte did, in nanoseconds of Unix time
	until atomic.Int64 // the deadline for writing that somebody has set, likewise; 0: none
	once  sync.Once

	// Of the limiter, under its lock.
	address   *pool // nil: not counted in
	running   int
	gone      bool
	resting   [3]*list.Element // in idle, of its address, its customer and all
	idleSince time.Time
	busy      *list.Element // in its address's busy; nil: idle
	seen      int64         // moved, when working last looked
	at        int           // in working
}

func (l *Limiter) newConn(inner net.Conn) *conn {
	c := &conn{Conn: inner, limiter: l}
	c.touch()
	if a, err := netip.ParseAddrPort(inner.RemoteAddr().String()); err == nil {
		ip := a.Addr().Unmap().WithZone("")
		c.from, c.customer = network(ip, 64), network(ip, 56)
		c.bounded = !ip.IsLoopback() && !l.exempt(ip)
		if !c.bounded { // alone, lest its neighbours be counted with it
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

// network is an IPv4 address, or an IPv6 address's network of so many bits. Anybody in a network of 64 bits can use all its
// addresses, and one customer has all of one of 56 bits (RFC 6177; RIPE-690, section 4.2).
func network(ip netip.Addr, bits int) netip.Prefix {
	if ip.Is4() {
		bits = ip.BitLen()
	}
	p, _ := ip.Prefix(bits) // of no other length than it has
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

// Write gives each piece its time, but no longer than a deadline that somebody has set.
func (c *conn) Write(p []byte) (written int, err error) {
	for {
		part := p[written:min(written+piece, len(p))]
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

// CloseWrite lets net/http end its half of a TCP connection.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
