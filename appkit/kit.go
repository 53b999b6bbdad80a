package appkit

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Path is where a Kit is mounted.
const Path = "/.cloakroom/"

// ErrNoSession is the error of a Session callback, wrapped or not, for a caller without a session.
var ErrNoSession = errors.New("no session")

const (
	defaultTTL = 5 * time.Minute
	minimumTTL = time.Second
	maximumTTL = time.Hour
	maxSubject = 255 // as in OpenID Connect
)

// Session is one login at the application. It formats as its subject with every verb.
type Session struct {
	// ID is the application's own id of the session. It is never sent: JWTs hold SessionID of it.
	// It must be unguessable for SessionID to hide it.
	ID string
	// Subject names the user, as the claim "sub". Every holder of the JWT can read it, so use an opaque
	// user id and not an address. At most 255 bytes.
	Subject string
	// ExpiresAt is when the session ends at the application; zero: not known. JWTs for the session and the gateway's
	// cookie expire no later, and an ended session counts as no session.
	ExpiresAt time.Time
}

// Format implements fmt.Formatter: no verb prints the id.
func (s Session) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "[session of %q]", s.Subject)
}

// SessionID returns the id of the application's session at the gateway: the claim "sid", and the session id of
// createGrants, verifyGrants, revokeGrants, carryGrants and endSession. The application's id can't be derived from it.
func SessionID(applicationSessionID string) string {
	sum := sha256.Sum256([]byte("cloakroom/appkit/session-id/v1\x00" + applicationSessionID))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Options are a Kit's settings. Those without a default are required.
type Options struct {
	// Issuer is the application's base URL, the claim "iss". Its origin is the application's own.
	Issuer string
	// Audience is the gateway's base URL, the claim "aud".
	Audience string
	// Keys sign JWTs, and are published.
	Keys *Keys
	// Session returns the caller's session. It may make one, and may set cookies and other headers
	// for that, but writes no body. It runs only for callers that may get a token, and
	// for navigations to /.cloakroom/sign-in, which any site can cause.
	Session func(http.ResponseWriter, *http.Request) (Session, error)
	// AllowedOrigins are further origins whose pages may get session tokens with the user's
	// cookie (CORS with credentials), may show the sign-in in a frame, and may be its last page. Each
	// is exact, such as https://www.example.org.
	AllowedOrigins []string
	// SignInPage is the application's own page for logging in, a path such as /login. Sign-in redirects browsers without
	// a session to it, with the path to return to in the query parameter return_to: see Kit.SignInReturn. Unless set,
	// they get a page that says that they have to sign in.
	SignInPage string
	// SessionTokenTTL is how long a session token lives: 1s to 1h, 5m unless set. The gateway
	// has its own maximum.
	SessionTokenTTL time.Duration
	// ApplicationTokenTTL is the same for the application's own token.
	ApplicationTokenTTL time.Duration
	// ApplicationSubject is the "sub" of the application's own token: Issuer unless set.
	ApplicationSubject string
	// Logger gets the errors that are not sent to callers: slog.Default() unless set.
	Logger *slog.Logger
	// Now is the clock: time.Now unless set.
	Now func() time.Time
}

// Kit signs JWTs for one application, and is the handler to mount at Path. Safe for concurrent use.
type Kit struct {
	options Options
	origins map[string]bool // true: another origin, to be answered with CORS headers
	signIn  signIn
}

// New returns a Kit, or an error that names each bad option and what to do about it, joined; it has no sentinel.
func New(options Options) (*Kit, error) {
	options = withDefaults(options)
	own, issuerErr := baseURL("Issuer", options.Issuer)
	gateway, audienceErr := baseURL("Audience", options.Audience)
	problems := []error{issuerErr, audienceErr, checkSignInPage(options.SignInPage)}
	if options.Keys == nil || options.Keys.current.Load() == nil {
		problems = append(problems, errors.New("Keys is missing: make it with LoadKeys, or LoadOrCreateKey and NewKeys"))
	}
	if options.Session == nil {
		problems = append(problems, errors.New("Session is missing: give a function that reads the caller's login"))
	}
	problems = append(problems,
		checkTTL("SessionTokenTTL", options.SessionTokenTTL),
		checkTTL("ApplicationTokenTTL", options.ApplicationTokenTTL))
	if options.ApplicationSubject != options.Issuer {
		problems = append(problems, checkSubject("ApplicationSubject", options.ApplicationSubject))
	}

	origins := map[string]bool{}
	for _, origin := range options.AllowedOrigins {
		problems = append(problems, checkOrigin(origin))
		origins[origin] = true
	}
	origins[own] = false
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("appkit: %w", err)
	}
	options.AllowedOrigins = slices.Clone(options.AllowedOrigins)
	return &Kit{options: options, origins: origins, signIn: newSignIn(options, gateway)}, nil
}

// session is the caller's, unless it has ended.
func (k *Kit) session(w http.ResponseWriter, r *http.Request) (Session, error) {
	session, err := k.options.Session(w, r)
	if err == nil && !session.ExpiresAt.IsZero() && !session.ExpiresAt.Truncate(time.Second).After(k.now()) {
		return Session{}, ErrNoSession
	}
	return session, err
}

// now is the clock in whole seconds, the unit of JWTs.
func (k *Kit) now() time.Time { return k.options.Now().UTC().Truncate(time.Second) }

func withDefaults(options Options) Options {
	if options.SessionTokenTTL == 0 {
		options.SessionTokenTTL = defaultTTL
	}
	if options.ApplicationTokenTTL == 0 {
		options.ApplicationTokenTTL = defaultTTL
	}
	if options.ApplicationSubject == "" {
		options.ApplicationSubject = options.Issuer
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return options
}

// baseURL returns the origin of a base URL. The URL has one spelling, because "iss" and "aud" are
// compared byte by byte.
func baseURL(name, value string) (string, error) {
	refuse := func(why string) (string, error) {
		return "", fmt.Errorf("%s %q %s: write it as https://host or https://host/path", name, value, why)
	}
	if value == "" {
		return refuse("is missing")
	}
	parsed, err := url.Parse(value)
	switch {
	case err != nil || parsed.Hostname() == "":
		return refuse("is not an absolute URL")
	case parsed.Scheme != "https" && parsed.Scheme != "http":
		return refuse("is not an http or https URL")
	case !isASCII(parsed.Host):
		return refuse("has a host that isn't ASCII (use its xn-- form)")
	case strings.ContainsAny(parsed.Host, noHost):
		return refuse("has a host with invalid characters")
	case parsed.User != nil:
		return refuse("holds credentials")
	case strings.ContainsAny(value, "?#"):
		return refuse("has a query or a fragment")
	case strings.HasSuffix(value, "/"):
		return refuse("ends in a slash")
	}
	return originOf(parsed), nil
}

func checkTTL(name string, ttl time.Duration) error {
	if ttl < minimumTTL || ttl > maximumTTL {
		return fmt.Errorf("%s is %s: choose between %s and %s", name, ttl, minimumTTL, maximumTTL)
	}
	return nil
}
