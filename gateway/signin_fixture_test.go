package gateway_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/cloakroomhq/cloakroom/gateway"
)

// world is a gateway with two applications, and an attacker's server.
type world struct {
	*gateway.Gateway
	cfg          *gateway.Config
	url          string
	server       *httptest.Server
	clinic, bank *app
	log          *lockedBuffer
	mu           sync.Mutex
	secrets      []string // that were ever used
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.String()
}

const pages = "https://pages.example/app/" // besides the clinic's own pages

// newWorld starts a gateway, over TLS or not; configure may be nil.
func newWorld(t testing.TB, tls bool, configure func(*gateway.Config)) *world {
	w := &world{clinic: newApp(t, "clinic"), bank: newApp(t, "bank"), log: &lockedBuffer{}}
	w.server = httptest.NewUnstartedServer(nil)
	scheme := "http://"
	if tls {
		scheme = "https://"
	}
	w.url = scheme + w.server.Listener.Addr().String()
	w.clinic.gateway, w.bank.gateway = w.url, w.url
	w.cfg = w.config(t, t.TempDir())
	if configure != nil {
		configure(w.cfg)
	}
	w.Gateway = w.open(t)
	w.server.Config.Handler = w.Gateway
	if tls {
		w.server.StartTLS()
	} else {
		w.server.Start()
	}
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) config(t testing.TB, dir string) *gateway.Config {
	cfg := gateway.DefaultConfig()
	cfg.HTTP.PublicURL = w.url
	cfg.HTTP.AllowedOrigins = []string{w.clinic.URL}
	cfg.Database.Path = filepath.Join(dir, "cloakroom.db")
	cfg.Keys.File, cfg.Keys.Create = filepath.Join(dir, "keyset.json"), true
	cfg.Objects.Store = "embedded"
	cfg.Objects.Embedded.Dir = filepath.Join(dir, "objects")
	cfg.Objects.Embedded.Listen, cfg.Objects.Embedded.PublicURL = "127.0.0.1:0", "http://127.0.0.1:1"
	cfg.Metrics.Listen = "gateway"
	cfg.Rates = gateway.Config{}.Rates // off: no attack may be refused by a rate
	for _, a := range []*app{w.clinic, w.bank} {
		issuer := gateway.DefaultIssuer()
		issuer.Name, issuer.Issuer, issuer.JWKS = a.name, a.URL, a.jwks(t)
		issuer.TrustRoles = true
		issuer.SignIn.Enabled, issuer.SignIn.ReturnTo = true, []string{a.URL}
		cfg.Issuers = append(cfg.Issuers, issuer)
	}
	cfg.Issuers[0].JWKS, cfg.Issuers[0].JWKSURL = "", w.clinic.URL+"/jwks.json"
	cfg.Issuers[0].SignIn.ReturnTo = append(cfg.Issuers[0].SignIn.ReturnTo, pages)
	return cfg
}

// open opens a gateway with the settings; a second one is a replica.
func (w *world) open(t testing.TB) *gateway.Gateway {
	g, err := gateway.New(t.Context(), w.cfg, slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close(context.Background())) })
	return g
}

// secret records a value that must be in no log.
func (w *world) secret(s string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secrets = append(w.secrets, s)
	return s
}

// checkLog fails if a secret of some length was logged.
func (w *world) checkLog(t testing.TB) {
	text := w.log.text()
	require.NotEmpty(t, text)
	for _, s := range append([]string{w.clinic.sid, w.bank.sid}, w.secrets...) {
		if len(s) >= 16 {
			require.NotContains(t, text, s)
			require.NotContains(t, text, s[len(s)/2:], "not even a half of it")
		}
	}
}

// rows counts the rows of all tables except the reserve, in the database's file.
func (w *world) rows(t testing.TB) map[string]int {
	db, err := sql.Open("sqlite", "file:"+w.cfg.Database.Path+"?mode=ro")
	require.NoError(t, err)
	defer db.Close()
	tables, err := db.Query("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'reserve'")
	require.NoError(t, err)
	count := map[string]int{}
	for tables.Next() {
		var name string
		require.NoError(t, tables.Scan(&name))
		count[name] = 0
	}
	require.NoError(t, tables.Err())
	for name := range count {
		var n int
		require.NoError(t, db.QueryRow("SELECT count(*) FROM "+name).Scan(&n))
		count[name] = n
	}
	return count
}

// answer is a response that has been read.
type answer struct {
	*http.Response
	body string
}

func (a *answer) code() string {
	var errs struct {
		Errors []struct {
			Extensions struct{ Code string }
		}
	}
	if json.Unmarshal([]byte(a.body), &errs) != nil || len(errs.Errors) == 0 {
		return ""
	}
	return errs.Errors[0].Extensions.Code
}

// do sends a request, with the jar's cookies for it, and follows no redirect.
func (w *world) do(t testing.TB, r *http.Request, jar http.CookieJar) *answer {
	t.Helper()
	client := *w.server.Client()
	client.Jar, client.CheckRedirect = jar, func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return &answer{resp, string(b)}
}

// serve hands a request to a gateway that is not listening.
func serve(g *gateway.Gateway, r *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	g.ServeHTTP(recorder, r)
	return recorder
}

func newRequest(t testing.TB, method, target string, body io.Reader, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, body)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// cookieName returns the full name of a gateway's cookie, which depends on the scheme.
func (w *world) cookieName(name string) string {
	if strings.HasPrefix(w.url, "https:") {
		return "__Host-cloakroom-" + name
	}
	return "cloakroom-" + name
}

// set returns the value of a cookie that an answer sets.
func (w *world) set(a *answer, name string) (string, bool) {
	for _, c := range a.Cookies() {
		if c.Name == w.cookieName(name) {
			return c.Value, true
		}
	}
	return "", false
}

// begin starts a sign-in in a new browser, and returns the state and the browser's cookie.
func (w *world) begin(t testing.TB, a *app) (state, browser string) {
	t.Helper()
	got := w.do(t, newRequest(t, "GET", w.url+"/session/ensure?provider="+a.name, nil), nil)
	require.Equal(t, http.StatusSeeOther, got.StatusCode, got.body)
	to, err := url.Parse(got.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, a.URL+"/.cloakroom/sign-in", to.Scheme+"://"+to.Host+to.Path)
	browser, ok := w.set(got, "browser")
	require.True(t, ok)
	return w.secret(to.Query().Get("state")), w.secret(browser)
}

// form is a POST to /session/create.
func (w *world) form(t testing.TB, origin, browser, state, assertion string) *http.Request {
	r := newRequest(t, "POST", w.url+"/session/create", strings.NewReader(url.Values{"state": {state}, "assertion": {assertion}}.Encode()),
		"Content-Type", "application/x-www-form-urlencoded")
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	if browser != "" {
		r.Header.Set("Cookie", w.cookieName("browser")+"="+browser)
	}
	return r
}

// signIn returns the value of a new session's cookie.
func (w *world) signIn(t testing.TB, a *app) string {
	t.Helper()
	state, browser := w.begin(t, a)
	got := w.do(t, w.form(t, a.URL, browser, state, w.secret(a.assertion(state))), nil)
	require.Equal(t, http.StatusSeeOther, got.StatusCode, got.body)
	value, ok := w.set(got, "session")
	require.True(t, ok)
	return w.secret(value)
}

// verify calls /session/verify with the session's cookie.
func (w *world) verify(t testing.TB, value string, headers ...string) *answer {
	t.Helper()
	return w.do(t, newRequest(t, "GET", w.url+"/session/verify", nil, append(headers, "Cookie", w.cookieName("session")+"="+value)...), nil)
}
