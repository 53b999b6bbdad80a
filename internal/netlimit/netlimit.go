// Package netlimit bounds the connections of a listener, in all and per client address. Where a bound is met, the
// connection that has been idle longest is closed for the new one: one that no handler works for, be it between
// requests, in the middle of slow headers or before its first byte. Transfers have a deadline for each piece that is
// written, and none for the whole.
package netlimit

import (
	"container/list"
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
	// Shed is told which bound a connection was closed for: total or address.
	Shed(listener, bound string)
}

// Options are the bounds; all are needed except Exempt and Now.
type Options struct {
	Name         string // of the listener, for the observer
	Total        int
	PerAddress   int            // IPv6: per network of 64 bits
	Exempt       []netip.Prefix // not bound per address, for all users come through them; loopback never is
	Stall        time.Duration  // a request that has moved no byte for so long may be shed, where nothing is idle
	WriteTimeout time.Duration  // for each piece of 16 KiB at most
	Observer     Observer
	Now          func() time.Time // for tests; nil: time.Now
}

// Limiter holds the connections of one listener, safe for concurrent use.
type Limiter struct {
	Options
	mu        sync.Mutex
	changed   chan struct{} // closed when a connection closes or becomes idle; nil: nobody waits
	open      int
	idle      *list.List // of *conn; the front has been idle longest
	busy      *list.List
	addresses map[netip.Prefix]*address
}

// address is the connections of one client.
type address struct {
	open int
	idle *list.List
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
		Options: o, idle: list.New(), busy: list.New(), addresses: map[netip.Prefix]*address{},
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
			case <-time.After(l.limiter.Stall): // what is busy may have stalled
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

// admit counts a connection in, and returns which is to be closed for it. Where it can't be counted in, it is to wait for
// a change, or, without one, to be closed.
func (l *Limiter) admit(c *conn) (shed *conn, wait <-chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.addresses[c.from]
	switch {
	case c.bounded && a != nil && a.open >= l.PerAddress:
		l.Observer.Shed(l.Name, "address")
		if a.idle.Len() == 0 {
			return nil, nil, false
		}
		shed = a.idle.Front().Value.(*conn)
	case l.open >= l.Total:
		if shed = l.idlest(); shed == nil {
			if l.changed == nil {
				l.changed = make(chan struct{})
			}
			return nil, l.changed, false
		}
		l.Observer.Shed(l.Name, "total")
	}
	if shed != nil {
		l.remove(shed)
		a = l.addresses[c.from] // it may have been the last of this one
	}
	if a == nil {
		a = &address{idle: list.New()}
		l.addresses[c.from] = a
	}
	c.address = a
	l.open++
	a.open++
	l.rest(c)
	l.Observer.Connections(l.Name, l.open)
	return shed, nil, true
}

// idlest returns what may be shed: what has been idle longest, or a request that has stalled longest of those looked at.
func (l *Limiter) idlest() *conn {
	if e := l.idle.Front(); e != nil {
		return e.Value.(*conn)
	}
	var found *conn
	oldest := l.Now().Add(-l.Stall).UnixNano()
	for e := l.busy.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*conn); c.moved.Load() <= oldest {
			found, oldest = c, c.moved.Load()
		}
	}
	return found
}

// rest puts a connection at the end of those that are idle.
func (l *Limiter) rest(c *conn) {
	c.place, c.own = l.idle.PushBack(c), c.address.idle.PushBack(c)
}

// unlist takes a connection out of the lists that it is in.
func (l *Limiter) unlist(c *conn) {
	if c.own != nil {
		l.idle.Remove(c.place)
		c.address.idle.Remove(c.own)
	} else if c.place != nil {
		l.busy.Remove(c.place)
	}
	c.place, c.own = nil, nil
}

func (l *Limiter) remove(c *conn) {
	if c.gone {
		return
	}
	c.gone = true
	l.unlist(c)
	l.open--
	if c.address.open--; c.address.open == 0 {
		delete(l.addresses, c.from)
	}
	l.notify()
}

func (l *Limiter) notify() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

func (l *Limiter) closed(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.address != nil {
		l.remove(c)
		l.Observer.Connections(l.Name, l.open)
	}
}

// begin and end count the requests that handlers work for; HTTP/2 has several on a connection.
func (l *Limiter) begin(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.running++; c.running == 1 && !c.gone {
		l.unlist(c)
		c.place = l.busy.PushBack(c)
		c.touch()
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
