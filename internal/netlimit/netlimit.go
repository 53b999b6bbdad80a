// Package netlimit bounds the connections of a listener: in total, per client address, and per customer's network (IPv6:
// 56 bits). If a bound is reached, the connection that has been idle longest is closed for the new one. A connection is
// idle if no handler runs for it: between requests, during slow headers, or before its first byte. If all connections are
// busy and transfer bytes, a new connection of a network with clearly fewer replaces the longest-busy connection of the
// network with the most. Loopback and exempt addresses carry all users, and lose no connection in this way. Admission takes
// logarithmic time in the number of connections at most. Writes have a deadline for each piece, and none for the whole
// transfer.
package netlimit

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Observer counts connections by the listener's name.
type Observer interface {
	Connections(listener string, open int)
	// Shed gets the bound for which a connection was closed or refused: total, address, network or share.
	Shed(listener, bound string)
}

// Options has the bounds; all are required except Exempt and Now.
type Options struct {
	Name         string // of the listener, for the observer
	Total        int
	PerAddress   int            // IPv6: per network of 64 bits, and twice as many per network of 56 bits
	Exempt       []netip.Prefix // proxies of all users: not bounded per address, and not shed for their share; like loopback
	Stall        time.Duration  // a request without a transferred byte for this long may be shed, if no connection is idle
	WriteTimeout time.Duration  // for each piece of 16 KiB at most
	Observer     Observer
	Now          func() time.Time // for tests; nil: time.Now
}

// Limiter has the connections of one listener. It is safe for concurrent use.
type Limiter struct {
	opts      Options
	mu        sync.Mutex
	changed   chan struct{} // closed when a connection closes or becomes idle; nil: no caller waits
	all       *pool
	customers map[netip.Prefix]*pool
	addresses map[netip.Prefix]*pool
	working   working
}

// New returns a limiter without connections.
func New(o Options) (*Limiter, error) {
	if o.Total <= 0 || o.PerAddress <= 0 || o.WriteTimeout <= 0 || o.Stall <= 0 || o.Observer == nil {
		return nil, errors.New("netlimit: an option is missing")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Limiter{
		opts: o, all: newPool(nil, netip.Prefix{}, false), customers: map[netip.Prefix]*pool{}, addresses: map[netip.Prefix]*pool{},
	}, nil
}

// Listen returns a listener whose connections are bounded.
func (l *Limiter) Listen(inner net.Listener) net.Listener {
	return &listener{Listener: inner, limiter: l, closed: make(chan struct{})}
}

type listener struct {
	net.Listener
	limiter *Limiter
	once    sync.Once
	closed  chan struct{}
}

// Accept waits for a connection, and for room for it. It closes a connection whose address has no room.
func (l *listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := l.limiter.newConn(inner)
		for {
			shed, wait, ok := l.limiter.admit(c)
			if shed != nil {
				_ = shed.Conn.Close() // the connection's goroutine does the rest
			}
			if ok {
				return c, nil
			}
			if wait == nil {
				_ = inner.Close()
				break
			}
			select {
			case <-wait:
			case <-time.After(l.limiter.opts.Stall): // a busy connection may have stalled
			case <-l.closed:
				_ = inner.Close()
				return nil, net.ErrClosed
			}
		}
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func (l *Limiter) closed(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.address != nil {
		l.remove(c)
		l.opts.Observer.Connections(l.opts.Name, l.all.open)
	}
}

// begin and end count the running handlers of a connection; HTTP/2 can have several.
func (l *Limiter) begin(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.running++; c.running == 1 && !c.removed {
		l.unlist(c)
		c.touch()
		l.markBusy(c)
		c.until.Store(0) // remove the deadline of the request before
	}
}

func (l *Limiter) end(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.running--; c.running == 0 && !c.removed {
		l.unlist(c)
		l.markIdle(c)
		l.notify()
	}
}

type connKey struct{}

// ConnContext adds a limiter's connection to the context; it is for http.Server.ConnContext.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // *tls.Conn
		c = t.NetConn()
	}
	if c, ok := c.(*conn); ok {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// Handler marks the connections of running requests as busy, and lets reads and writes take any time while they make
// progress.
func (l *Limiter) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			l.begin(c)
			defer l.end(c)
		}
		l.stream(w, r, next)
	})
}
