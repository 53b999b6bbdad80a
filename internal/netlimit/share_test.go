package netlimit_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/netlimit"
)

// busy opens a connection from each address, in order, each with a request whose handler runs.
func (s *server) busy(t *testing.T, addresses ...string) (conns []net.Conn) {
	t.Helper()
	for _, a := range addresses {
		c := s.dial(t, a)
		s.ask(t, c, "/wait")
		conns = append(conns, c)
	}
	return conns
}

// end lets all requests end, and checks that each connection gets a response and was not closed.
func (s *server) end(t *testing.T, conns ...net.Conn) {
	t.Helper()
	close(s.release)
	for _, c := range conns {
		requireAnswer(t, c)
	}
}

// waits checks that a new connection is served after another's request has ended, and that at most that one is closed.
func (s *server) waits(t *testing.T, address string, others ...net.Conn) {
	t.Helper()
	late := s.dial(t, address)
	_, err := io.WriteString(late, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	s.release <- struct{}{}
	require.Equal(t, "/late", <-s.started)
	require.Zero(t, s.counts.closedFor("share"))
	require.Equal(t, 1, s.counts.closedFor("total"))
	close(s.release)
	answers := 0
	for _, c := range others {
		if n, err := c.Read(make([]byte, 1)); n == 1 {
			answers++
		} else {
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		}
	}
	require.GreaterOrEqual(t, answers, len(others)-1) // the one that ended is idle, and may be closed before its response
}

func many(o *netlimit.Options) { o.PerAddress = 100 }

const (
	a, b, newcomer = "192.0.2.1:1", "192.0.2.2:1", "192.0.2.9:1"
	proxy          = "10.1.2.3:1"
)

// TestAFairShare: full listeners whose requests all make progress.
func TestAFairShare(t *testing.T) {
	t.Run("the address with the most loses its oldest request", func(t *testing.T) {
		s := start(t, many)
		older := s.dial(t, a)
		first := s.busy(t, a)[0]
		s.ask(t, older, "/wait")
		others := append(s.busy(t, b, "192.0.2.3:1"), older)
		s.ask(t, s.dial(t, newcomer), "/")
		requireClosed(t, first)
		require.Equal(t, 1, s.counts.closedFor("share"))
		s.end(t, others...)
	})
	t.Run("addresses with one each lose none, and a new one waits", func(t *testing.T) {
		s := start(t, many)
		s.waits(t, newcomer, s.busy(t, a, b, "192.0.2.3:1", "192.0.2.4:1")...)
	})
	t.Run("an address with as many is refused, and delays no other", func(t *testing.T) {
		s := start(t, many)
		all := s.busy(t, a, b, a, b)
		requireClosed(t, s.dial(t, a))
		require.Equal(t, 1, s.counts.closedFor("share"))
		s.ask(t, s.dial(t, newcomer), "/")
		require.Equal(t, 2, s.counts.closedFor("share"))
		s.end(t, all[2:]...)
	})
	t.Run("eight addresses that use all connections", func(t *testing.T) {
		s := start(t, func(o *netlimit.Options) { o.Total, o.PerAddress = 64, 8 })
		address := func(i int) string { return fmt.Sprintf("203.0.113.%d:1", i%8) }
		for i := range 64 {
			s.busy(t, address(i))
		}
		var served []net.Conn
		for i := range 20 {
			served = append(served, s.busy(t, fmt.Sprintf("198.51.100.%d:1", i))...)
			requireClosed(t, s.dial(t, address(i))) // they reconnect, and are refused
		}
		require.Equal(t, 64, s.counts.now())
		s.end(t, served...)
	})
	t.Run("eight networks of 64 bits in one of 56", func(t *testing.T) {
		s := start(t, func(o *netlimit.Options) { o.Total = 15; many(o) })
		others := s.busy(t, a, a, a, b, b, b)
		var v6 []net.Conn
		for i := range 8 {
			v6 = append(v6, s.busy(t, fmt.Sprintf("[2001:db8:0:%x::1]:1", i))...)
		}
		v6 = append(v6, s.busy(t, "[2001:db8:0:5::2]:1")...)
		s.ask(t, s.dial(t, newcomer), "/")
		requireClosed(t, v6[5]) // in the network of 64 bits with two connections
		requireClosed(t, s.dial(t, "[2001:db8:0:ff::1]:1"))
		s.end(t, append(append(others, v6[:5]...), v6[6:]...)...)
	})
}

func TestAFairShareAndProxies(t *testing.T) {
	trust := func(o *netlimit.Options) {
		many(o)
		o.Exempt = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8::1/128")}
	}
	for name, address := range map[string]string{"a trusted proxy": proxy, "loopback": "127.0.0.1:1", "loopback, IPv6": "[::1]:1"} {
		t.Run(name+" loses none", func(t *testing.T) {
			s := start(t, trust)
			s.waits(t, newcomer, s.busy(t, address, address, address, b)...)
		})
		t.Run(name+" loses none if another has fewer", func(t *testing.T) {
			s := start(t, func(o *netlimit.Options) { trust(o); o.Total = 6 })
			all := s.busy(t, address, address, address, address, b, b)
			s.ask(t, s.dial(t, newcomer), "/")
			requireClosed(t, all[4])
			s.end(t, append(all[:4], all[5])...)
		})
		t.Run(name+" takes from the address with the most, for any number of its own", func(t *testing.T) {
			s := start(t, trust)
			all := s.busy(t, address, address, b, b)
			s.ask(t, s.dial(t, address), "/")
			requireClosed(t, all[2])
			s.end(t, all[0], all[1], all[3])
		})
	}
	t.Run("neighbours of a proxy are counted without it", func(t *testing.T) {
		s := start(t, trust)
		s.waits(t, newcomer, s.busy(t, "[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::1]:1", "[2001:db8::1]:1")...)
	})
}

// TestNewConnectionsBeforeTheirRequest: a new connection without a request yet, the only idle one.
func TestNewConnectionsBeforeTheirRequest(t *testing.T) {
	t.Run("addresses with more don't close it", func(t *testing.T) {
		s := start(t, many)
		s.busy(t, a, a, a, a)
		c := s.dial(t, newcomer)
		for range 10 {
			requireClosed(t, s.dial(t, a))
		}
		s.ask(t, c, "/wait")
		require.Zero(t, s.counts.closedFor("total"))
		s.end(t, c)
	})
	t.Run("addresses with more close it if it sends no request", func(t *testing.T) {
		s := start(t, many)
		s.busy(t, a, a, a, a)
		c := s.dial(t, newcomer)
		requireClosed(t, s.dial(t, a))
		s.clock(3 * time.Second)
		s.ask(t, s.dial(t, a), "/")
		requireClosed(t, c)
		close(s.release)
	})
	t.Run("new connections don't close it while an address has more", func(t *testing.T) {
		s := start(t, func(o *netlimit.Options) { o.Total = 8; many(o) })
		s.busy(t, a, a, a, a, a, a, a, a)
		var all []net.Conn
		for i := range 4 { // before any of them sends a request
			all = append(all, s.dial(t, fmt.Sprintf("198.51.100.%d:1", i)))
		}
		for _, c := range all {
			s.ask(t, c, "/wait")
		}
		require.Equal(t, 4, s.counts.closedFor("share"))
		s.end(t, all...)
	})
	t.Run("new connections close it if no address has more", func(t *testing.T) {
		s := start(t, many)
		s.busy(t, a, b, "192.0.2.3:1")
		c := s.dial(t, "192.0.2.4:1")
		s.ask(t, s.dial(t, newcomer), "/")
		requireClosed(t, c)
		close(s.release)
	})
}

// TestPerNetwork: a customer's IPv6 network, in a listener with room.
func TestPerNetwork(t *testing.T) {
	one, two, three := "[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1", "[2001:db8:0:3::1]:1"
	room := func(o *netlimit.Options) { o.Total = 100 }
	t.Run("the idlest is closed", func(t *testing.T) {
		s := start(t, room)
		all := s.busy(t, one, one, one, two, two)
		idle := s.dial(t, two)
		s.settle(t, 6)
		s.ask(t, s.dial(t, three), "/")
		requireClosed(t, idle)
		require.Equal(t, 1, s.counts.closedFor("network"))
		s.end(t, all...)
	})
	t.Run("all busy: the network of 64 bits with the most loses one", func(t *testing.T) {
		s := start(t, room)
		all := s.busy(t, one, one, two, one, two)
		all = append(all, s.busy(t, "[2001:db8:0:4::1]:1")...)
		s.ask(t, s.dial(t, three), "/")
		requireClosed(t, all[0])
		require.Equal(t, 1, s.counts.closedFor("network"))
		s.end(t, all[1:]...)
	})
	t.Run("all busy, and the networks have equally many", func(t *testing.T) {
		s := start(t, room)
		all := s.busy(t, one, one, two, two, three, three)
		requireClosed(t, s.dial(t, two))
		require.Equal(t, 1, s.counts.closedFor("network"))
		s.end(t, all...)
	})
	t.Run("another network of 56 bits", func(t *testing.T) {
		s := start(t, room)
		all := s.busy(t, one, one, one, two, two, two, "[2001:db8:0:100::1]:1")
		s.end(t, all...)
	})
}
