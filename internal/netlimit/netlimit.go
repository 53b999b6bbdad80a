// Package netlimit bounds the connections of a listener, in all, per client address, and per customer's network (IPv6:
// 56 bits). Where a bound is met, the connection that has been idle longest is closed for the new one: one that no handler
// works for, be it between requests, in the middle of slow headers or before its first byte. Where all are at work and
// moving, the network with most of them loses the one that has been at work longest, to a network with clearly fewer.
// Loopback and exempt addresses carry all users, and lose none so. Admitting one costs the logarithm of the number of
// connections at most. Transfers have a deadline for each piece that is written, and none for the whole.
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

// Observer counts, by the listener's name.
type Observer interface {
	Connections(listener string, open int)
	// Shed is told which bound a connection was closed, or refused, for: total, address, network or share.
	Shed(listener, bound string)
}

// Options are the bounds; all are needed except Exempt and Now.
type Options struct {
	Name         string // of the listener, for the observer
	Total        int
	PerAddress   int            // IPv6: per network of 64 bits, and twice of it per network of 56
	Exempt       []netip.Prefix // all users come through them: neither bound per address nor shed as greedy; loopback never is
	Stall        time.Duration  // a request that has moved no byte for so long may be shed, where nothing is idle
	WriteTimeout time.Duration  // for each piece of 16 KiB at most
	Observer     Observer
	Now          func() time.Time // for tests; nil: time.Now
}

// Limiter holds the connections of one listener, safe for concurrent use.
type Limiter struct {
	opts      Options
	mu        sync.Mutex
	changed   chan struct{} // closed when a connection closes or becomes idle; nil: nobody waits
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

// Accept waits for a connection, and for room for it. One whose address has none is closed.
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
				_ = shed.Conn.Close() // its goroutine will see to the rest
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
			case <-time.After(l.limiter.opts.Stall): // what is busy may have stalled
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

// begin and end count the requests that handlers work for; HTTP/2 has several on a connection.
func (l *Limiter) begin(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.running++; c.running == 1 && !c.gone {
		l.unlist(c)
		c.touch()
		l.work(c)
		c.until.Store(0) // of the request before
	}
}

func (l *Limiter) end(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.running--; c.running == 0 && !c.gone {
		l.unlist(c)
		l.rest(c)
		l.notify()
	}
}

type connKey struct{}

// ConnContext is for http.Server.ConnContext.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // of TLS
		c = t.NetConn()
	}
	if c, ok := c.(*conn); ok {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// Handler tells the limiter which connections are at work, and lets what is read and written take as long as it makes
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
