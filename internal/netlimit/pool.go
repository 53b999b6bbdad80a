package netlimit

import (
	"container/heap"
	"container/list"
	"net/netip"
)

// pool is a set of connections that are counted together. There are three levels: the listener, a customer's network
// (IPv4: an address; IPv6: a network of 56 bits, as one customer gets), and an address (IPv6: a network of 64 bits).
type pool struct {
	parent *pool // nil: the listener
	prefix netip.Prefix
	exempt bool
	open   int
	idle   *list.List // of *conn; the front has been idle longest
	busy   *list.List // of *conn, for addresses only; the front has been busy longest
	parts  parts      // pools of the next level, without exempt ones
	at     int        // index in the parent's parts
}

func newPool(parent *pool, prefix netip.Prefix, exempt bool) *pool {
	return &pool{parent: parent, prefix: prefix, exempt: exempt, idle: list.New(), busy: list.New()}
}

// add adds n, which may be negative, to the number of connections of the pool and its parents. A pool is in its parent's
// parts while it has connections.
func (p *pool) add(n int) {
	for ; p != nil; p = p.parent {
		before := p.open
		p.open += n
		switch {
		case p.parent == nil || p.exempt:
		case before == 0:
			heap.Push(&p.parent.parts, p)
		case p.open == 0:
			heap.Remove(&p.parent.parts, p.at)
		default:
			heap.Fix(&p.parent.parts, p.at)
		}
	}
}

// greediest returns the part with the most connections, or nil.
func (p *pool) greediest() *pool {
	if len(p.parts) == 0 {
		return nil
	}
	return p.parts[0]
}

// expendable returns the connection that a pool loses first: the one that has been idle longest, or else, of the address with
// the most connections, the one that has been busy longest. So long requests are closed, and short ones have ended before.
func (p *pool) expendable() *conn {
	if e := p.idle.Front(); e != nil {
		return e.Value.(*conn)
	}
	for p.greediest() != nil {
		p = p.greediest()
	}
	return p.busy.Front().Value.(*conn)
}

// parts is a heap (container/heap); the first pool has the most connections.
type parts []*pool

func (h parts) Len() int           { return len(h) }
func (h parts) Less(i, j int) bool { return h[i].open > h[j].open }
func (h parts) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements heap.Interface.
func (h *parts) Push(p any) {
	p.(*pool).at = len(*h)
	*h = append(*h, p.(*pool))
}

// Pop implements heap.Interface.
func (h *parts) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return p
}

// working is a heap (container/heap) of the busy connections, ordered by seen, the time of the last byte when the heap last
// read it. seen is never later than the current value, so if the first connection has not stalled, none has.
type working []*conn

func (h working) Len() int           { return len(h) }
func (h working) Less(i, j int) bool { return h[i].seen < h[j].seen }
func (h working) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements heap.Interface.
func (h *working) Push(c any) {
	c.(*conn).at = len(*h)
	*h = append(*h, c.(*conn))
}

// Pop implements heap.Interface.
func (h *working) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return c
}

// maxChecks bounds the connections that are checked for one new connection.
const maxChecks = 32

// stalled returns a connection whose last byte was transferred at moment (Unix nanoseconds) or earlier, or nil. It checks at
// most maxChecks connections; the next call continues with the others.
func (h *working) stalled(moment int64) *conn {
	for range maxChecks {
		if len(*h) == 0 || (*h)[0].seen > moment {
			return nil
		}
		c := (*h)[0]
		moved := c.moved.Load()
		if moved <= moment {
			return c
		}
		c.seen = moved
		heap.Fix(h, 0)
	}
	return nil
}
