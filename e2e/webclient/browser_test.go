package webclient_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/cloakroomtest"
	"github.com/cloakroomhq/cloakroom/e2e/browser"
	"github.com/cloakroomhq/cloakroom/gateway"
)

const markup = `<!doctype html><html lang="en"><title>App</title><link rel="icon" href="data:,">
<form><input aria-label="SSN"><button>Save</button></form><output></output><script type="module" src="/page.js"></script>`

// site is an application with a page that may use the client, and its gateway.
type site struct {
	url     string
	gw      *cloakroomtest.Gateway
	user    atomic.Value // who is logged in at the application; "": nobody
	signIns atomic.Int32
}

// newSite starts both. The package is the page's global variable client.
func newSite(t *testing.T, mode string) *site {
	t.Helper()
	requireWeb(t, built)
	client, err := os.ReadFile(clientFolder + "/dist/cloakroom.min.js")
	require.NoError(t, err)
	s := &site{}
	s.user.Store("ada")
	var app http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	s.url = server.URL
	s.gw = cloakroomtest.Start(t, func(c *gateway.Config) {
		c.Objects.Encryption, c.HTTP.AllowedOrigins = mode, []string{s.url}
		c.Issuers[0].Issuer = s.url
		c.Issuers[0].SignIn.Enabled, c.Issuers[0].SignIn.ReturnTo = true, []string{s.url}
	})
	kit, err := appkit.New(appkit.Options{Issuer: s.url, Audience: s.gw.URL, Keys: s.gw.Keys, SignInPage: "/login", Session: s.session})
	require.NoError(t, err)
	objects := s.gw.Config.Objects.Embedded.PublicURL
	policy := fmt.Sprintf("default-src 'none'; script-src 'self'; img-src data:; connect-src 'self' %[1]s %[2]s; frame-src 'self' %[1]s; form-action 'self' %[1]s",
		s.gw.URL, objects)
	mux := http.NewServeMux()
	mux.Handle(appkit.Path, kit)
	serve := func(pattern, contentType, body string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Content-Security-Policy", policy)
			_, _ = w.Write([]byte(body))
		})
	}
	serve("/{$}", "text/html", markup)
	serve("/login", "text/html", "<!doctype html><title>Log in</title>")
	serve("/signed-in", "text/html", "<!doctype html><title>Signed in</title>")
	serve("/page.js", "text/javascript", `import * as client from "/cloakroom.min.js"; window.client = client;`)
	serve("/cloakroom.min.js", "text/javascript", string(client))
	app = mux
	return s
}

func (s *site) session(_ http.ResponseWriter, r *http.Request) (appkit.Session, error) {
	if strings.HasSuffix(r.URL.Path, "/sign-in") {
		s.signIns.Add(1)
	}
	user, _ := s.user.Load().(string)
	if user == "" {
		return appkit.Session{}, appkit.ErrNoSession
	}
	return appkit.Session{ID: "session-of-" + user, Subject: user}, nil
}

// open loads the page in Chromium, with a client `c`.
func (s *site) open(t *testing.T, options string) *browser.Page {
	t.Helper()
	p := browser.Open(t, s.url+"/", "")
	s.connect(p, options)
	return p
}

func (s *site) connect(p *browser.Page, options string) {
	p.Await("the client", "window.client")
	p.Eval(fmt.Sprintf("(window.c = new client.Cloakroom({url: %q, %s}), '')", s.gw.URL, options))
}

const (
	byJWT    = `authorization: async () => (await (await fetch("/.cloakroom/session", {method: "POST"})).json()).token`
	byCookie = `credentials: "include", signIn: {returnTo: location.origin + "/signed-in", timeout: 20000}, onSessionChanged: () => { window.changed = true }`
)

// run evaluates the body of an async function, whose result is shown as JSON.
func run(t *testing.T, p *browser.Page, body string) string {
	t.Helper()
	return p.Resolve("(async () => { " + body + " })().then(r => String(JSON.stringify(r)), e => 'failed: ' + e.name + ' ' + (e.code ?? ''))")
}

// Values go through Chromium and back.
func TestInChromium(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			s := newSite(t, mode)
			p := s.open(t, byJWT)
			t.Run("a text", func(t *testing.T) {
				assert.Equal(t, `"Zoë"`, run(t, p, `const {token} = await c.tokenize("Zoë"); return (await c.reveal(token)).text()`))
			})
			t.Run("a file, with progress", func(t *testing.T) {
				var seen struct {
					Same       bool
					Name, Type string
					Sent       []int64
					Total      int64
				}
				require.NoError(t, json.Unmarshal([]byte(run(t, p, `
					const bytes = new Uint8Array(5_000_000).map((_, i) => i * 7 >> 3), sent = []; let total;
					const file = new File([bytes], "a.png", {type: "image/png"});
					const {token} = await c.tokenize(file, {onProgress: (p) => { sent.push(p.sent); total = p.total; }});
					const value = await c.reveal(token), blob = await value.blob(), back = new Uint8Array(await blob.arrayBuffer());
					return {same: back.length === bytes.length && back.every((b, i) => b === bytes[i]), name: value.metadata.filename, type: blob.type, sent, total}`)), &seen))
				assert.True(t, seen.Same)
				assert.Equal(t, "a.png image/png", seen.Name+" "+seen.Type)
				require.NotEmpty(t, seen.Sent)
				assert.Equal(t, seen.Total, seen.Sent[len(seen.Sent)-1])
				assert.IsNonDecreasing(t, seen.Sent)
			})
			t.Run("a stream, both ways", func(t *testing.T) {
				assert.Equal(t, "[3000000,true]", run(t, p, `
					const bytes = new Uint8Array(3_000_000).map((_, i) => i * 13 >> 4);
					const {token} = await c.tokenize(new Blob([bytes]).stream());
					const reader = (await c.reveal(token)).stream().getReader(); let at = 0, same = true;
					for (;;) { const {done, value} = await reader.read(); if (done) return [at, same]; for (const b of value) same &&= b === bytes[at++]; }`))
			})
			t.Run("a hundred at once", func(t *testing.T) {
				assert.Equal(t, "true", run(t, p, `
					const texts = Array.from({length: 100}, (_, i) => "text " + i);
					const tokens = (await c.tokenizeMany(texts)).map((r) => r.value.token);
					return (await Promise.all(tokens.map(async (token) => (await c.reveal(token)).text()))).every((text, i) => text === texts[i])`))
			})
			t.Run("an abort", func(t *testing.T) {
				assert.Equal(t, "failed: AbortError 20", run(t, p, `
					const stop = new AbortController();
					return c.tokenize(new Blob([new Uint8Array(5_000_000)]), {signal: stop.signal, onProgress: () => stop.abort()})`))
			})
			t.Run("no token that is not this session's", func(t *testing.T) {
				assert.Equal(t, "failed: GrantRequiredError GRANT_REQUIRED", run(t, p, `return (await c.reveal("tok-2b58d9b2-83c1-4e9b-9692-b149112810c8")).text()`))
			})
			assert.Empty(t, p.Complaints())
			assert.Empty(t, p.Strays([]string{s.url, s.gw.URL, s.gw.Config.Objects.Embedded.PublicURL}))
		})
	}
}

// The gateway's cookie: signed in once for all calls, clients and tabs, in a hidden frame that leaves nothing behind.
func TestCookieInChromium(t *testing.T) {
	s := newSite(t, modes[0])
	const roundTrip = `const {token} = await c.tokenize("Zoë"); return (await c.reveal(token)).text()`
	p := s.open(t, byCookie)
	assert.Equal(t, `["Zoë","Zoë"]`, run(t, p, fmt.Sprintf(`
		const other = new client.Cloakroom({url: %q, credentials: "include"});
		return Promise.all([c, other].map(async (c) => { %s }))`, s.gw.URL, roundTrip)))
	assert.EqualValues(t, 1, s.signIns.Load())
	assert.Equal(t, "0", p.Eval("document.querySelectorAll('iframe').length"))
	assert.Len(t, p.History(), 2, "about:blank and the page")

	t.Run("another tab, a reload", func(t *testing.T) {
		tab := p.Tab(s.url + "/")
		s.connect(tab, byCookie)
		assert.Equal(t, `"Zoë"`, run(t, tab, roundTrip))
		assert.EqualValues(t, 1, s.signIns.Load())
	})
	t.Run("another user signs in, in another tab", func(t *testing.T) {
		s.user.Store("bea")
		tab := p.Tab(s.url + "/")
		s.connect(tab, byCookie)
		require.Equal(t, "null", run(t, tab, `await c.signOut(); return null`))
		p.Await("the end of the session", "window.changed")
		assert.Equal(t, "failed: SessionChangedError SESSION_CHANGED", run(t, p, roundTrip))
		tab.Eval("(c.resetSession(), '')")
		assert.Equal(t, `"Zoë"`, run(t, tab, roundTrip))
		assert.Equal(t, "failed: SessionChangedError SESSION_CHANGED", run(t, p, roundTrip), "nothing of the first page runs for the second user")
	})
	t.Run("nobody is logged in", func(t *testing.T) {
		s.user.Store("")
		tab := p.Tab(s.url + "/")
		s.connect(tab, byCookie)
		require.Equal(t, "null", run(t, tab, `await c.signOut(); c.resetSession(); return null`))
		assert.Equal(t, "failed: UnauthenticatedError UNAUTHENTICATED", run(t, tab, roundTrip))
		assert.Equal(t, "0", tab.Eval("document.querySelectorAll('iframe').length"))
	})
}

var snippet = regexp.MustCompile("(?s)## Ten lines\n\n```js\n(.*?)```")

// The ten lines of docs/frontends.md.
func TestTheDocumentedPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/frontends.md")
	require.NoError(t, err)
	found := snippet.FindSubmatch(page)
	require.NotNil(t, found)
	s := newSite(t, modes[1])
	code := strings.NewReplacer("https://vault.example.com", s.gw.URL, `import { Cloakroom } from "/cloakroom.min.js";`, "const { Cloakroom } = client;").Replace(string(found[1]))
	require.Contains(t, code, s.gw.URL)
	p := browser.Open(t, s.url+"/", "")
	p.Await("the client", "window.client")
	p.Eval("(() => { " + code + " })()")
	p.Eval(`(document.querySelector("input").value = "078-05-1120", document.querySelector("button").click(), "")`)
	p.Await("the value", `document.querySelector("output").textContent === "078-05-1120"`)
	assert.Empty(t, p.Complaints())
}
