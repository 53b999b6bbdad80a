// Package clientaddr finds the address of the client that sent a request: the connection's own or, behind a hop that the
// settings trust, the address that this hop names in a header. The header of any other peer is ignored.
package clientaddr

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
)

// The headers in which a hop can name the client.
const (
	XForwardedFor = "X-Forwarded-For"
	Forwarded     = "Forwarded" // RFC 7239
)

// maxHops limits the addresses of a header that are read, from the right.
const maxHops = 32

// Finder finds clients' addresses; it is safe for concurrent use. The zero Finder trusts no hop.
type Finder struct {
	hops   []netip.Prefix
	header string
	log    *slog.Logger
	warned sync.Once
}

// New returns a Finder that reads header (XForwardedFor or Forwarded) on connections from hops, networks such as
// 10.1.2.0/24. It logs once if a proxy seems to be missing in hops. It returns an error for another header, and for a hop
// that is no network.
func New(hops []string, header string, log *slog.Logger) (*Finder, error) {
	f := &Finder{header: header, log: log}
	if header != XForwardedFor && header != Forwarded {
		return nil, fmt.Errorf("clientaddr: the header %q is neither %s nor %s", header, XForwardedFor, Forwarded)
	}
	for _, s := range hops {
		n, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("clientaddr: %w", err)
		}
		f.hops = append(f.hops, n)
	}
	return f, nil
}

// Find returns the client's address. If a hop names no readable address, it is the hop's own; if the connection's can't be
// read either, it is the zero Addr. All clients that share an address share its limits.
func (f *Finder) Find(r *http.Request) netip.Addr {
	peer := peerOf(r.RemoteAddr)
	if !f.trusts(peer) {
		f.warn(r, peer)
		return peer
	}
	// Each hop appends at the right. From there, the first address that is no hop's is the client's. The client wrote
	// the text to the left of it.
	client, remaining := peer, maxHops
	for _, line := range slices.Backward(r.Header[f.header]) {
		for more := true; more; {
			if remaining--; remaining < 0 {
				return client
			}
			var named netip.Addr
			if f.header == Forwarded {
				named, line, more = lastForwarded(line)
			} else {
				named, line, more = lastOfList(line)
			}
			if !named.IsValid() {
				return client
			}
			if client = named; !f.trusts(client) {
				return client
			}
		}
	}
	return client
}

// Network returns the network that is counted as one client: an IPv4 address, or the /64 of an IPv6 address, because each
// customer has at least a /64.
func Network(a netip.Addr) netip.Prefix {
	a = normal(a)
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	n, _ := a.Prefix(bits) // fails for the zero Addr, whose network is the zero Prefix
	return n
}

func (f *Finder) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(f.hops, func(n netip.Prefix) bool { return n.Contains(a) })
}

// warn logs once that requests seem to come through a proxy that is missing in the settings: all its clients share the limits
// of one address.
func (f *Finder) warn(r *http.Request, peer netip.Addr) {
	if f.log == nil || len(f.hops) > 0 || r.Header[XForwardedFor] == nil && r.Header[Forwarded] == nil || !peer.IsLoopback() && !peer.IsPrivate() {
		return
	}
	f.warned.Do(func() {
		f.log.WarnContext(r.Context(), "requests seem to come through a proxy, and all its clients share the limits of one address: "+
			"name its network in http.trusted_hops, if it sets http.client_header itself", slog.String("peer", peer.String()))
	})
}

func peerOf(remote string) netip.Addr {
	if p, err := netip.ParseAddrPort(remote); err == nil {
		return normal(p.Addr())
	}
	return netip.Addr{}
}

func normal(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
