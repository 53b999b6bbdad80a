package netlimit

import (
	"container/heap"
	"net/netip"
	"time"
)

const (
	// customerTimes bounds a customer's IPv6 network, in times of PerAddress.
	customerTimes = 2
	// settle is how long an idle connection is kept from whoever has clearly more: its client may be about to ask.
	settle = 2 * time.Second
)

// What a connection is closed for, as the observer is told.
const (
	forTotal   = "total"   // the listener is full, and it was idle or stalled
	forAddress = "address" // its address has too many
	forNetwork = "network" // its customer's network has too many
	forShare   = "share"   // the listener is full, and its network has a larger share than the newcomer's
)

// clearlyMore says whether who has many may lose one to who has few: he has twice what the other will have then, so that
// two who are alike take nothing from each other, and nobody loses his only one.
func clearlyMore(many, few int) bool { return many >= 2*(few+1) }

// admit counts a connection in, and returns which is to be closed for it. Where it can't be counted in, it is to wait for
// a change, or, without one, to be closed. Its cost does not grow with the number of connections, but for the depth of heaps.
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
		// Who waits holds up all who come after him. So only he does who has nothing yet: they would get no further.
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
	l.enter(c)
	return shed, nil, true
}

func count(p *pool) int {
	if p == nil {
		return 0
	}
	return p.open
}

// forAll chooses what is closed where the listener is full. Without a connection, it says whether the newcomer may wait
// (total) or not (share). Who is exempt stands for many users, so he counts as one who has nothing.
func (l *Limiter) forAll(customer *pool, has int, bounded bool) (bound string, shed *conn) {
	if !bounded {
		has = 0
	}
	shed, bound = l.choose(l.all, customer, has)
	if shed == nil && has == 0 {
		bound = forTotal
	}
	return bound, shed
}

// choose returns what a part of a pool, with so many connections, may take from the pool, and for which bound; or nil. What
// has been idle for long goes first, and what has stalled; then one of the greediest part's, if that has clearly more.
// What is idle since a moment ago may be a newcomer before its request, so it comes after, and parts with clearly more don't
// get it: they could close each newcomer by coming back.
func (l *Limiter) choose(of, own *pool, has int) (shed *conn, bound string) {
	now := l.opts.Now()
	var idlest *conn
	if e := of.idle.Front(); e != nil {
		idlest = e.Value.(*conn)
		if now.Sub(idlest.idleSince) >= settle {
			return idlest, forTotal
		}
	}
	if of == l.all {
		if c := l.working.stalled(now.Add(-l.opts.Stall).UnixNano()); c != nil {
			return c, forTotal
		}
	}
	if g := of.greediest(); g != nil && clearlyMore(g.open, has) {
		return g.expendable(), forShare
	}
	if idlest != nil && !spared(idlest, of, own, has) {
		return idlest, forTotal
	}
	if own != nil && own.idle.Len() > 0 {
		return own.idle.Front().Value.(*conn), forShare
	}
	return nil, forShare
}

// spared says whether an idle connection is kept from a part of a pool that has so many, because its own has clearly fewer.
func spared(c *conn, of, own *pool, has int) bool {
	owner := c.address
	for owner.parent != of {
		owner = owner.parent
	}
	others := owner.open - 1
	if owner.exempt {
		others = 0
	}
	return owner != own && clearlyMore(has, others)
}

// enter counts a connection in; it is idle.
func (l *Limiter) enter(c *conn) {
	customer := l.pool(l.customers, c.customer, l.all, !c.bounded)
	c.address = l.pool(l.addresses, c.from, customer, !c.bounded)
	c.address.add(1)
	l.rest(c)
	l.opts.Observer.Connections(l.opts.Name, l.all.open)
}

func (l *Limiter) pool(all map[netip.Prefix]*pool, prefix netip.Prefix, parent *pool, exempt bool) *pool {
	if all[prefix] == nil {
		all[prefix] = newPool(parent, prefix, exempt)
	}
	return all[prefix]
}

// rest puts a connection at the end of those that are idle, on each level.
func (l *Limiter) rest(c *conn) {
	c.idleSince = l.opts.Now()
	level := 0
	for p := c.address; p != nil; p = p.parent {
		c.resting[level] = p.idle.PushBack(c)
		level++
	}
}

// work puts a connection at the end of those at work.
func (l *Limiter) work(c *conn) {
	c.busy = c.address.busy.PushBack(c)
	c.seen = c.moved.Load()
	heap.Push(&l.working, c)
}

// unlist takes a connection out of the lists that it is in.
func (l *Limiter) unlist(c *conn) {
	if c.busy != nil {
		c.address.busy.Remove(c.busy)
		heap.Remove(&l.working, c.at)
		c.busy = nil
		return
	}
	level := 0
	for p := c.address; p != nil; p = p.parent {
		p.idle.Remove(c.resting[level])
		level++
	}
}

func (l *Limiter) remove(c *conn) {
	if c.gone {
		return
	}
	c.gone = true
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
