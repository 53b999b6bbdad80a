package config

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// minSecret is the least length of a proxy's secret, in characters.
const minSecret = 32

// ordinaryHeaders have another meaning, or any client may send them.
var ordinaryHeaders = []string{
	"Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Connection", "Content-Length", "Content-Type", "Cookie", "Forwarded", "Host",
	"Origin", "Proxy-Authorization", "Referer", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent", "X-Forwarded-For", "X-Real-Ip",
}

func (c *Config) verifyCredentials(p *problems) {
	between(p, "credentials.remember", c.Credentials.Remember, 1, 10_000_000)
	between(p, "credentials.clock_skew", c.Credentials.ClockSkew, 0, time.Minute)
	between(p, "credentials.max_size", c.Credentials.MaxSize, 1<<10, 64<<10)
	between(p, "credentials.ended_poll", c.Credentials.EndedPoll, 100*time.Millisecond, time.Minute)
	between(p, "credentials.max_ended", c.Credentials.MaxEnded, 1000, 100_000_000)
	if h := c.Credentials.Header; h != "" {
		headerName(p, "credentials.header", h)
	}
}

func headerName(p *problems, setting, name string) {
	if !httpguts.ValidHeaderFieldName(name) || slices.Contains(ordinaryHeaders, http.CanonicalHeaderKey(name)) {
		p.add(setting, "%q is not a separate header; name one that the proxy sets and nothing else uses, such as X-Session-Id", name)
	}
}

// verifyTrustedProxy refuses settings with which another client than the proxy could name the caller.
func (c *Config) verifyTrustedProxy(p *problems) {
	t := &c.TrustedProxy
	between(p, "trusted_proxy.max_lifetime", t.MaxLifetime, time.Minute, 31*24*time.Hour)
	if !t.enabled() {
		return
	}
	if !tenantName.MatchString(t.Tenant) {
		p.add("trusted_proxy.tenant", "%q must be 1 to 64 of a-z, 0-9, _ . - ; without a trusted proxy, remove all of trusted_proxy", t.Tenant)
	}
	t.verifyPeers(p)
	headerName(p, "trusted_proxy.session_header", t.SessionHeader)
	headerName(p, "trusted_proxy.subject_header", t.SubjectHeader)
	if t.SecretHeader != "" || t.Secret != "" {
		headerName(p, "trusted_proxy.secret_header", t.SecretHeader)
	}
	taken := map[string]string{http.CanonicalHeaderKey(c.Credentials.Header): "credentials.header"}
	for _, h := range [][2]string{{"trusted_proxy.session_header", t.SessionHeader}, {"trusted_proxy.subject_header", t.SubjectHeader}, {"trusted_proxy.secret_header", t.SecretHeader}} {
		name := http.CanonicalHeaderKey(h[1])
		if by := taken[name]; name != "" && by != "" {
			p.add(h[0], "%q is the header of %s too; each needs a separate header", h[1], by)
		}
		taken[name] = h[0]
	}
	c.verifyProof(p, t)
}

func (t *TrustedProxy) verifyPeers(p *problems) {
	if len(t.Peers) == 0 {
		p.add("trusted_proxy.peers", "none; name the networks that the proxy's connections come from, such as 10.1.2.3/32")
	}
	for _, s := range t.Peers {
		n, err := netip.ParsePrefix(s)
		switch {
		case err != nil || n.Masked() != n || n.Addr().Is4In6():
			p.add("trusted_proxy.peers", "%q is not a network; write its first address and its length, such as 10.1.2.0/24 or 10.1.2.3/32", s)
		case n.Addr().Is4() && n.Bits() < 8, n.Addr().Is6() && n.Bits() < 32:
			p.add("trusted_proxy.peers", "%q is too wide for one proxy's network; name only its network", s)
		}
	}
}

// verifyProof requires more than an address: an address says where a connection comes from, and not which client opened it.
func (c *Config) verifyProof(p *problems, t *TrustedProxy) {
	if t.Secret == "" && t.ClientCAFile == "" {
		p.add("trusted_proxy.secret", "nothing authenticates the proxy; set this and secret_header, or client_ca_file for its certificate, or both")
	}
	if t.SecretHeader != "" || t.Secret != "" {
		switch {
		case len(t.Secret.Reveal()) < minSecret || !printableASCII(t.Secret.Reveal()):
			p.add("trusted_proxy.secret", "needs %d printable ASCII characters or more, without spaces; make one with `openssl rand -hex 32`", minSecret)
		case c.HTTP.TLS.CertFile == "" && !t.onLoopback():
			p.add("trusted_proxy.secret", "would be sent in clear; set http.tls, or have the proxy's peers on loopback")
		}
	}
	if t.ClientCAFile != "" && c.HTTP.TLS.CertFile == "" {
		p.add("trusted_proxy.client_ca_file", "without TLS no proxy sends a certificate; set http.tls.cert_file and http.tls.key_file")
	}
	if t.ClientName != "" && t.ClientCAFile == "" {
		p.add("trusted_proxy.client_name", "the listener requests no certificate; set trusted_proxy.client_ca_file")
	}
}

func (t *TrustedProxy) onLoopback() bool {
	return !slices.ContainsFunc(t.Peers, func(s string) bool {
		n, err := netip.ParsePrefix(s)
		return err == nil && !n.Addr().IsLoopback()
	})
}

func printableASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
