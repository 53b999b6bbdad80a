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
	"github.com/cloakroomhq/cloakroom/internal/session"
)

// Assertions verifies what an issuer's page answered to a state.
type Assertions interface {
	Assertion(ctx context.Context, issuer, jws, state string) (*session.Assertion, error)
	// Holds reports whether the key that signed an assertion is the issuer's still.
	Holds(ctx context.Context, issuer string, key session.Thumbprint) bool
}

// Sealer encrypts and authenticates; what is sealed for one purpose must open for no other.
type Sealer interface {
	SealFor(purpose string, plaintext []byte) ([]byte, error)
	OpenFor(purpose string, sealed []byte) ([]byte, error)
}

// States notes which states have been used, on every replica.
type States interface {
	// ConsumeState must tell exactly one of all callers with one digest that it is the first, durably.
	// The note may go at the moment keepUntil; the vault's sweeper removes it.
	ConsumeState(ctx context.Context, digest [32]byte, keepUntil time.Time) (first bool, err error)
}

// Grants ends grants.
type Grants interface {
	// RevokeOwn ends the grants of the context's session, and returns how many were in force. Its errors
	// are faults.
	RevokeOwn(ctx context.Context) (int, error)
}

// Ended is what stops credentials before they expire, on every replica.
type Ended interface {
	// End refuses every cookie of the login from now on; none of them lives until the moment until.
	// It must be durable when it returns nil. Its errors are faults.
	End(ctx context.Context, login caller.SessionHash, until time.Time) error
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
	Next           session.CallerFinder // asked first: its credentials go before the cookie
	Assertions     Assertions
	Providers      []Provider
	PublicURL      string   // the gateway's; over http, for development, cookies lack Secure and their prefix
	AllowedOrigins []string // whose pages may hold the flow in a frame
	Cookie         config.Cookie
	StateLifetime  time.Duration // for the application's page to answer in; config.MaxStateLifetime at most
	Timeout        time.Duration // for one request
	Sealer         Sealer
	States         States
	Grants         Grants
	Ended          Ended
	Rates          Rates
	Observer       Observer
	Logger         *slog.Logger
	// Refuse answers a call that is no navigation with an error's public half; status 0: that of its code.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, err error)
	Now    func() time.Time // for tests; nil: time.Now
}

// Flow is the sign-in flow, and the authenticator of its cookie. It is safe for concurrent use.
type Flow struct {
	Options
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
	all := []string{f.PublicURL, p.origin}
	for _, entry := range p.ReturnTo {
		if origin, _, ok := splitTarget(entry); ok {
			all = append(all, origin)
		}
	}
	return all
}

// New returns a Flow.
func New(o Options) (*Flow, error) {
	if o.Next == nil || o.Assertions == nil || o.Sealer == nil || o.States == nil || o.Grants == nil || o.Ended == nil ||
		o.Rates == nil || o.Observer == nil || o.Logger == nil || o.Refuse == nil || o.Timeout <= 0 {
		return nil, errors.New("signin: an option is missing")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Flow{
		Options: o, providers: map[string]*provider{}, secure: strings.HasPrefix(o.PublicURL, "https://"),
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

// Handler returns the endpoints. Callers are found by auth, which decorates the Flow with whatever else
// may refuse a cookie.
func (f *Flow) Handler(auth session.CallerFinder) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/session/verify", func(w http.ResponseWriter, r *http.Request) { f.verify(w, r, auth) })
	mux.HandleFunc("/session/end", func(w http.ResponseWriter, r *http.Request) { f.end(w, r, auth) })
	mux.HandleFunc("/session/ensure", f.ensure)
	mux.HandleFunc(session.CreatePath, f.create)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), f.Timeout)
		defer cancel()
		mux.ServeHTTP(w, r.WithContext(ctx))
	})
}
