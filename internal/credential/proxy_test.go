package credential

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

const proxySecret = "0123456789abcdef0123456789abcdef"

func proxyFixture(t testing.TB, change func(*TrustedProxy)) *fixture {
	p := &TrustedProxy{
		Tenant: "intranet", SessionHeader: "x-session-id", SubjectHeader: "X-User", SecretHeader: "x-proxy-secret", Secret: proxySecret,
		Peers: []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24"), netip.MustParsePrefix("fd00:1::/64")}, MaxLifetime: time.Hour,
	}
	if change != nil {
		change(p)
	}
	return newFixture(t, func(o *Options) { o.Proxy, o.Header = p, "X-Id-Token" })
}

// hop is a request as the trusted proxy sends it.
func hop(change func(*http.Request)) *http.Request {
	r := request()
	r.RemoteAddr = "10.1.2.3:40000"
	r.Header.Set("X-Session-Id", "s-1")
	r.Header.Set("X-User", "cn=ann,dc=example")
	r.Header.Set("X-Proxy-Secret", proxySecret)
	if change != nil {
		change(r)
	}
	return r
}

func TestTrustedProxy(t *testing.T) {
	f := proxyFixture(t, nil)
	for _, peer := range []string{"10.1.2.3:1", "10.1.2.255:65535", "[::ffff:10.1.2.3]:1", "[fd00:1::5]:1", "[fd00:1::5%eth0]:1"} {
		c, err := f.Authenticate(hop(func(r *http.Request) { r.RemoteAddr = peer }))
		require.NoError(t, err, peer)
		hash := caller.HashSession("intranet", "s-1")
		require.Equal(t, &caller.Caller{
			Tenant: "intranet", Subject: "cn=ann,dc=example", Session: &hash, IssuedAt: start, ExpiresAt: start.Add(time.Hour), Ambient: true,
		}, c)
	}
	c, err := f.Authenticate(hop(func(r *http.Request) { r.Header.Del("X-Session-Id"); r.Header.Del("X-User") }))
	require.NoError(t, err)
	require.Nil(t, c, "no user is signed in at the proxy")
	c, err = f.Authenticate(bearer(good(claimsOf())))
	require.NoError(t, err, "JWTs are accepted from any address")
	require.Equal(t, "clinic", c.Tenant)
}

func TestUntrustedHop(t *testing.T) {
	f := proxyFixture(t, nil)
	set := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	from := func(peer string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = peer } }
	for name, change := range map[string]func(*http.Request){
		"another peer": from("10.1.3.1:1"), "loopback": from("127.0.0.1:1"), "no port": from("10.1.2.3"), "no address": from(""), "a socket": from("@"), "a name": from("proxy:80"),
		"another peer that claims to be it": func(r *http.Request) {
			r.RemoteAddr = "203.0.113.7:1"
			for _, h := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "X-Client-Ip", "True-Client-Ip"} {
				r.Header.Set(h, "10.1.2.3")
			}
		},
		"no secret": func(r *http.Request) { r.Header.Del("X-Proxy-Secret") }, "an empty secret": set("X-Proxy-Secret", ""), "another secret": set("X-Proxy-Secret", proxySecret[1:]+"0"),
		"half of the secret": set("X-Proxy-Secret", proxySecret[:16]), "more than the secret": set("X-Proxy-Secret", proxySecret+"0"),
		"the secret twice": set("X-Proxy-Secret", proxySecret, proxySecret), "a guess before the secret": set("X-Proxy-Secret", "x", proxySecret),
		"no session": func(r *http.Request) { r.Header.Del("X-Session-Id") }, "no subject": func(r *http.Request) { r.Header.Del("X-User") },
		"an empty session": set("X-Session-Id", ""), "an empty subject": set("X-User", ""), "two sessions": set("X-Session-Id", "s-2", "s-1"), "two subjects": set("X-User", "a", "b"),
		"two sessions in one": set("X-Session-Id", "s-2, s-1"), "(null)": set("X-Session-Id", "(null)"), "subject (null)": set("X-User", "(null)"),
		"not UTF-8": set("X-Session-Id", "s\xff"), "a control": set("X-Session-Id", "s\x01"), "huge": set("X-Session-Id", string(make([]byte, 2000))),
		"a JWT beside": set("Authorization", "Bearer "+good(claimsOf())), "a JWT beside, in the header": set("X-Id-Token", good(claimsOf())), "Basic beside": set("Authorization", "Basic dTpw"),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := f.Authenticate(hop(change))
			require.Nil(t, c)
			require.Equal(t, fault.Unauthenticated, fault.Public(err).Code)
			require.NotContains(t, err.Error(), proxySecret)
		})
	}
	_, err := proxyFixture(t, func(p *TrustedProxy) { p.Secret, p.SecretHeader = "", "" }).Authenticate(hop(nil))
	require.Error(t, err, "an address alone is no proof")
	c, err := newFixture(t, nil).Authenticate(hop(nil))
	require.NoError(t, err)
	require.Nil(t, c, "without a trusted proxy, its headers are ignored")
}

// certificate makes a certificate signed by parent; nil: self-signed.
func certificate(t testing.TB, key crypto.Signer, parent *x509.Certificate, by crypto.Signer, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "proxy.internal"}, NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, DNSNames: []string{"proxy.internal"},
		URIs: []*url.URL{{Scheme: "spiffe", Host: "example", Path: "/proxy"}},
	}
	if change != nil {
		change(template)
	}
	if parent == nil {
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return c
}

func authority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage, c.DNSNames, c.URIs = true, true, x509.KeyUsageCertSign, nil, nil, nil
	c.NotAfter = start.Add(24 * time.Hour)
}

// TestMutualTLS: the certificate must be of the configured authority, for clients, valid now, and of the configured name.
func TestMutualTLS(t *testing.T) {
	caKey, key := testKeys()["es384"], testKeys()["es256"]
	ca := certificate(t, caKey, nil, nil, authority)
	proxy := certificate(t, key, ca, caKey, nil)
	middleKey := testKeys()["bank"]
	middle := certificate(t, middleKey, ca, caKey, authority)
	below := certificate(t, key, middle, middleKey, nil)
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	showing := func(chain ...*x509.Certificate) *http.Request {
		return hop(func(r *http.Request) { r.TLS = &tls.ConnectionState{PeerCertificates: chain} })
	}
	mutual := func(name string, secret string) *fixture {
		return proxyFixture(t, func(p *TrustedProxy) {
			if p.ClientCAs, p.ClientName, p.Secret = pool, name, secret; secret == "" {
				p.SecretHeader = ""
			}
		})
	}
	for _, name := range []string{"", "proxy.internal", "spiffe://example/proxy"} {
		for _, secret := range []string{"", proxySecret} {
			_, err := mutual(name, secret).Authenticate(showing(proxy))
			require.NoError(t, err, name)
			_, err = mutual(name, secret).Authenticate(showing(below, middle))
			require.NoError(t, err, name)
		}
	}
	for name, r := range map[string]*http.Request{
		"no TLS": hop(nil), "no certificate": showing(), "its own authority": showing(certificate(t, key, nil, nil, nil)),
		"no intermediate": showing(below), "for servers": showing(certificate(t, key, ca, caKey, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })),
		"expired":         showing(certificate(t, key, ca, caKey, func(c *x509.Certificate) { c.NotAfter = start.Add(-time.Second) })),
		"not yet":         showing(certificate(t, key, ca, caKey, func(c *x509.Certificate) { c.NotBefore = start.Add(time.Second) })),
		"another name":    showing(certificate(t, key, ca, caKey, func(c *x509.Certificate) { c.DNSNames, c.URIs = []string{"proxy.internal.evil.example"}, nil })),
		"the common name": showing(certificate(t, key, ca, caKey, func(c *x509.Certificate) { c.DNSNames, c.URIs = nil, nil })),
		"another after":   showing(certificate(t, key, nil, nil, nil), proxy),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mutual("proxy.internal", "").Authenticate(r)
			require.Error(t, err, name)
		})
	}
	_, err := mutual("", proxySecret).Authenticate(hop(func(r *http.Request) {
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{proxy}}
		r.Header.Del("X-Proxy-Secret")
	}))
	require.Error(t, err, "both proofs are required")
	f := mutual("", "")
	f.clock.advance(2 * time.Hour)
	_, err = f.Authenticate(showing(proxy))
	require.Error(t, err, "the certificate has expired since the handshake")
}

// FuzzTrustedProxy: for any headers, a caller has every part, and without the secret there is no caller.
func FuzzTrustedProxy(f *testing.F) {
	f.Add("s-1", "ann", proxySecret)
	f.Add("(null)", "", "")
	fix := proxyFixture(f, nil)
	f.Fuzz(func(t *testing.T, session, subject, secret string) {
		c, err := fix.Authenticate(hop(func(r *http.Request) {
			r.Header["X-Session-Id"], r.Header["X-User"], r.Header["X-Proxy-Secret"] = []string{session}, []string{subject}, []string{secret}
		}))
		if err != nil {
			require.Nil(t, c)
			return
		}
		require.Equal(t, proxySecret, secret)
		require.True(t, validID(c.Subject) && validID(session))
		require.True(t, c.Ambient && c.Session != nil && len(c.Roles) == 0 && c.Tenant == "intranet")
	})
}
