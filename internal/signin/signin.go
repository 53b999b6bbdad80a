// Package signin is the redirect flow, by which an application's login becomes a cookie of the gateway's:
//
//	GET  /session/verify  who the caller is
//	GET  /session/ensure  sends the browser to the application's page, with a sealed state
//	POST /session/create  takes that page's answer, a signed assertion, and sets the cookie
//	POST /session/end     signs out
//
// A sign-in that is not finished leaves nothing here: its state travels sealed with the browser, and is
// noted when it is used, so that it is used once. No credential is ever in a URL.
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

// Assertions verifies what an issuer's page answered to a state.
type Assertions interface {
	Assertion(ctx context.Context, issuer, jws, state string) (*credential.Assertion, error)
	// Holds reports whether the key that signed an assertion is the issuer's still.
	Holds(ctx context.Context, issuer string, key credential.Thumbprint) bool
}

// Sealer encrypts and authenticates for one purpose.
type Sealer interface {
	Seal(plaintext []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

// Rows is what the flow needs of the database, in which every replica notes the states that have been used: a part of
// models.Rows, which says what it may rely on.
type Rows interface {
	Write(ctx context.Context, b models.Batch) (models.Result, error)
	SweepStates(ctx context.Context, now int64, limit int) (int, error)
}

// Revocation ends what a sign-in has opened, on every replica.
type Revocation interface {
	// SignOut ends the login of a caller with the cookie, nil for none, and revokes the grants of who, a session. It
	// returns how many grants were in force, and whether the cookie opens nothing any more. Its errors are faults;
	// after LIMIT_EXCEEDED the grants are revoked, and the login has not ended.
	SignOut(ctx context.Context, who, cookie *caller.Caller) (revoked int, closed bool, err error)
}

// Rates bound sign-ins, and cookies that are refused. Their errors are faults RATE_LIMITED.
type Rates interface {
	// SignIn is asked first of a request that begins a sign-in or is to end one, by its address.
	SignIn(r *http.Request) error
	// SignedIn is asked once an assertion is verified, before its state is used.
	SignedIn(tenant string, session caller.SessionHash) error
	// Refused is told of each cookie that is refused.
	Refused(r *http.Request) error
}

// Observer counts what becomes of sign-ins and of cookies.
type Observer interface {
	SignIn(outcome string)
	Credential(outcome string)
	// Swept is told how many rows of a table were removed: "sign_in_states".
	Swept(table string, n int)
}

// Provider is an issuer whose users can sign in by the flow.
type Provider struct {
	Name     string
	Tenant   string   // of its users; "": Name
	URL      string   // its page, without a query
	ReturnTo []string // origins, or URL prefixes that end in "/", as config.Verify wants them
}

// Options are what a Flow is made of; all are needed but Providers, AllowedOrigins and Now.
type Options struct {
	Next           guard.CallerFinder // asked first: its credentials go before the cookie
	Assertions     Assertions
	Providers      []Provider
	PublicURL      string   // the gateway's; over http, for development, cookies lack Secure and their prefix
	AllowedOrigins []string // whose pages may hold the flow in a frame
	Cookie         config.Cookie
	StateLifetime  time.Duration // for the application's page to answer in; config.MaxStateLifetime at most
	StateKeys      Sealer        // that sealed states open under
	CookieKeys     Sealer        // that sealed cookies open under; other keys than StateKeys
	Rows           Rows
	Revocation     Revocation
	Rates          Rates
	Observer       Observer
	Logger         *slog.Logger
	// Refuse answers a program with an error's public half; status 0: that of its code.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, err error)
	Now    func() time.Time // for tests; nil: time.Now
}

// Flow is the sign-in flow, and the authenticator of its cookie. It is safe for concurrent use.
type Flow struct {
	opts      Options
	providers map[string]*provider
	only      *provider // where there is exactly one
	ancestors string    // who may frame the flow: a directive of a Content-Security-Policy
	secure    bool
}

type provider struct {
	Provider
	origin string   // of URL: the Origin of its form
	pages  []string // origins whose pages may use its users' cookies; nil where it is the only one: all that may call the gateway
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
			return nil, errors.New("signin: a provider's URL is none")
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

// FromProvider is a guard that wants the Origin of some provider's page: other pages learn nothing from what follows.
func (f *Flow) FromProvider() guard.Guard {
	return guard.Guard{Name: "provider's page", Check: func(v *guard.Visit) error {
		if !f.anyOrigin(v.Request) {
			return badOrigin
		}
		return nil
	}}
}

// Rate is a guard that bounds sign-ins by the request's address.
func (f *Flow) Rate() guard.Guard {
	return guard.Guard{Name: "sign-in rate", Check: func(v *guard.Visit) error { return f.opts.Rates.SignIn(v.Request) }}
}
