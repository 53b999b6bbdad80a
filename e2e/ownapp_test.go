package e2e_test

import (
	"encoding/json"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/e2e/browser"
	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/internal/dev"
)

// ownApp is a user's own application, at an address that closes every connection until it is started.
type ownApp struct {
	net.Listener
	url string
	up  atomic.Bool
	kit atomic.Pointer[appkit.Kit]
}

func (a *ownApp) Accept() (net.Conn, error) {
	for {
		c, err := a.Listener.Accept()
		if err != nil || a.up.Load() {
			return c, err
		}
		_ = c.Close()
	}
}

func newOwnApp(t *testing.T) *ownApp {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	a := &ownApp{Listener: l, url: "http://localhost:" + port}
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "login", Value: "a-login-of-its-own", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<title>in</title><link rel="icon" href="data:,">`))
	})
	mux.HandleFunc(appkit.Path, func(w http.ResponseWriter, r *http.Request) { a.kit.Load().ServeHTTP(w, r) })
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(a) }()
	t.Cleanup(func() { _ = server.Close() })
	return a
}

// start begins to serve, for a gateway whose playground may get sessions.
func (a *ownApp) start(t *testing.T, gateway string, origins ...string) {
	t.Helper()
	key, err := appkit.GenerateKey()
	require.NoError(t, err)
	keys, err := appkit.NewKeys(key)
	require.NoError(t, err)
	kit, err := appkit.New(appkit.Options{
		Issuer: a.url, Audience: gateway, Keys: keys, AllowedOrigins: origins,
		Session: func(_ http.ResponseWriter, r *http.Request) (appkit.Session, error) {
			login, err := r.Cookie("login")
			if err != nil {
				return appkit.Session{}, appkit.ErrNoSession
			}
			return appkit.Session{ID: login.Value, Subject: "me"}, nil
		},
	})
	require.NoError(t, err)
	a.kit.Store(kit)
	a.up.Store(true)
}

func forApp(url string) stack.Option { return func(o *dev.Options) { o.App = url } }

// The gateway starts before the application does, and accepts its sessions once it runs.
func TestDevServesAnApplicationThatStartsLater(t *testing.T) {
	app := newOwnApp(t)
	s := stack.Start(t, forApp(app.url))
	for _, want := range []string{app.url + "\n  Audience        " + s.GatewayURL + "\n  AllowedOrigins  " + s.GatewayURL, app.url + "/.cloakroom/jwks.json"} {
		assert.Contains(t, s.Out.String(), want)
	}
	assert.NotContains(t, s.Out.String(), "example")
	assert.NoFileExists(t, s.Data+"/clinic.db", "the example application does not start")

	app.start(t, s.GatewayURL, s.GatewayURL)
	jwt := app.session(t, s.HTTP)
	stack.Await(t, "the application's keys", func() bool {
		return s.Query(t, jwt, `{ viewer { tenant } }`, nil).Code() == ""
	})
	assert.Equal(t, map[string]any{"viewer": map[string]any{"tenant": dev.OwnTenant}}, s.Query(t, jwt, `{ viewer { tenant } }`, nil).Data)
	token, _ := s.Store(t, jwt, []byte("mine"), nil)
	assert.Equal(t, "mine", string(s.Read(t, jwt, token)))

	preflight, err := http.NewRequest(http.MethodOptions, s.GatewayURL+"/graphql", nil)
	require.NoError(t, err)
	preflight.Header.Set("Origin", app.url)
	preflight.Header.Set("Access-Control-Request-Method", http.MethodPost)
	preflight.Header.Set("Access-Control-Request-Headers", "authorization,content-type")
	answer, err := s.HTTP.Do(preflight)
	require.NoError(t, err)
	defer answer.Body.Close()
	assert.Equal(t, app.url, answer.Header.Get("Access-Control-Allow-Origin"))
}

func (a *ownApp) session(t *testing.T, client *http.Client) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, a.url+"/.cloakroom/session", nil)
	require.NoError(t, err)
	r.AddCookie(&http.Cookie{Name: "login", Value: "a-login-of-its-own"})
	answer, err := client.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	var said struct{ Token string }
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&said))
	require.NotEmpty(t, said.Token)
	return said.Token
}

// The playground gets the session of the user who is logged in at the application, and otherwise says what is missing.
func TestThePlaygroundSignsInAtTheApplication(t *testing.T) {
	app := newOwnApp(t)
	s := stack.Start(t, forApp(app.url))
	p := browser.Open(t, s.GatewayURL+"/", "")
	says := func(what string) {
		t.Helper()
		p.Await(what, `document.querySelector('[data-testid=session-status]')?.innerText.includes(`+string(quote(t, what))+`)`)
	}
	says("The app at " + app.url + " did not answer.")
	says("Is it running, and does it allow the origin " + s.GatewayURL)

	app.start(t, s.GatewayURL)
	p.Click("[data-testid=sign-in]")
	says("appkit: AllowedOrigins")

	app.start(t, s.GatewayURL, s.GatewayURL)
	p.Click("[data-testid=sign-in]")
	says("Sign in at " + app.url + " in this browser, then try again.")

	p.Tab(app.url+"/login").Await("login", `document.title === 'in'`)
	p.Click("[data-testid=sign-in]")
	p.SignedIn()
	jwt := app.session(t, s.HTTP)
	stack.Await(t, "the application's keys", func() bool { // the gateway fetches them at intervals
		return s.Query(t, jwt, `{ viewer { tenant } }`, nil).Code() == ""
	})
	p.OpenTab("Tokenize")
	p.Run()
	p.AwaitResponse("tok-")

	p.Click("[data-testid=new-session]")
	says("The app kept its session")
}

func quote(t *testing.T, text string) []byte {
	t.Helper()
	b, err := json.Marshal(text)
	require.NoError(t, err)
	return b
}
