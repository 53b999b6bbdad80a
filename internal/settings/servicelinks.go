package settings

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Kubernetes sets variables for the Services of its namespace in each pod. Those of a Service called cloakroom, or
// cloakroom-…, have names that begin like ours (kubernetes.io/docs/concepts/services-networking/service,
// "Environment variables"). NAME is the Service's in capitals, N a port's number and P its protocol:
var serviceLinks = []struct {
	name  *regexp.Regexp
	value func(value string, port, protocol string) bool
}{
	// NAME_SERVICE_HOST=10.0.0.11
	{linkName(`_SERVICE_HOST`), func(v, _, _ string) bool { return isAddress(v) }},
	// NAME_SERVICE_PORT=6379, and NAME_SERVICE_PORT_HTTP=6379 for a port that is named
	{linkName(`_SERVICE_PORT(?:_[A-Z0-9_]+)?`), func(v, _, _ string) bool { return isPort(v) }},
	// NAME_PORT=tcp://10.0.0.11:6379
	{linkName(`_PORT`), func(v, _, _ string) bool { return isLink(v, "", "") }},
	// NAME_PORT_N_P=tcp://10.0.0.11:6379
	{linkName(`_PORT_(?P<port>[0-9]+)_(?P<protocol>TCP|UDP|SCTP)`), isLink},
	// NAME_PORT_N_P_PROTO=tcp
	{linkName(`_PORT_(?P<port>[0-9]+)_(?P<protocol>TCP|UDP|SCTP)_PROTO`), func(v, _, protocol string) bool { return v == protocol }},
	// NAME_PORT_N_P_PORT=6379
	{linkName(`_PORT_(?P<port>[0-9]+)_(?P<protocol>TCP|UDP|SCTP)_PORT`), func(v, port, _ string) bool { return isPort(v) && v == port }},
	// NAME_PORT_N_P_ADDR=10.0.0.11
	{linkName(`_PORT_(?P<port>[0-9]+)_(?P<protocol>TCP|UDP|SCTP)_ADDR`), func(v, _, _ string) bool { return isAddress(v) }},
}

// linkName matches a variable's name: a Service's name as Kubernetes writes it, such as CLOAKROOM or CLOAKROOM_OBJECTS, and
// rest.
func linkName(rest string) *regexp.Regexp {
	return regexp.MustCompile(`\A` + strings.TrimSuffix(envPrefix, "_") + `(?:_[A-Z0-9_]+)?` + rest + `\z`)
}

// isServiceLink reports whether Kubernetes may have set a variable, by its name and its value. It is never called with the
// name of a setting, and no setting may have such a name; a test compares them.
func isServiceLink(name, value string) bool {
	for _, link := range serviceLinks {
		m := link.name.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		group := func(name string) string {
			if n := link.name.SubexpIndex(name); n >= 0 {
				return m[n]
			}
			return ""
		}
		if link.value(value, group("port"), strings.ToLower(group("protocol"))) {
			return true
		}
	}
	return false
}

func isAddress(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Zone() == ""
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == s
}

// isLink reports whether value is protocol://address:port, with the port and the protocol of the variable's name, if it has
// them.
func isLink(value, port, protocol string) bool {
	u, err := url.Parse(value)
	if err != nil || u.Scheme+"://"+u.Host != value || u.Scheme != "tcp" && u.Scheme != "udp" && u.Scheme != "sctp" {
		return false
	}
	host, p, err := net.SplitHostPort(u.Host)
	return err == nil && isAddress(host) && isPort(p) && (port == "" || p == port) && (protocol == "" || u.Scheme == protocol)
}
