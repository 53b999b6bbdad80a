package gateway_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// post is an attack on /session/create: the request is valid except for the changes of change.
type post struct {
	app                              *app
	origin, browser, state, answered string
	r                                *http.Request // if set, sent instead
}

func (a *attacked) posting(name string, change func(t *testing.T, p *post), want ...int) attack {
	return attack{name, func(t *testing.T) *answer {
		p := &post{app: a.clinic, origin: a.clinic.URL}
		p.state, p.browser = a.begin(t, a.clinic)
		p.answered = a.clinic.assertion(p.state)
		change(t, p)
		a.secret(p.answered)
		if p.r == nil {
			p.r = a.form(t, p.origin, p.browser, p.state, p.answered)
		}
		got := a.do(t, p.r, nil)
		require.Empty(t, got.Header.Get("Access-Control-Allow-Origin"), "no script may read it")
		require.NotContains(t, got.body, "<script")
		return got
	}, want}
}

func cut(s string, from, to int) string { return s[:from] + s[to:] }

// flip changes one character of the alphabet of base64url to another.
func flip(s string, at int) string {
	c := "A"
	if s[at] == 'A' {
		c = "B"
	}
	return s[:at] + c + s[at+1:]
}

// states sends forged, foreign and used states.
func (a *attacked) states(t *testing.T) (list []attack) {
	add := func(name string, change func(t *testing.T, p *post)) {
		list = append(list, a.posting(name, change, http.StatusForbidden))
	}
	answered := func(p *post) { p.answered = a.clinic.assertion(p.state) } // the application answers every state
	for name, change := range map[string]func(s string) string{
		"empty": func(string) string { return "" }, "one character": func(string) string { return "A" }, "cut at the end": func(s string) string { return s[:len(s)-1] },
		"cut in the middle": func(s string) string { return cut(s, 20, 24) }, "cut at the start": func(s string) string { return s[4:] }, "longer": func(s string) string { return s + "AAAA" },
		"first byte": func(s string) string { return flip(s, 0) }, "key id": func(s string) string { return flip(s, 4) }, "nonce": func(s string) string { return flip(s, 12) },
		"middle": func(s string) string { return flip(s, len(s)/2) }, "tag": func(s string) string { return flip(s, len(s)-3) }, "padded": func(s string) string { return s + "=" },
		"line break": func(s string) string { return s[:40] + "\n" + s[40:] }, "space": func(s string) string { return s + " " }, "NUL": func(s string) string { return s + "\x00" },
		"standard alphabet": func(s string) string { return "+" + s[1:] }, "twice": func(s string) string { return s + s }, "zeros": func(s string) string { return strings.Repeat("A", len(s)) },
		"huge": func(string) string { return strings.Repeat("A", 8000) }, "JSON": func(string) string { return `{"provider":"clinic","return_to":"` + a.trap.URL + `"}` },
		"a JWT": func(s string) string { return a.clinic.assertion(s) }, "unicode": func(s string) string { return "é" + s },
	} {
		add(name, func(_ *testing.T, p *post) { p.state = change(p.state); answered(p) })
	}
	cookie := a.signIn(t, a.clinic)
	add("a session's cookie", func(_ *testing.T, p *post) { p.state = cookie; answered(p) })
	other := newWorld(t, true, nil) // another gateway, of another keyset
	add("another gateway's", func(t *testing.T, p *post) { p.state, p.browser = other.begin(t, other.clinic); answered(p) })
	add("no binding cookie", func(_ *testing.T, p *post) { p.browser = "" })
	add("another browser's", func(t *testing.T, p *post) { _, p.browser = a.begin(t, a.clinic) })
	add("login CSRF: the attacker's state and answer", func(t *testing.T, p *post) { p.state, _ = a.begin(t, a.clinic); answered(p) })
	add("login CSRF: the victim's state in the attacker's browser", func(t *testing.T, p *post) { _, p.browser = a.begin(t, a.clinic) })
	for name, change := range map[string]func(s string) string{
		"cut": func(s string) string { return s[:42] }, "changed": func(s string) string { return flip(s, 20) }, "longer": func(s string) string { return s + "A" },
		"quoted": func(s string) string { return `"` + s + `"` }, "its hash": func(string) string { return strings.Repeat("A", 43) },
	} {
		add("binding cookie "+name, func(_ *testing.T, p *post) { p.browser = change(p.browser) })
	}
	add("two binding cookies", func(_ *testing.T, p *post) { p.browser += "; " + a.cookieName("browser") + "=" + p.browser })
	add("binding cookie without its prefix", func(t *testing.T, p *post) {
		p.r = a.form(t, p.origin, "", p.state, p.answered)
		p.r.Header.Set("Cookie", "cloakroom-browser="+p.browser)
	})
	used, browser := a.begin(t, a.clinic)
	answer := a.secret(a.clinic.assertion(used))
	require.Equal(t, http.StatusSeeOther, a.do(t, a.form(t, a.clinic.URL, browser, used, answer), nil).StatusCode)
	add("replayed", func(_ *testing.T, p *post) { p.state, p.browser, p.answered = used, browser, answer })
	add("replayed with a new answer", func(_ *testing.T, p *post) { p.state, p.browser = used, browser; answered(p) })
	return list
}

// assertions sends assertions of another issuer, for another audience, too old, too new, or with roles of an application.
func (a *attacked) assertions(t *testing.T) (list []attack) {
	add := func(name string, make func(state string) string) {
		list = append(list, a.posting(name, func(_ *testing.T, p *post) { p.answered = make(p.state) }, http.StatusUnauthorized))
	}
	with := func(name, claim string, value any) {
		add(name, func(state string) string { return a.clinic.assertion(state, map[string]any{claim: value}) })
	}
	now := time.Now().Unix()
	with("no iss", "iss", nil)
	with("iss of another", "iss", a.bank.URL)
	with("no aud", "aud", nil)
	with("aud of another", "aud", a.trap.URL)
	with("aud with a slash", "aud", a.url+"/")
	with("aud empty", "aud", []string{})
	with("no sub", "sub", nil)
	with("sub a number", "sub", 1)
	with("no sid", "sid", nil)
	with("sid empty", "sid", "")
	with("no iat", "iat", nil)
	with("no exp", "exp", nil)
	with("no jti", "jti", nil)
	with("no s_hash", "s_hash", nil)
	with("s_hash empty", "s_hash", "")
	with("s_hash of nothing", "s_hash", "47DEQpj8HBSa-_TImW-5JA")
	with("expired", "exp", now-1)
	with("from the future", "iat", now+40)
	with("long life", "exp", now+3600)
	with("application", "roles", []string{"application"})
	with("admin", "roles", []string{"admin"})
	with("no roles, but a list", "roles", []string{})
	with("the session is over", "session_exp", now-1)
	with("the session ends at once", "session_exp", float64(time.Now().UnixMilli()+200)/1000)
	with("session_exp text", "session_exp", "x")
	add("empty", func(string) string { return "" })
	add("garbage", func(string) string { return "a.b.c" })
	add("huge", func(string) string { return strings.Repeat("A", 10_000) })
	add("a session's JWT", func(string) string { return a.clinic.session(nil) })
	add("a session's JWT with s_hash", func(state string) string {
		return a.clinic.sign(a.clinic.header("JWT"), a.clinic.claims(map[string]any{"s_hash": strings.Split(state, ".")[0]}))
	})
	add("another state's answer", func(string) string { return a.clinic.assertion("another") })
	add("the bank's", func(state string) string { return a.bank.assertion(state) })
	add("the bank's, as the clinic", func(state string) string { return a.bank.assertion(state, map[string]any{"iss": a.clinic.URL}) })
	add("an unknown issuer's", func(state string) string { return a.mirror.assertion(state) })
	add("an unknown issuer's, as the clinic", func(state string) string { return a.mirror.assertion(state, map[string]any{"iss": a.clinic.URL}) })
	for name, header := range map[string]map[string]any{
		"alg none": {"alg": "none", "typ": assertionType}, "HS256": {"alg": "HS256", "typ": assertionType, "kid": "clinic"}, "no typ": {"alg": "ES256", "kid": "clinic"},
		"jku": {"alg": "ES256", "typ": assertionType, "kid": "mirror", "jku": a.trap.URL}, "x5u": {"alg": "ES256", "typ": assertionType, "kid": "mirror", "x5u": a.trap.URL},
		"crit": {"alg": "ES256", "typ": assertionType, "kid": "clinic", "crit": []string{"x"}, "x": 1}, "b64": {"alg": "ES256", "typ": assertionType, "kid": "clinic", "b64": true},
	} {
		add("header "+name, func(state string) string {
			signer := a.clinic
			if strings.HasPrefix(name, "j") || strings.HasPrefix(name, "x") {
				signer = a.mirror
			}
			parts := strings.Split(a.clinic.assertion(state), ".")
			return signer.signed(header, parts[1])
		})
	}
	add("signature cut", func(state string) string { s := a.clinic.assertion(state); return s[:len(s)-2] })
	add("signature gone", func(state string) string { s := a.clinic.assertion(state); return s[:strings.LastIndex(s, ".")+1] })
	add("a user swapped in", func(state string) string {
		one, two := strings.Split(a.clinic.assertion(state), "."), strings.Split(a.clinic.assertion(state, map[string]any{"sub": "other"}), ".")
		return one[0] + "." + two[1] + "." + one[2]
	})
	// Mix-up: the victim begins at the bank, whose page belongs to the attacker, and gets the clinic's answer sent there; and the
	// reverse.
	list = append(list,
		a.posting("mix-up: the clinic's answer to the bank's state", func(t *testing.T, p *post) {
			p.state, p.browser = a.begin(t, a.bank)
			p.origin, p.answered = a.bank.URL, a.clinic.assertion(p.state)
		}, http.StatusUnauthorized),
		a.posting("mix-up: from the clinic's page", func(t *testing.T, p *post) {
			p.state, p.browser = a.begin(t, a.bank)
			p.answered = a.clinic.assertion(p.state)
		}, http.StatusForbidden),
		a.posting("mix-up: the bank's answer from the clinic's page", func(t *testing.T, p *post) {
			p.state, p.browser = a.begin(t, a.bank)
			p.answered = a.bank.assertion(p.state)
		}, http.StatusForbidden))
	return list
}

// forms sends forms of other pages, and malformed forms.
func (a *attacked) forms(_ *testing.T) (list []attack) {
	header := func(name, header string, values ...string) {
		list = append(list, a.posting(name, func(t *testing.T, p *post) {
			p.r = a.form(t, p.origin, p.browser, p.state, p.answered)
			p.r.Header[header] = values
		}))
	}
	header("no Origin", "Origin")
	header("null Origin", "Origin", "null")
	header("empty Origin", "Origin", "")
	header("the attacker's Origin", "Origin", a.trap.URL)
	header("the gateway's Origin", "Origin", a.url)
	header("two Origins", "Origin", a.clinic.URL, a.clinic.URL)
	header("two Origins in one", "Origin", a.clinic.URL+" "+a.clinic.URL)
	header("Origin with a path", "Origin", a.clinic.URL+"/")
	header("Origin in upper case", "Origin", strings.ToUpper(a.clinic.URL))
	header("JSON", "Content-Type", "application/json")
	header("text", "Content-Type", "text/plain")
	header("multipart", "Content-Type", "multipart/form-data; boundary=x")
	header("no type", "Content-Type")
	header("two types", "Content-Type", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded")
	header("another charset", "Content-Type", "application/x-www-form-urlencoded; charset=utf-16")
	header("compressed", "Content-Encoding", "gzip")
	header("fetched", "Sec-Fetch-Mode", "cors")
	body := func(name, method, query string, make func(p *post) string) {
		list = append(list, a.posting(name, func(t *testing.T, p *post) {
			p.r = a.form(t, p.origin, p.browser, "", "")
			text := make(p)
			p.r.Method, p.r.Body, p.r.ContentLength = method, io.NopCloser(strings.NewReader(text)), int64(len(text))
			p.r.URL.RawQuery = strings.NewReplacer("STATE", p.state, "ASSERTION", p.answered).Replace(query)
		}))
	}
	right := func(p *post) string { return url.Values{"state": {p.state}, "assertion": {p.answered}}.Encode() }
	body("all in the URL", "POST", "state=STATE&assertion=ASSERTION", func(*post) string { return "" })
	body("state in the URL", "POST", "state=STATE", func(p *post) string { return "assertion=" + p.answered })
	body("assertion in the URL", "POST", "assertion=ASSERTION", func(p *post) string { return "state=" + p.state })
	body("two states", "POST", "", func(p *post) string { return right(p) + "&state=" + p.state })
	body("two assertions", "POST", "", func(p *post) string { return right(p) + "&assertion=" + p.answered })
	body("no assertion", "POST", "", func(p *post) string { return "state=" + p.state })
	body("nothing", "POST", "", func(*post) string { return "" })
	body("semicolons", "POST", "", func(p *post) string { return "state=" + p.state + ";assertion=" + p.answered })
	body("bad escape", "POST", "", func(p *post) string { return right(p) + "&x=%zz" })
	body("oversized", "POST", "", func(p *post) string { return right(p) + "&x=" + strings.Repeat("x", 16<<10) })
	body("a megabyte", "POST", "", func(*post) string { return strings.Repeat("x", 1<<20) })
	body("PUT", "PUT", "", right)
	body("PATCH", "PATCH", "", right)
	body("GET with all in the URL", "GET", "state=STATE&assertion=ASSERTION", func(*post) string { return "" })
	body("HEAD", "HEAD", "state=STATE&assertion=ASSERTION", func(*post) string { return "" })
	body("preflight", "OPTIONS", "", func(*post) string { return "" })
	return list
}
