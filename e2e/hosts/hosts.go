// Package hosts gives a test an environment like the web: host names, TLS and port 443. Names below .test resolve to one
// listener on loopback, which records every request and has a certificate that the test makes.
package hosts

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/browser"
)

// Request is a recorded request.
type Request struct {
	Method, URL string
	Header      http.Header
}

// Hosts serves the names that New gets.
type Hosts struct {
	address string
	pin     string // hash of the key that browsers trust
	roots   *x509.CertPool

	mu       sync.Mutex
	handlers map[string]http.Handler
	requests []Request
}

// New serves until the test ends. No other names can be added later.
func New(t testing.TB, names ...string) *Hosts {
	t.Helper()
	h := &Hosts{handlers: map[string]http.Handler{}}
	certificate := h.certificate(t, names)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h.address = listener.Addr().String()
	server := &http.Server{
		Handler: h, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
		ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { _ = server.Close() })
	return h
}

// certificate makes a certificate for all names, signed by the test's own authority.
func (h *Hosts) certificate(t testing.TB, names []string) tls.Certificate {
	t.Helper()
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), BasicConstraintsValid: true,
		}
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	root := template(1, "authority of a test")
	root.IsCA, root.KeyUsage = true, x509.KeyUsageCertSign
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	leaf := template(2, names[0])
	leaf.DNSNames, leaf.KeyUsage, leaf.ExtKeyUsage = names, x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	signed, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), rootKey)
	require.NoError(t, err)
	authority, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(authority)
	require.NoError(t, err)
	h.roots = x509.NewCertPool()
	h.roots.AddCert(parsed)
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	sum := sha256.Sum256(public)
	h.pin = base64.StdEncoding.EncodeToString(sum[:])
	return tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key}
}

// Serve answers requests to the name, and returns its origin.
func (h *Hosts) Serve(name string, handler http.Handler) (origin string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.handlers[name] = handler
	return "https://" + name
}

// ServeHTTP implements http.Handler.
func (h *Hosts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.requests = append(h.requests, Request{Method: r.Method, URL: "https://" + r.Host + r.RequestURI, Header: r.Header.Clone()})
	handler := h.handlers[r.Host]
	h.mu.Unlock()
	if handler == nil {
		http.NotFound(w, r)
		return
	}
	handler.ServeHTTP(w, r)
}

// Requests returns the requests so far.
func (h *Hosts) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests)
}

// Client reaches the names, and follows no redirect.
func (h *Hosts) Client(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, h.address)
		},
		TLSClientConfig: &tls.Config{RootCAs: h.roots},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Browser lets a browser reach the names, and nothing else. It accepts certificates of the test's key in addition to valid ones:
// all other checks are on, and so are the rules for secure origins.
func (h *Hosts) Browser() browser.Option {
	return browser.Flags(
		chromedp.Flag("host-resolver-rules", "MAP *.test "+h.address+", MAP * ~NOTFOUND"), h.Trust())
}

// Trust returns the flag with which a browser trusts the test's key.
func (h *Hosts) Trust() chromedp.ExecAllocatorOption {
	return chromedp.Flag("ignore-certificate-errors-spki-list", h.pin)
}
