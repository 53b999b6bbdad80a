// Package clinic is an example application in front of a Cloakroom gateway: a page on which a person
// hands over a social security number or a file, gets a token, and turns it back into the value.
// Its backend is a few lines around appkit.
//
// The page calls the gateway itself, and the value travels between the browser and the object
// store alone. The application's own GraphQL API, whose fields carry @token, comes with the next
// capability; /graphql is not served yet.
//
// # Sessions
//
// Every visitor has an anonymous session: a random id in a signed cookie, and nothing on the
// server. Strangers make such sessions at will, so a store of them would grow without bound, and one
// in memory would forget everybody at a restart. What a signed cookie can't do is end on the server's
// word before it expires; an anonymous session has nothing to sign out of. Logins will need a
// store, which only people who can log in make grow.
//
// POST /.cloakroom/session?new=1 leaves the caller's session and starts another. It is a feature of
// this example, for showing that another session can't open a token; appkit doesn't know it.
package clinic

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/cloakroomhq/cloakroom/appkit"
)

// Files in Options.DataDir.
const (
	SigningKeyFile   = "app-signing-key.jwk"
	CookieSecretFile = "app-cookie-secret"
)

// Options are the clinic's settings. Those without a default are required.
type Options struct {
	// BaseURL is where browsers reach this application, as in http://127.0.0.1:8082.
	BaseURL string
	// GatewayURL is the gateway's base URL; its /graphql is what the page calls.
	GatewayURL string
	// ObjectsURL is any URL of the object store, as browsers reach it. The page may connect to its
	// origin, and to no other but the gateway's.
	ObjectsURL string
	// DataDir holds the secrets that a restart must keep. It is made if it doesn't exist.
	DataDir string
	// Keys sign the session tokens: unless set, the key in DataDir, which is made if there is none.
	Keys *appkit.Keys
	// PlaygroundOrigins are origins whose pages may get session tokens too.
	PlaygroundOrigins []string
	// Logger gets errors: slog.Default() unless set.
	Logger *slog.Logger
	// Now is the clock: time.Now unless set.
	Now func() time.Time
}

// New returns the application.
func New(options Options) (http.Handler, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	handler, err := newHandler(options)
	if err != nil {
		return nil, fmt.Errorf("clinic: %w", err)
	}
	return handler, nil
}

func newHandler(options Options) (http.Handler, error) {
	base, err := url.Parse(options.BaseURL)
	if err != nil || base.Path != "" {
		return nil, fmt.Errorf("BaseURL %q: write it as http://host:port, without a path", options.BaseURL)
	}
	if options.DataDir == "" {
		return nil, fmt.Errorf("DataDir is missing: name the folder that keeps the clinic's secrets")
	}
	if err := os.MkdirAll(options.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("DataDir: %w", err)
	}
	sessions, err := newSessions(base, options)
	if err != nil {
		return nil, err
	}
	kit, err := newKit(sessions, options)
	if err != nil {
		return nil, err
	}
	page, err := newPage(base, options)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(appkit.Path, kit)
	for path := range page.files {
		mux.Handle("GET "+path, page)
	}
	return mux, nil
}

func newKit(sessions *sessions, options Options) (*appkit.Kit, error) {
	keys := options.Keys
	if keys == nil {
		key, err := appkit.LoadOrCreateKey(filepath.Join(options.DataDir, SigningKeyFile))
		if err != nil {
			return nil, err
		}
		if keys, err = appkit.NewKeys(key); err != nil {
			return nil, err
		}
	}
	return appkit.New(appkit.Options{
		Issuer:         options.BaseURL,
		Audience:       options.GatewayURL,
		Keys:           keys,
		Session:        sessions.current,
		AllowedOrigins: options.PlaygroundOrigins,
		Logger:         options.Logger,
		Now:            options.Now,
	})
}

func newSessions(base *url.URL, options Options) (*sessions, error) {
	secret, err := appkit.LoadOrCreateSecret(filepath.Join(options.DataDir, CookieSecretFile))
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "cloakroom/clinic/session-cookie/v1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the cookie's key: %w", err)
	}
	return &sessions{key: key, name: cookieName(base), secure: base.Scheme == "https", now: options.Now}, nil
}
