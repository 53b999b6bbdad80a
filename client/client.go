package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Defaults of Options.
const (
	DefaultTimeout   = 10 * time.Second
	DefaultAttempts  = 3
	DefaultMaxAnswer = 32 << 20
)

// Options are the settings of New. Endpoint and Credentials are required.
type Options struct {
	// Endpoint is the gateway's base URL, such as https://gateway.example. It must be https, except on loopback.
	Endpoint string
	// Credentials returns the JWT to call the gateway with, and when it expires: an application's
	// (appkit.Kit.ApplicationToken) or a session's. The JWT is used until shortly before it expires, and callers
	// that need the next one share one call, which no caller's cancellation ends. A JWT with a zero expiresAt
	// is used only by the calls that wait for it.
	Credentials func(ctx context.Context) (token string, expiresAt time.Time, err error)
	// HTTPClient sends the requests; nil: a client with keep-alive for many parallel calls. Redirects are
	// never followed. The gateway takes no compressed requests and compresses no answers; if a proxy
	// compresses them, the default client decompresses.
	HTTPClient *http.Client
	// Timeout bounds each call with its repetitions, within the context's deadline; 0: DefaultTimeout.
	// Upload and Download are bounded by their contexts alone.
	Timeout time.Duration
	// Attempts is how often one call is sent at most; 0: DefaultAttempts, 1: no repetition.
	Attempts int
	// MaxAnswer bounds an answer of the gateway, in bytes after decompression; 0: DefaultMaxAnswer.
	MaxAnswer int64
	// Now is the clock for the expiry of JWTs; nil: time.Now.
	Now func() time.Time
	// Logger gets a warning, at most every 10 seconds, while the gateway refuses the credential or is not available; nil: slog.Default().
	Logger *slog.Logger
}

// Client calls one gateway as one caller. It is safe for concurrent use.
type Client struct {
	endpoint    string
	http        *http.Client
	credentials *credentials
	timeout     time.Duration
	attempts    int
	maxAnswer   int64
	warnings    *warnings

	mu        sync.RWMutex
	listeners []func(session string, tokens []string)
}

// New returns a client, or an error that names the option at fault, which has no sentinel. It sends nothing.
func New(o Options) (*Client, error) {
	endpoint, err := graphqlURL(o.Endpoint)
	if err != nil {
		return nil, err
	}
	if o.Credentials == nil {
		return nil, errors.New("client: Options.Credentials is missing: pass appkit.Kit.ApplicationToken, or a function that returns a JWT")
	}
	if o.Timeout < 0 || o.Attempts < 0 || o.MaxAnswer < 0 {
		return nil, errors.New("client: Options.Timeout, Attempts and MaxAnswer can't be negative")
	}
	setDefault(&o.Timeout, DefaultTimeout)
	setDefault(&o.Attempts, DefaultAttempts)
	setDefault(&o.MaxAnswer, DefaultMaxAnswer)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{Transport: defaultTransport()}
	}
	own := *o.HTTPClient
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{
		endpoint: endpoint, http: &own, timeout: o.Timeout, attempts: o.Attempts, maxAnswer: o.MaxAnswer,
		credentials: &credentials{fetch: o.Credentials, now: o.Now, timeout: o.Timeout},
		warnings:    &warnings{logger: o.Logger, now: o.Now, endpoint: o.Endpoint},
	}, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// defaultTransport keeps as many connections to the gateway as parallel calls needed, for less time than the
// gateway keeps them (http.idle_timeout, 2m unless set).
func defaultTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    5 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    128,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// graphqlURL returns the endpoint of a gateway's base URL, which may end in a slash or have a path.
func graphqlURL(base string) (string, error) {
	refuse := func(why string) (string, error) {
		return "", fmt.Errorf("client: Options.Endpoint %s: write the gateway's base URL, https://host[:port]", why)
	}
	u, err := url.Parse(base)
	switch {
	case base == "":
		return refuse("is missing")
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return refuse("is not an absolute URL")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return refuse("holds a user, a query or a fragment")
	case !confidential(u):
		return refuse("would send credentials in clear")
	}
	return strings.TrimSuffix(u.String(), "/") + "/graphql", nil
}

// confidential reports whether requests to a URL can't be read on the network: it is https, or loopback.
func confidential(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}
