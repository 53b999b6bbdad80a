package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/gateway"
)

// cookies sends forged, cut and swapped cookies to each endpoint that accepts a session's cookie.
func (a *attacked) cookies(t *testing.T) (list []attack) {
	good, other := a.signIn(t, a.clinic), a.signIn(t, a.bank)
	state, browser := a.begin(t, a.clinic)
	name := a.cookieName("session") + "="
	foreign := newWorld(t, true, nil)
	for title, cookie := range map[string]string{
		"quoted": name + `"` + good + `"`, "one character": name + "A", "cut": name + good[:len(good)-1], "cut in the middle": name + cut(good, 20, 24), "longer": name + good + "AAAA",
		"first byte": name + flip(good, 0), "key id": name + flip(good, 4), "middle": name + flip(good, len(good)/2), "tag": name + flip(good, len(good)-3), "padded": name + good + "=",
		"zeros": name + strings.Repeat("A", len(good)), "huge": name + strings.Repeat("A", 10_000), "halves of two": name + good[:len(good)/2] + other[len(other)/2:],
		"twice": name + good + "; " + name + good, "two users": name + good + "; " + name + other, "one forged": name + good + "; " + name + "A",
		"a state": name + state, "the binding cookie": name + browser, "another gateway's": name + foreign.signIn(t, foreign.clinic), "a JWT": name + a.clinic.session(nil),
		"an assertion": name + a.clinic.assertion(state), "percent-encoded": name + strings.ReplaceAll(good, good[:1], "%41"),
		"as the binding cookie": a.cookieName("browser") + "=" + good, "without its prefix": "cloakroom-session=" + good, "prefix in another case": "__host-cloakroom-session=" + good,
		"of another name": "x=" + good, "in two pieces": name + good[:50] + " " + good[50:],
	} {
		a.secret(good)
		list = append(list, attack{title, func(t *testing.T) *answer {
			got := a.graphql(t, nil, viewerQuery, "Origin", a.clinic.URL, "Cookie", cookie)
			if got.StatusCode == http.StatusOK {
				require.JSONEq(t, `{"data":{"viewer":null}}`, got.body, "at most an anonymous answer")
			}
			ended := a.end(t, nil, "Origin", a.clinic.URL, "Cookie", cookie)
			require.Equal(t, http.StatusUnauthorized, ended.StatusCode)
			return a.do(t, newRequest(t, "GET", a.url+"/session/verify", nil, "Cookie", cookie), nil)
		}, []int{http.StatusUnauthorized}})
	}
	for title, token := range map[string]string{
		"an assertion as bearer": a.clinic.assertion(state), "a cookie as bearer": good, "a state as bearer": state,
	} {
		list = append(list, attack{title, func(t *testing.T) *answer {
			return a.do(t, newRequest(t, "GET", a.url+"/session/verify", nil, "Authorization", "Bearer "+a.secret(token)), nil)
		}, []int{http.StatusUnauthorized}})
	}
	list = append(list, attack{"a bad bearer beside a good cookie", func(t *testing.T) *answer {
		return a.verify(t, good, "Authorization", "Bearer x.y.z")
	}, []int{http.StatusUnauthorized}})
	require.Equal(t, http.StatusOK, a.verify(t, good).StatusCode, "the good cookie works")
	return list
}

// crossSite sends the requests that other pages can make a victim's browser send, with its cookie.
func (a *attacked) crossSite(t *testing.T) (list []attack) {
	cookie := a.cookieName("session") + "=" + a.signIn(t, a.clinic)
	add := func(name, method, path, body string, want int, headers ...string) {
		list = append(list, attack{name, func(t *testing.T) *answer {
			r := newRequest(t, method, a.url+path, strings.NewReader(body), append(headers, "Cookie", cookie)...)
			got := a.do(t, r, nil)
			require.NotEqual(t, a.trap.URL, got.Header.Get("Access-Control-Allow-Origin"))
			return got
		}, []int{want}})
	}
	const document, query, jsonType = `{"query":"mutation { tokenize { token } }"}`, "?query=%7Bviewer%7Btenant%7D%7D", "application/json"
	for name, origin := range map[string]string{
		"another origin": a.trap.URL, "null": "null", "an origin that begins so": a.clinic.URL + ".example", "another port": "http://127.0.0.1:1",
		"upper case": strings.ToUpper(a.clinic.URL), "with a slash": a.clinic.URL + "/", "the bank's, which is not allowed": a.bank.URL,
	} {
		add("GraphQL, "+name, "POST", "/graphql", document, http.StatusForbidden, "Content-Type", jsonType, "Origin", origin)
		add("sign-out, "+name, "POST", "/session/end", "{}", http.StatusForbidden, "Content-Type", jsonType, "Origin", origin)
		add("verify, "+name, "GET", "/session/verify", "", http.StatusForbidden, "Origin", origin)
	}
	add("GraphQL, no Origin", "POST", "/graphql", document, http.StatusForbidden, "Content-Type", jsonType)
	add("GraphQL, empty Origin", "POST", "/graphql", document, http.StatusForbidden, "Content-Type", jsonType, "Origin", "")
	add("GraphQL, two Origins", "POST", "/graphql", document, http.StatusForbidden, "Content-Type", jsonType, "Origin", a.clinic.URL, "Origin", a.trap.URL)
	add("GraphQL, a form", "POST", "/graphql", "query=x", http.StatusUnsupportedMediaType, "Content-Type", "application/x-www-form-urlencoded", "Origin", a.clinic.URL)
	add("GraphQL, text", "POST", "/graphql", document, http.StatusUnsupportedMediaType, "Content-Type", "text/plain", "Origin", a.clinic.URL)
	add("GraphQL, GET without the header", "GET", "/graphql"+query, "", http.StatusForbidden, "Origin", a.clinic.URL)
	add("GraphQL, navigation", "GET", "/graphql"+query, "", http.StatusForbidden, "Sec-Fetch-Mode", "navigate")
	add("sign-out, no Origin", "POST", "/session/end", "{}", http.StatusForbidden, "Content-Type", jsonType)
	add("sign-out, a form", "POST", "/session/end", "", http.StatusUnsupportedMediaType, "Content-Type", "application/x-www-form-urlencoded", "Origin", a.clinic.URL)
	add("sign-out, no type", "POST", "/session/end", "", http.StatusUnsupportedMediaType, "Origin", a.clinic.URL)
	add("sign-out, oversized", "POST", "/session/end", strings.Repeat(" ", 17<<10), http.StatusRequestEntityTooLarge, "Content-Type", jsonType, "Origin", a.clinic.URL)
	add("sign-out, GET", "GET", "/session/end", "", http.StatusMethodNotAllowed)
	add("verify, POST", "POST", "/session/verify", "", http.StatusMethodNotAllowed, "Origin", a.clinic.URL)
	add("another endpoint", "POST", "/session/create2", "", http.StatusNotFound, "Origin", a.clinic.URL)
	add("create by a path with two slashes, another origin", "POST", "//session/create", "", http.StatusForbidden, "Origin", a.trap.URL)
	return list
}

// TestAllowedOriginsWithACookie: a page of an allowed origin may use the cookie.
func TestAllowedOriginsWithACookie(t *testing.T) {
	w := newWorld(t, true, nil)
	cookie := w.cookieName("session") + "=" + w.signIn(t, w.clinic)
	got := w.do(t, newRequest(t, "OPTIONS", w.url+"/graphql", nil, "Origin", w.clinic.URL, "Access-Control-Request-Method", "POST",
		"Access-Control-Request-Headers", "cloakroom-session-hash,content-type"), nil)
	require.Equal(t, "cloakroom-session-hash,content-type", got.Header.Get("Access-Control-Allow-Headers"))
	require.Equal(t, "true", got.Header.Get("Access-Control-Allow-Credentials"))
	for _, origin := range []string{w.clinic.URL, w.url} {
		require.Empty(t, w.graphql(t, nil, viewerQuery, "Origin", origin, "Cookie", cookie).code())
	}
	get := newRequest(t, "GET", w.url+"/graphql?query=%7Bviewer%7Btenant%7D%7D", nil, "Cookie", cookie, "GraphQL-Require-Preflight", "1")
	require.JSONEq(t, `{"data":{"viewer":{"tenant":"clinic"}}}`, w.do(t, get, nil).body)
}

// TestPageOfAnotherTenant: a page of one application can't use another's cookie, and can't find out whether there is one.
func TestPageOfAnotherTenant(t *testing.T) {
	w := newWorld(t, true, func(c *gateway.Config) {
		c.HTTP.AllowedOrigins = []string{c.Issuers[0].Issuer, c.Issuers[1].Issuer}
	})
	cookie := w.cookieName("session") + "=" + w.signIn(t, w.bank)
	ask := func(method, path, body, origin, cookie string) *answer {
		r := newRequest(t, method, w.url+path, strings.NewReader(body), "Content-Type", "application/json", "Origin", origin)
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		got := w.do(t, r, nil)
		for _, varying := range []string{"X-Request-Id", "Date"} {
			got.Header.Del(varying)
		}
		return got
	}
	const query = `{"query":"{ viewer { tenant } }"}`
	for path, body := range map[string]string{"/graphql": query, "/session/verify": "", "/session/end": "{}"} {
		t.Run(path, func(t *testing.T) {
			method := http.MethodPost
			if body == "" {
				method = http.MethodGet
			}
			with, without := ask(method, path, body, w.clinic.URL, cookie), ask(method, path, body, w.clinic.URL, "")
			require.Equal(t, without.StatusCode, with.StatusCode, path)
			require.Equal(t, without.body, with.body, path)
			require.Equal(t, without.Header, with.Header, path)
			require.NotContains(t, with.body, "bank", path)
		})
	}
	require.Equal(t, http.StatusUnauthorized, ask("POST", "/session/end", "{}", w.clinic.URL, cookie).StatusCode)
	require.JSONEq(t, `{"data":{"viewer":{"tenant":"bank"}}}`, ask("POST", "/graphql", query, w.bank.URL, cookie).body)
	require.Equal(t, http.StatusOK, ask("POST", "/session/end", "{}", w.bank.URL, cookie).StatusCode)
}

// TestResourcePolicy: a page that can't read the answers can't distinguish them either.
func TestResourcePolicy(t *testing.T) {
	w := newWorld(t, true, nil)
	cookie := w.cookieName("session") + "=" + w.signIn(t, w.clinic)
	for _, path := range []string{"/session/verify", "/session/ensure", "/session/create", "/session/end", "/session/x", "/graphql", "/healthz", "/readyz", "/metrics", "/x"} {
		for _, headers := range [][]string{nil, {"Cookie", cookie}, {"Origin", "https://blog.example"}, {"Cookie", cookie, "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "same-site"}} {
			got := w.do(t, newRequest(t, "GET", w.url+path, nil, headers...), nil)
			require.Equal(t, []string{"same-origin"}, got.Header["Cross-Origin-Resource-Policy"], path)
		}
	}
	for _, headers := range [][]string{nil, {"Cookie", cookie}} {
		got := w.do(t, newRequest(t, "GET", w.url+"/session/verify", nil, append(headers, "Sec-Fetch-Mode", "no-cors")...), nil)
		require.Equal(t, http.StatusForbidden, got.StatusCode)
	}
}

// TestCookieOfARemovedTenant: a cookie of a tenant that is no longer configured is refused.
func TestCookieOfARemovedTenant(t *testing.T) {
	w := newWorld(t, false, nil)
	cookie := w.signIn(t, w.clinic)
	for name, change := range map[string]func(c *gateway.Config){
		"removed":      func(c *gateway.Config) { c.Issuers = c.Issuers[1:] },
		"no sign-in":   func(c *gateway.Config) { c.Issuers[0].SignIn.Enabled = false },
		"renamed":      func(c *gateway.Config) { c.Issuers[0].Name = "clinic2" },
		"another keys": func(c *gateway.Config) { c.Keys.File, c.Database.Path = c.Keys.File+"2", c.Database.Path+"2" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := *w.cfg
			cfg.Issuers = append([]gateway.Issuer(nil), w.cfg.Issuers...)
			cfg.Objects.Embedded.Dir = t.TempDir()
			change(&cfg)
			restarted := (&world{cfg: &cfg, log: w.log}).open(t)
			r := newRequest(t, "GET", w.url+"/session/verify", nil, "Cookie", w.cookieName("session")+"="+cookie)
			answer := serve(restarted, r)
			require.Equal(t, http.StatusUnauthorized, answer.Code)
		})
	}
	require.Equal(t, http.StatusOK, w.verify(t, cookie).StatusCode)
}
