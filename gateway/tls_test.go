package gateway_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/gateway"
)

// authority is a CA.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	file string
}

func newAuthority(t *testing.T) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	a := &authority{cert: cert, key: key, file: filepath.Join(t.TempDir(), "ca.pem")}
	require.NoError(t, os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return a
}

// issue returns a certificate and its key in PEM, for 127.0.0.1 and a name, for servers and clients.
func (a *authority) issue(t *testing.T, name string, serial int64) (certPEM, keyPEM []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

func (a *authority) pair(t *testing.T, name string) *tls.Certificate {
	pair, err := tls.X509KeyPair(a.issue(t, name, 7))
	require.NoError(t, err)
	return &pair
}

// serving runs a gateway with TLS until the test ends.
func serving(t *testing.T, ca *authority, change func(*gateway.Config)) (url string, cfg *gateway.Config) {
	dir := t.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	tenant := stack.NewTenant(t, "shop")
	cfg = gateway.DefaultConfig()
	cfg.HTTP.PublicURL = "https://" + listener.Addr().String()
	cfg.HTTP.TLS.CertFile, cfg.HTTP.TLS.KeyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cert, key := ca.issue(t, "gateway.internal", 1)
	require.NoError(t, os.WriteFile(cfg.HTTP.TLS.CertFile, cert, 0o600))
	require.NoError(t, os.WriteFile(cfg.HTTP.TLS.KeyFile, key, 0o600))
	cfg.Database.Path, cfg.Keys.File, cfg.Keys.Create = filepath.Join(dir, "db"), filepath.Join(dir, "keyset.json"), true
	cfg.Objects.Store, cfg.Objects.Embedded.Dir = "embedded", filepath.Join(dir, "objects")
	cfg.Objects.Embedded.PublicURL, cfg.Objects.Embedded.Listen = "https://values.example", "127.0.0.1:0"
	issuer := gateway.DefaultIssuer()
	issuer.Name, issuer.Issuer, issuer.JWKS = tenant.Name, tenant.Issuer, tenant.JWKS(t)
	issuer.TrustRoles = true
	cfg.Issuers = []gateway.Issuer{issuer}
	if change != nil {
		change(cfg)
	}
	g, err := gateway.New(t.Context(), cfg, nil)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, gateway.Listeners{Gateway: listener}) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-ended) })
	return cfg.HTTP.PublicURL, cfg
}

// calling returns a client that trusts ca and sends a certificate, if any.
func calling(t *testing.T, ca *authority, shown *tls.Certificate) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}}
	if shown != nil { // even if the server asks for another authority's
		transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return shown, nil }
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestTLS: the gateway serves TLS 1.2 and newer, with HTTP/2, and refuses HTTP.
func TestTLS(t *testing.T) {
	ca := newAuthority(t)
	url, cfg := serving(t, ca, nil)
	response, err := calling(t, ca, nil).Get(url + "/healthz")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, 2, response.ProtoMajor)
	_, err = tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	require.Error(t, err, "TLS 1.1")
	plain, err := http.Get(strings.Replace(url, "https", "http", 1) + "/healthz")
	require.NoError(t, err)
	require.NoError(t, plain.Body.Close())
	require.Equal(t, http.StatusBadRequest, plain.StatusCode, "not by HTTP")

	cfg.HTTP.TLS.CertFile = filepath.Join(t.TempDir(), "none.pem")
	_, err = gateway.New(t.Context(), cfg, nil)
	require.ErrorContains(t, err, "http.tls.cert_file")
}

// TestStreams: the server announces its bound on concurrent streams in HTTP/2's settings (RFC 9113, section 6.5.2).
func TestStreams(t *testing.T) {
	ca := newAuthority(t)
	url, _ := serving(t, ca, nil)
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{RootCAs: roots, NextProtos: []string{"h2"}})
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.Write([]byte(http2.ClientPreface))
	require.NoError(t, err)
	framer := http2.NewFramer(conn, conn)
	require.NoError(t, framer.WriteSettings())
	frame, err := framer.ReadFrame()
	require.NoError(t, err)
	settings, ok := frame.(*http2.SettingsFrame)
	require.True(t, ok)
	streams, _ := settings.Value(http2.SettingMaxConcurrentStreams)
	require.EqualValues(t, 32, streams)
}

// TestTrustedProxy: identity headers are accepted on a connection with the configured client certificate. On any other
// connection a request that has them is refused. Other clients need no certificate.
func TestTrustedProxy(t *testing.T) {
	ca, proxies := newAuthority(t), newAuthority(t)
	url, _ := serving(t, ca, func(c *gateway.Config) {
		c.TrustedProxy = gateway.DefaultConfig().TrustedProxy
		p := &c.TrustedProxy
		p.Tenant, p.Peers, p.SessionHeader, p.SubjectHeader = "intranet", []string{"127.0.0.1/32"}, "X-Session-Id", "X-User"
		p.ClientCAFile, p.ClientName = proxies.file, "proxy.internal"
	})
	ask := func(client *http.Client, headers ...string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/graphql", strings.NewReader(`{"query":"{ viewer { subject tenant roles } }"}`))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		response, err := client.Do(r)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(body)
	}
	who := []string{"X-Session-Id", "s-1", "X-User", "ann", "Origin", url}
	status, body := ask(calling(t, ca, proxies.pair(t, "proxy.internal")), who...)
	require.Equal(t, http.StatusOK, status, body)
	require.JSONEq(t, `{"data":{"viewer":{"subject":"ann","tenant":"intranet","roles":[]}}}`, body)
	status, _ = ask(calling(t, ca, proxies.pair(t, "proxy.internal")), who[:4]...)
	require.Equal(t, http.StatusForbidden, status, "a page's origin is needed")
	status, _ = ask(calling(t, ca, proxies.pair(t, "other.internal")), who...)
	require.Equal(t, http.StatusUnauthorized, status, "another certificate of the authority")
	status, _ = ask(calling(t, ca, nil), who...)
	require.Equal(t, http.StatusUnauthorized, status, "no certificate")
	status, body = ask(calling(t, ca, nil))
	require.Equal(t, http.StatusOK, status, "no identity, no certificate")
	require.JSONEq(t, `{"data":{"viewer":null}}`, body)
	_, err := calling(t, ca, ca.pair(t, "proxy.internal")).Get(url + "/healthz")
	require.Error(t, err, "a certificate of another authority")
}

// TestClientCertificates: with http.tls.client_ca_file every client needs a certificate.
func TestClientCertificates(t *testing.T) {
	ca := newAuthority(t)
	url, _ := serving(t, ca, func(c *gateway.Config) { c.HTTP.TLS.ClientCAFile = ca.file })
	response, err := calling(t, ca, ca.pair(t, "anyone")).Get(url + "/healthz")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	_, err = calling(t, ca, nil).Get(url + "/healthz")
	require.Error(t, err)
}
