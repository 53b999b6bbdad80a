package credential

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/cloakroomhq/cloakroom/internal/clientaddr"
)

// wellKnown is where an issuer's metadata are (OpenID Connect Discovery 1.0, section 4).
const wellKnown = "/.well-known/openid-configuration"

// discover asks the issuer for the URL of its keys. It asks each time, because the URL can change.
func (s *source) discover(ctx context.Context) (string, error) {
	b, err := s.get(ctx, strings.TrimSuffix(s.issuer, "/")+wellKnown, "application/json")
	if err != nil {
		return "", fmt.Errorf("the issuer's metadata: %w", err)
	}
	o, err := decodeObject(b)
	if err != nil {
		return "", errors.New("the issuer's metadata: not a JSON object")
	}
	// Otherwise another issuer's metadata, published here, would let its keys sign for this issuer (section 4.3).
	if iss, err := member[string](o, "issuer"); err != nil || iss == nil || *iss != s.issuer {
		return "", errors.New("the issuer's metadata: they are of another issuer")
	}
	uri, err := member[string](o, "jwks_uri")
	if err != nil || uri == nil || !s.mayAsk(*uri) {
		return "", errors.New("the issuer's metadata: jwks_uri must be an https URL")
	}
	return *uri, nil
}

// mayAsk accepts https URLs and, if the issuer itself is asked by http (on loopback), http URLs on loopback.
func (s *source) mayAsk(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(s.issuer, "http://") && clientaddr.Loopback(u.Hostname())
}

// fetchClient returns a client that follows no redirect: only URLs in the settings or in the issuer's own metadata are
// fetched. It uses TLS 1.2 or newer.
func fetchClient(i Issuer) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: i.RootCAs}
	return &http.Client{
		Transport: transport, Timeout: fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
