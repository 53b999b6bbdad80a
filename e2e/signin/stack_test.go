package signin_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/e2e/browser"
	"github.com/cloakroomhq/cloakroom/e2e/hosts"
	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/examples/clinic"
	"github.com/cloakroomhq/cloakroom/gateway"
)

// setting is the gateway's site, and the SameSite attribute of its cookies there.
type setting struct {
	name, gateway, sameSite string
	partitioned             bool
}

var settings = []setting{
	{"same site", sameSite, "strict", false},
	{"cross site", crossSite, "none", true},
}

// inEach runs a scenario for a gateway on the application's site and for one on another.
func inEach(t *testing.T, scenario func(t *testing.T, w *world)) {
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) { scenario(t, newWorld(t, s, nil)) })
	}
}

// world is the clinic and a gateway under their names, with their requests and logs.
type world struct {
	t                            *testing.T
	web                          *hosts.Hosts
	appURL, gatewayURL, storeURL string
	logs                         *stack.Buffer

	mu         sync.Mutex
	assertions []string
	gate       func(*http.Request) // called before the clinic answers; may wait
}

func newWorld(t *testing.T, s setting, configure func(*gateway.Config)) *world {
	t.Helper()
	w := &world{t: t, web: hosts.New(t, appHost, s.gateway, storeHost, evilHost, blogHost), logs: &stack.Buffer{}}
	w.appURL, w.gatewayURL, w.storeURL = "https://"+appHost, "https://"+s.gateway, "https://"+storeHost
	log := slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	key, err := appkit.GenerateKey()
	require.NoError(t, err)
	keys, err := appkit.NewKeys(key)
	require.NoError(t, err)

	g, err := gateway.New(t.Context(), w.config(s, keys, configure), log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close(context.Background())) })
	w.web.Serve(s.gateway, w.frontOf(g))
	w.web.Serve(storeHost, g.Objects())

	own, err := appkit.New(appkit.Options{Issuer: w.appURL, Audience: w.gatewayURL, Keys: keys,
		Session: func(http.ResponseWriter, *http.Request) (appkit.Session, error) {
			return appkit.Session{}, appkit.ErrNoSession
		}})
	require.NoError(t, err)
	calls, err := client.New(client.Options{Endpoint: w.gatewayURL, Credentials: own.ApplicationToken, HTTPClient: w.web.Client(t)})
	require.NoError(t, err)
	app, err := clinic.New(clinic.Options{
		BaseURL: w.appURL, GatewayURL: w.gatewayURL, ObjectsURL: w.storeURL, DataDir: t.TempDir(), Keys: keys, Logger: log,
		Grants: calls,
		EndSession: func(ctx context.Context, session string) error {
			_, err := calls.EndSession(ctx, session)
			return err
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, app.Close()) })
	w.web.Serve(appHost, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		gate := w.gate
		w.mu.Unlock()
		if gate != nil {
			gate(r)
		}
		app.ServeHTTP(rw, r)
	}))
	for _, evil := range []string{evilHost, blogHost} {
		w.web.Serve(evil, http.HandlerFunc(serveFact))
	}
	t.Cleanup(w.nothingLeaked)
	return w
}

func (w *world) config(s setting, keys *appkit.Keys, configure func(*gateway.Config)) *gateway.Config {
	dir := w.t.TempDir()
	cfg := gateway.DefaultConfig()
	cfg.HTTP.PublicURL = w.gatewayURL
	cfg.HTTP.AllowedOrigins = []string{w.appURL}
	cfg.Database.Path = dir + "/cloakroom.db"
	cfg.Keys.File, cfg.Keys.Create = dir+"/keyset.json", true
	cfg.Objects.Store = "embedded"
	cfg.Objects.Embedded.Dir, cfg.Objects.Embedded.PublicURL = dir+"/objects", w.storeURL
	cfg.Objects.Embedded.Listen = "127.0.0.1:0" // unused: the store is served by name
	cfg.SignIn.Cookie.SameSite, cfg.SignIn.Cookie.Partitioned = s.sameSite, s.partitioned
	issuer := gateway.DefaultIssuer()
	issuer.Name, issuer.Issuer, issuer.JWKS = "clinic", w.appURL, string(keys.JWKS())
	issuer.TrustRoles = true
	issuer.SignIn.Enabled, issuer.SignIn.ReturnTo = true, []string{w.appURL}
	cfg.Issuers = []gateway.Issuer{issuer}
	if configure != nil {
		configure(cfg)
	}
	return cfg
}

// inside is a page on the gateway's origin: it sends the requests that its embedding page asks for.
const inside = `<!doctype html><title>inside</title><script>
onmessage = async (message) => {
	const answer = await fetch(message.data.path, message.data.init);
	parent.postMessage(JSON.stringify({status: answer.status, body: await answer.text()}), "*");
}</script>`

// frontOf records the assertions on their way to the gateway, and serves the test's own page on the gateway's origin.
func (w *world) frontOf(g http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", g)
	mux.HandleFunc("GET /inside", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		rw.Header().Set("Referrer-Policy", "strict-origin")
		_, _ = io.WriteString(rw, inside)
	})
	mux.HandleFunc("POST /session/create", func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(w.t, err)
		form, err := url.ParseQuery(string(body))
		assert.NoError(w.t, err)
		w.mu.Lock()
		w.assertions = append(w.assertions, form.Get("assertion"))
		w.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		g.ServeHTTP(rw, r)
	})
	return mux
}

// hold makes the clinic call f, which may wait, before each of its answers.
func (w *world) hold(f func(*http.Request)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gate = f
}

// signIns returns the assertions that have been sent to the gateway.
func (w *world) signIns() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.assertions...)
}

// nothingLeaked checks that no URL, Referer or log holds a credential.
func (w *world) nothingLeaked() {
	secrets := &stack.Needles{}
	for _, assertion := range w.signIns() {
		parts := strings.Split(assertion, ".")
		require.Len(w.t, parts, 3)
		secrets.Add("assertion", []byte(parts[2])) // only the signature: headers are all alike, and claims are not secret
		secrets.Add("session id", []byte(stack.SessionID(w.t, assertion)))
	}
	var said strings.Builder
	for _, r := range w.web.Requests() {
		for _, cookie := range (&http.Request{Header: r.Header}).Cookies() {
			secrets.Add("cookie "+cookie.Name, []byte(cookie.Value))
		}
		if jwt, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
			secrets.Add("JWT", []byte(strings.Split(jwt, ".")[2]))
		}
		_, _ = fmt.Fprintln(&said, r.URL, r.Header.Get("Referer"))
		if referer := r.Header.Get("Referer"); referer != "" {
			require.Contains(w.t, []string{w.appURL + "/", w.gatewayURL + "/", "https://" + evilHost + "/", "https://" + blogHost + "/"}, referer, "a Referer is only an origin")
		}
	}
	require.Contains(w.t, w.logs.String(), `"msg"`, "the log must have entries to search")
	require.Empty(w.t, secrets.Find([]byte(said.String())), "in URLs")
	require.Empty(w.t, secrets.Find([]byte(w.logs.String())), "in logs")
}

// browse opens a page of the clinic in a new browser, which blocks third-party cookies.
func (w *world) browse(path string) *visitor {
	return &visitor{world: w, page: browser.Open(w.t, w.appURL+path, "", w.web.Browser(), browser.BlockThirdPartyCookies)}
}
