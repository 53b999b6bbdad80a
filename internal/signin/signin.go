// Package signin is the redirect flow, which turns an application's login into a cookie of the gateway:
//
//	GET  /session/verify  who the caller is
//	GET  /session/ensure  sends the browser to the application's page, with a sealed state
//	POST /session/create  takes that page's answer, a signed assertion, and sets the cookie
//	POST /session/end     signs out
//
// An unfinished sign-in stores nothing here: the browser carries its sealed state. A state is recorded when it is used, so
// that it is used once. No credential is ever in a URL.
package signin

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/credential"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
	"github.com/cloakroomhq/cloakroom/models"
)

// Assertions verifies the answer of an issuer's page to a state.
type Assertions interface {
	Assertion(ctx context.Context, issuer, jws, state string) (*credential.Assertion, error)
	// Holds reports whether the key that signed an assertion is still the issuer's.
	Holds(ctx context.Context, issuer string, key credential.Thumbprint) bool
}

// Sealer encrypts and authenticates for one purpose.
type Sealer interface {
	Seal(plaintext []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

// Rows is the part of models.Rows that the flow needs. Every replica records used states in the database. models.Rows says
// what its callers may rely on.
type Rows interface {
	Write(ctx context.Context, b models.Batch) (models.Result, error)
	SweepStates(ctx context.Context, now int64, limit int) (int, error)
}

// Revocation ends logins and revokes grants, on every replica.
type Revocation interface {
	// SignOut ends the login of the caller of a cookie (nil: none), and revokes the grants of a session. It returns how
	// many grants were in force, and whether the cookie is no longer accepted. Its errors are faults;
	// after LIMIT_EXCEEDED the grants are revoked, and the login has not ended.
	SignOut(ctx context.Context, session, cookie *caller.Caller) (revoked int, closed bool, err error)
}

// Rates limit sign-ins and refused cookies. Their errors are faults RATE_LIMITED.
type Rates interface {
	// SignIn is called first for a request that begins or completes a sign-in; it counts by address.
	SignIn(r *http.Request) error
	// SignedIn is called after an assertion is verified, before its state is used.
	SignedIn(tenant string, session caller.SessionHash) error
	// Refused is called for each refused cookie.
	Refused(r *http.Request) error
}

// Observer counts sign-ins and cookies by outcome.
type Observer interface {
	SignIn(outcome string)
	Credential(outcome string)
	// Swept counts the rows removed from a table: "sign_in_states".
	Swept(table string, n int)
}

// Provider is an issuer whose users can sign in by the flow.
type Provider struct {
	Name     string
	Tenant   string   // of its users; "": Name
	URL      string   // its page, without a query
	ReturnTo []string // origins, or URL prefixes that end in "/", as config.Verify wants them
}

// Options configure a Flow; all are required except Providers, AllowedOrigins and Now.
type Options struct {
	Next           guard.CallerFinder // asked first: its credentials take precedence over the cookie
	Assertions     Assertions
	Providers      []Provider
	PublicURL      string   // the gateway's; over http, for development, cookies lack Secure and their prefix
	AllowedOrigins []string // of pages that may hold the flow in a frame
	Cookie         config.Cookie
	StateLifetime  time.Duration // for the application's page to answer in; config.MaxStateLifetime at most
	StateKeys      Sealer        // seal states
	CookieKeys     Sealer        // seal cookies; other keys than StateKeys
	Rows           Rows
	Revocation     Revocation
	Rates          Rates
	Observer       Observer
	Logger         *slog.Logger
	// Refuse answers a client that is not a browser with an error's public half; status 0: the status of its code.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, err error)
	Now    func() time.Time // for tests; nil: time.Now
}

// Flow is the sign-in flow, and the authenticator of its cookie. It is safe for concurrent use.
type Flow struct {
	opts      Options
	providers map[string]*provider
	only      *provider // if there is exactly one
	ancestors string    // who may frame the flow: a directive of a Content-Security-Policy
	secure    bool
}

type provider struct {
	Provider
	origin string   // of URL: the Origin of its form
	pages  []string // origins of the pages that may use its users' cookies; nil if it is the only provider: all that may call the gateway
}

// pages returns the gateway's own origin and those that the provider's users are sent to.
func (f *Flow) pages(p *provider) []string {
	all := []string{f.opts.PublicURL, p.origin}
	for _, entry := range p.ReturnTo {
		if origin, _, ok := splitTarget(entry); ok {
			all = append(all, origin)
		}
	}
	return all
}

// New returns a Flow.
func New(o Options) (*Flow, error) {
	if o.Next == nil || o.Assertions == nil || o.StateKeys == nil || o.CookieKeys == nil || o.Rows == nil || o.Revocation == nil ||
		o.Rates == nil || o.Observer == nil || o.Logger == nil || o.Refuse == nil {
		return nil, errors.New("signin: an option is missing")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Flow{
		opts: o, providers: map[string]*provider{}, secure: strings.HasPrefix(o.PublicURL, "https://"),
		ancestors: strings.Join(append([]string{"frame-ancestors 'self'"}, o.AllowedOrigins...), " "),
	}
	for _, p := range o.Providers {
		u, err := url.Parse(p.URL)
		if err != nil {
			return nil, errors.New("signin: a provider's URL is invalid")
		}
		p.Tenant = cmp.Or(p.Tenant, p.Name)
		f.only = &provider{Provider: p, origin: u.Scheme + "://" + u.Host}
		f.providers[p.Name] = f.only
	}
	if len(f.providers) != 1 {
		f.only = nil
		for _, p := range f.providers {
			p.pages = f.pages(p)
		}
	}
	return f, nil
}

// FromProvider is a guard that requires the Origin of a provider's page: other pages learn nothing from later checks.
func (f *Flow) FromProvider() guard.Guard {
	return guard.Guard{Name: "provider's page", Check: func(v *guard.Visit) error {
		if !f.anyOrigin(v.Request) {
			return badOrigin
		}
		return nil
	}}
}

// Rate is a guard that limits sign-ins by the request's address.
func (f *Flow) Rate() guard.Guard {
	return guard.Guard{Name: "sign-in rate", Check: func(v *guard.Visit) error { return f.opts.Rates.SignIn(v.Request) }}
}
