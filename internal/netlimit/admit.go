package netlimit

import (
	"container/heap"
	"net/netip"
	"time"
)

const (
	// customerTimes is the bound of a customer's IPv6 network, as a multiple of PerAddress.
	customerTimes = 2
	// idleGrace is how long an idle connection is protected from networks with clearly more: its client may be about to send
	// a request.
	idleGrace = 2 * time.Second
)

// The bounds for which a connection is closed, as passed to the observer.
const (
	forTotal   = "total"   // the listener is full, and it was idle or stalled
	forAddress = "address" // its address has too many
	forNetwork = "network" // its customer's network has too many
	forShare   = "share"   // the listener is full, and its network has a larger share than that of the new connection
)

// clearlyMore reports whether a pool with many connections may lose one to a pool with few: many is at least twice what the
// other will have then. So pools of equal size take no connections from each other, and no pool loses its only one.
func clearlyMore(many, few int) bool { return many >= 2*(few+1) }

// admit adds a connection, and returns the one to close for it. If it can't be added (not ok), the caller waits for wait and
// tries again, or closes the connection if wait is nil. Its cost grows with the depth of the heaps only.
func (l *Limiter) admit(c *conn) (shed *conn, wait <-chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	customer, address := l.customers[c.customer], l.addresses[c.from]
	ofCustomer, ofAddress := count(customer), count(address)
	bound, full := "", true
	switch {
	case c.bounded && ofAddress >= l.opts.PerAddress:
		bound = forAddress
		if e := address.idle.Front(); e != nil {
			shed = e.Value.(*conn)
		}
	case c.bounded && ofCustomer >= customerTimes*l.opts.PerAddress:
		bound = forNetwork
		shed, _ = l.choose(customer, address, ofAddress)
	case l.all.open >= l.opts.Total:
		bound, shed = l.forAll(customer, ofCustomer, c.bounded)
	default:
		full = false
	}
	if full && shed == nil {
		// A waiting connection delays all that come after it. So only a customer without connections waits: after it the
		// others would not be admitted either.
		if bound == forTotal {
			if l.changed == nil {
				l.changed = make(chan struct{})
			}
			return nil, l.changed, false
		}
		l.opts.Observer.Shed(l.opts.Name, bound)
		return nil, nil, false
	}
	if shed != nil {
		l.opts.Observer.Shed(l.opts.Name, bound)
		l.remove(shed)
	}
	l.add(c)
	return shed, nil, true
}

func count(p *pool) int {
	if p == nil {
		return 0
	}
	return p.open
}

// forAll chooses the connection to close if the listener is full. If there is none, bound says whether the new connection may
// wait (total) or not (share). An exempt address stands for many users, so it counts as one without connections.
func (l *Limiter) forAll(customer *pool, open int, bounded bool) (bound string, shed *conn) {
	if !bounded {
		open = 0
	}
	shed, bound = l.choose(l.all, customer, open)
	if shed == nil && open == 0 {
		bound = forTotal
	}
	return bound, shed
}

// choose returns the connection to close in the full pool for its part own, and the bound, or nil; open is the number of
// own's connections. The order is: connections idle for idleGrace or longer, stalled ones, and those of the part with the
// most, if it has clearly more. A connection that became idle recently may be new, before its request, so it comes last, and
// is not closed for parts with clearly more: these could close every new connection by reconnecting.
func (l *Limiter) choose(full, own *pool, open int) (shed *conn, bound string) {
	now := l.opts.Now()
	var idlest *conn
	if e := full.idle.Front(); e != nil {
		idlest = e.Value.(*conn)
		if now.Sub(idlest.idleSince) >= idleGrace {
			return idlest, forTotal
		}
	}
	if full == l.all {
		if c := l.working.stalled(now.Add(-l.opts.Stall).UnixNano()); c != nil {
			return c, forTotal
		}
	}
	if g := full.greediest(); g != nil && clearlyMore(g.open, open) {
		return g.expendable(), forShare
	}
	if idlest != nil && !spared(idlest, full, own, open) {
		return idlest, forTotal
	}
	if own != nil && own.idle.Len() > 0 {
		return own.idle.Front().Value.(*conn), forShare
	}
	return nil, forShare
}

// spared reports whether an idle connection is not closed for own, because its own part has clearly fewer.
func spared(c *conn, full, own *pool, open int) bool {
	owner := c.address
	for owner.parent != full {
		owner = owner.parent
	}
	others := owner.open - 1
	if owner.exempt {
		others = 0
	}
	return owner != own && clearlyMore(open, others)
}

// add adds a connection, as idle.
func (l *Limiter) add(c *conn) {
	customer := l.pool(l.customers, c.customer, l.all, !c.bounded)
	c.address = l.pool(l.addresses, c.from, customer, !c.bounded)
	c.address.add(1)
	l.markIdle(c)
	l.opts.Observer.Connections(l.opts.Name, l.all.open)
}

func (l *Limiter) pool(all map[netip.Prefix]*pool, prefix netip.Prefix, parent *pool, exempt bool) *pool {
	if all[prefix] == nil {
		all[prefix] = newPool(parent, prefix, exempt)
	}
	return all[prefix]
}

// markIdle appends a connection to the idle lists of each level.
func (l *Limiter) markIdle(c *conn) {
	c.idleSince = l.opts.Now()
	level := 0
	for p := c.address; p != nil; p = p.parent {
		c.idleElements[level] = p.idle.PushBack(c)
		level++
	}
}

// markBusy appends a connection to the busy list of its address, and adds it to the heap.
func (l *Limiter) markBusy(c *conn) {
	c.busy = c.address.busy.PushBack(c)
	c.seen = c.moved.Load()
	heap.Push(&l.working, c)
}

// unlist removes a connection from its lists.
func (l *Limiter) unlist(c *conn) {
	if c.busy != nil {
		c.address.busy.Remove(c.busy)
		heap.Remove(&l.working, c.at)
		c.busy = nil
		return
	}
	level := 0
	for p := c.address; p != nil; p = p.parent {
		p.idle.Remove(c.idleElements[level])
		level++
	}
}

func (l *Limiter) remove(c *conn) {
	if c.removed {
		return
	}
	c.removed = true
	l.unlist(c)
	c.address.add(-1)
	if c.address.open == 0 {
		delete(l.addresses, c.address.prefix)
	}
	if customer := c.address.parent; customer.open == 0 {
		delete(l.customers, customer.prefix)
	}
	l.notify()
}

func (l *Limiter) notify() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}
