package credential

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
)

// TrustedProxy is a proxy that names the caller in unsigned identity headers. They are accepted on connections from the
// proxy, and refused on all others.
type TrustedProxy struct {
	Tenant        string
	SessionHeader string
	SubjectHeader string
	MaxLifetime   time.Duration // of a session at the proxy

	Peers []netip.Prefix // where its connections come from; and these proofs, if set:

	SecretHeader, Secret string         // a header with a secret
	ClientCAs            *x509.CertPool // a client certificate of these (RFC 8446, section 4.4.2),
	ClientName           string         // with this DNS name or URI among its names; "": any
}

var errUntrustedHop = errors.New("identity headers that do not come from the trusted proxy")

func (p *TrustedProxy) canonical() *TrustedProxy {
	if p == nil {
		return nil
	}
	c := *p
	for _, name := range []*string{&c.SessionHeader, &c.SubjectHeader, &c.SecretHeader} {
		*name = http.CanonicalHeaderKey(*name)
	}
	return &c
}

// hasIdentity reports whether the request has identity headers.
func (p *TrustedProxy) hasIdentity(h http.Header) bool {
	return p != nil && (h[p.SessionHeader] != nil || h[p.SubjectHeader] != nil)
}

// caller returns the caller that the headers name, always a session. Its credential is the request, so it is issued now.
func (p *TrustedProxy) caller(r *http.Request, now time.Time) (*caller.Caller, error) {
	if err := p.trust(r, now); err != nil {
		return nil, err
	}
	session, subject := r.Header[p.SessionHeader], r.Header[p.SubjectHeader]
	// A comma means that two headers were joined on the way, one of them the client's.
	if len(session) != 1 || !validID(session[0]) || placeholder(session[0]) || strings.Contains(session[0], ",") {
		return nil, fmt.Errorf("%s: %w", p.SessionHeader, errClaims)
	}
	if len(subject) != 1 || !validID(subject[0]) || placeholder(subject[0]) {
		return nil, fmt.Errorf("%s: %w", p.SubjectHeader, errClaims)
	}
	now = now.UTC()
	hash := caller.HashSession(p.Tenant, session[0])
	return &caller.Caller{
		Tenant: p.Tenant, Subject: subject[0], Session: &hash, IssuedAt: now, ExpiresAt: now.Add(p.MaxLifetime), Ambient: true,
	}, nil
}

// trust checks the hop: the connection's own address, never X-Forwarded-For, and each proof that is configured.
func (p *TrustedProxy) trust(r *http.Request, now time.Time) error {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	address := peer.Addr().Unmap().WithZone("")
	switch {
	case err != nil || !slices.ContainsFunc(p.Peers, func(n netip.Prefix) bool { return n.Contains(address) }):
		return fmt.Errorf("%w: another peer's address", errUntrustedHop)
	case p.Secret == "" && p.ClientCAs == nil:
		return fmt.Errorf("%w: an address alone is no proof", errUntrustedHop)
	case p.Secret != "" && !p.knowsSecret(r.Header[p.SecretHeader]):
		return fmt.Errorf("%w: the secret is missing or wrong", errUntrustedHop)
	case p.ClientCAs != nil:
		return p.verifyCertificate(r, now)
	}
	return nil
}

func (p *TrustedProxy) knowsSecret(values []string) bool {
	if len(values) != 1 {
		return false
	}
	got, want := sha256.Sum256([]byte(values[0])), sha256.Sum256([]byte(p.Secret)) // hashes have the same length, whatever was sent
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// verifyCertificate verifies the client's certificate. The handshake has proved its key. Each request is checked: a
// connection may outlive the certificate, and the listener may accept certificates of other authorities too.
func (p *TrustedProxy) verifyCertificate(r *http.Request, now time.Time) error {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return fmt.Errorf("%w: no certificate", errUntrustedHop)
	}
	leaf, chain := r.TLS.PeerCertificates[0], x509.NewCertPool()
	for _, c := range r.TLS.PeerCertificates[1:] {
		chain.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: p.ClientCAs, Intermediates: chain, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errUntrustedHop, err)
	}
	if p.ClientName != "" && !slices.Contains(leaf.DNSNames, p.ClientName) &&
		!slices.ContainsFunc(leaf.URIs, func(u *url.URL) bool { return u.String() == p.ClientName }) {
		return fmt.Errorf("%w: a certificate of another name", errUntrustedHop)
	}
	return nil
}
