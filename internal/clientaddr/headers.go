package clientaddr

import (
	"net/netip"
	"strings"
)

// Both headers are read from the right: the part that a trusted hop has appended is well-formed, and text that a client
// wrote to the left, such as a quote that is never closed, can't change how that part is read.

// lastOfList returns the last address of an X-Forwarded-For (the zero Addr if it is none), and the text to its left, if any.
func lastOfList(line string) (last netip.Addr, rest string, more bool) {
	comma := strings.LastIndexByte(line, ',')
	if comma < 0 {
		return parseNode(strings.Trim(line, " \t")), "", false
	}
	return parseNode(strings.Trim(line[comma+1:], " \t")), line[:comma], true
}

// lastForwarded does the same for a Forwarded (RFC 7239, section 4): a list of elements, each a list of pairs.
func lastForwarded(line string) (last netip.Addr, rest string, more bool) {
	quoted := false
	start := 0
	for i := len(line) - 1; i >= 0; i-- {
		if line[i] == '"' {
			quoted = !quoted
		}
		if line[i] == ',' && !quoted {
			start, rest, more = i+1, line[:i], true
			break
		}
	}
	return forOf(line[start:]), rest, more
}

// forOf returns the address of an element's for parameter; the zero Addr if it has none, or several.
func forOf(element string) (a netip.Addr) {
	found := 0
	for pair := range strings.SplitSeq(element, ";") {
		name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !ok || !strings.EqualFold(name, "for") {
			continue
		}
		found++
		if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		} else if strings.ContainsAny(value, ":[]") { // such a value has to be quoted (section 4)
			return netip.Addr{}
		}
		a = parseNode(value)
	}
	if found != 1 {
		return netip.Addr{}
	}
	return a
}

// parseNode reads an address with or without a port, IPv6 with or without brackets. Names such as unknown, and
// obfuscated ones (RFC 7239, section 6), are no addresses.
func parseNode(s string) netip.Addr {
	if a, err := netip.ParseAddr(s); err == nil {
		return normal(a)
	}
	if p, err := netip.ParseAddrPort(s); err == nil {
		return normal(p.Addr())
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		if a, err := netip.ParseAddr(s[1 : len(s)-1]); err == nil && a.Is6() {
			return normal(a)
		}
	}
	return netip.Addr{}
}
