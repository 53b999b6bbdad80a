package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/costtest"
)

// attack is one request that must be refused.
type attack struct {
	name string
	send func(t *testing.T) *answer
	want []int // status; none: any from 400 to 499
}

// attacked is a world under attack: trap is the attacker's server, to which no request may be sent.
type attacked struct {
	*world
	trap   *httptest.Server
	fell   *atomic.Int64
	mirror *app // an issuer of the attacker's, which the gateway does not trust
}

// TestSignInAttacks sends every attack to one gateway over TLS. None may get a session or a redirect; none may cause an
// internal error, cost much, or make the gateway send a request except for its issuers' keys.
func TestSignInAttacks(t *testing.T) {
	a := &attacked{world: newWorld(t, true, func(c *gateway.Config) {
		c.Issuers[0].SignIn.ReturnTo = append(c.Issuers[0].SignIn.ReturnTo, "https://www.example")
	}), fell: &atomic.Int64{}}
	a.trap = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { a.fell.Add(1) }))
	defer a.trap.Close()
	a.mirror = newApp(t, "mirror")
	a.mirror.gateway, a.mirror.sid, a.mirror.subject = a.url, a.clinic.sid, a.clinic.subject
	a.signIn(t, a.clinic) // a valid sign-in works
	a.signIn(t, a.bank)
	groups := map[string][]attack{
		"return_to": a.redirects(t), "ensure": a.beginnings(), "state": a.states(t), "assertion": a.assertions(t), "form": a.forms(t),
		"cookie": a.cookies(t), "csrf": a.crossSite(t),
	}
	before := a.rows(t)
	cases := 0
	var most time.Duration
	worst := ""
	for group, attacks := range groups {
		for _, one := range attacks {
			cases++
			t.Run(group+"/"+one.name, func(t *testing.T) {
				var got *answer
				took := costtest.Of(func() { got = one.send(t) })
				require.Less(t, took, costtest.Most)
				if took > most {
					most, worst = took, group+"/"+one.name
				}
				if one.want != nil {
					require.Contains(t, one.want, got.StatusCode, got.body)
				} else {
					require.True(t, got.StatusCode >= 400 && got.StatusCode < 500, "%d: %s", got.StatusCode, got.body)
				}
				require.Empty(t, got.Header.Get("Location"))
				for _, c := range got.Cookies() {
					require.NotContains(t, c.Name, "session")
				}
			})
		}
	}
	t.Logf("%d attacks; the most processor time was %s, of %s, the browser's and the application's parts with it", cases, most, worst)
	require.GreaterOrEqual(t, cases, 280)
	require.Equal(t, before, a.rows(t), "refused requests store nothing, and use up no state")
	require.Zero(t, a.fell.Load(), "the gateway sent a request to the attacker's server")
	require.Empty(t, a.mirror.asked)
	require.Empty(t, a.bank.asked)
	require.Empty(t, slices.DeleteFunc(slices.Clone(a.clinic.asked), func(path string) bool { return path == "/jwks.json" }))
	a.checkLog(t)
}

// redirects sends values of return_to that some parser takes for the clinic's and that aren't.
func (a *attacked) redirects(t *testing.T) (list []attack) {
	evil := strings.TrimPrefix(a.trap.URL, "http://")
	host := strings.TrimPrefix(a.clinic.URL, "http://")
	for name, target := range map[string]string{
		"empty": "", "another origin": a.trap.URL, "no scheme": "//" + evil, "three slashes": "///" + evil, "backslashes": `\\` + evil, "slash and backslash": `/\` + evil,
		"a path": "/home", "a host alone": host, "scheme without slashes": "https:www.example/", "one slash": "https:/www.example/", "three": "https:///www.example/", "four": "https:////www.example/",
		"backslashes behind the scheme": `https:\\www.example/`, "a backslash ends the host": `https://www.example\@` + evil, "backslash, then a host": `https://www.example\.` + evil,
		"user": "https://www.example@" + evil, "user and password": "https://www.example:x@" + evil + "/", "our user": "https://u@www.example/", "empty user": "https://@www.example/",
		"encoded at": "https://www.example%40" + evil, "a host that begins so": "https://www.example." + evil, "a host that ends so": "https://evilwww.example/", "a subdomain": "https://a.www.example/",
		"the parent": "https://example/", "a dot at the end": "https://www.example./", "upper case": "https://WWW.example/", "upper case scheme": "HTTPS://www.example/", "http": "http://www.example/",
		"default port": "https://www.example:443/", "another port": "https://www.example:8443/", "empty port": "https://www.example:/", "a port of zeros": "https://www.example:0443/",
		"the app's other port": "http://127.0.0.1:1/", "localhost for 127.0.0.1": strings.Replace(a.clinic.URL, "127.0.0.1", "localhost", 1), "127.1": strings.Replace(a.clinic.URL, "127.0.0.1", "127.1", 1),
		"hex": strings.Replace(a.clinic.URL, "127.0.0.1", "0x7f000001", 1), "IPv6": strings.Replace(a.clinic.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1),
		"javascript": "javascript:alert(1)//https://www.example/", "data": "data:text/html,x", "blob": "blob:https://www.example/x", "vbscript": "vbscript:x", "file": "file:///etc/passwd", "view-source": "view-source:https://www.example/",
		"tab in the scheme": "java\tscript:alert(1)", "tab": "https://www.example\t/", "tab in the host": "https://www.exa\tmple/", "line feed": "https://www.example/\nx", "CRLF and a header": "https://www.example/\r\nSet-Cookie: a=b",
		"encoded CRLF": "https://www.example/%0d%0aSet-Cookie:%20a=b", "encoded CRLF in the query": "https://www.example/?x=%0D%0ASet-Cookie:%20a=b", "NUL": "https://www.example/\x00", "encoded NUL": "https://www.example/%00",
		"space before": " https://www.example/", "space after": "https://www.example/ ", "no-break space": "\u00a0https://www.example/", "byte order mark": "\ufeffhttps://www.example/",
		"fullwidth dot": "https://www\uff0eexample/", "ideographic stop": "https://www.example\u3002" + evil + "/", "fullwidth solidus": "https://www.example\uff0f." + evil, "cyrillic": "https://www.ex\u0430mple/", "letter in the path": "https://www.example/\u00e9",
		"fragment": "https://www.example/#x", "fragment ends the host": "https://www.example#@" + evil, "query ends the host": "https://www.example?@" + evil, "query behind the host": "https://www.example?x=1",
		"prefix without its end": "https://pages.example/app", "beside the prefix": "https://pages.example/apple/", "above the prefix": "https://pages.example/", "out of the prefix": "https://pages.example/app/../admin",
		"out, encoded": "https://pages.example/app/%2e%2e/admin", "out, half encoded": "https://pages.example/app/.%2E/admin", "out, by backslash": `https://pages.example/app/..\admin`, "out, encoded slash": "https://pages.example/app/..%2fadmin",
		"out, encoded backslash": "https://pages.example/app/..%5cadmin", "out, twice encoded": "https://pages.example/app/%252e%252e/admin", "out, parameter": "https://pages.example/app/..;/admin", "out at the end": "https://pages.example/app/..",
		"a dot alone": "https://pages.example/app/./x", "empty step": "https://pages.example/app//" + evil, "two slashes": "https://www.example//" + evil, "bad escape": "https://www.example/%zz", "cut escape": "https://www.example/%4",
		"quote": `https://www.example/"><script>`, "huge": "https://www.example/" + strings.Repeat("x", 2000), "the gateway": a.url + "/", "the gateway's endpoint": a.url + "/session/ensure?provider=clinic",
		"the bank's": a.bank.URL, "null": "null", "a list": "https://www.example/,https://" + evil, "two in one": "https://www.example/ https://" + evil, "template": "https://www.example{}/", "star": "*",
	} {
		list = append(list, attack{name, func(t *testing.T) *answer {
			r := newRequest(t, "GET", a.url+"/session/ensure", nil)
			q := r.URL.Query()
			q.Set("provider", "clinic")
			q.Set("return_to", target)
			r.URL.RawQuery = q.Encode()
			got := a.do(t, r, nil)
			require.NotContains(t, got.body, evil, "no link to it either")
			return got
		}, []int{http.StatusBadRequest}})
	}
	for name, right := range map[string]string{ // valid values are accepted
		"origin": "https://www.example", "root": "https://www.example/", "page": "https://www.example/a/b.html?next=%2Fhome%20x&u=//y", "prefix": pages, "below": pages + "a%20b/c/",
		"app": a.clinic.URL + "/x?y=https://" + evil,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest(t, "GET", a.url+"/session/ensure", nil)
			q := r.URL.Query()
			q.Set("provider", "clinic")
			q.Set("return_to", right)
			r.URL.RawQuery = q.Encode()
			require.Equal(t, http.StatusSeeOther, a.do(t, r, nil).StatusCode, name)
		})
	}
	return list
}

// beginnings sends malformed requests to begin a sign-in.
func (a *attacked) beginnings() (list []attack) {
	add := func(name, method, query string, headers ...string) {
		list = append(list, attack{name, func(t *testing.T) *answer {
			return a.do(t, newRequest(t, method, a.url+"/session/ensure"+query, nil, headers...), nil)
		}, nil})
	}
	browser := a.cookieName("browser") + "=" + strings.Repeat("A", 43)
	add("no provider of two", "GET", "")
	add("unknown provider", "GET", "?provider=nobody")
	add("empty provider", "GET", "?provider=")
	add("provider in upper case", "GET", "?provider=CLINIC")
	add("two providers", "GET", "?provider=clinic&provider=bank")
	add("two return_to", "GET", "?provider=clinic&return_to=https://www.example/&return_to="+a.trap.URL)
	add("semicolons", "GET", "?provider=clinic;return_to="+a.trap.URL)
	add("bad escape", "GET", "?provider=clinic&return_to=%zz")
	add("POST", "POST", "?provider=clinic")
	add("PUT", "PUT", "?provider=clinic")
	add("fetched", "GET", "?provider=clinic", "Sec-Fetch-Mode", "cors", "Origin", a.clinic.URL)
	add("an image", "GET", "?provider=clinic", "Sec-Fetch-Mode", "no-cors")
	add("another origin", "GET", "?provider=clinic", "Origin", a.trap.URL)
	add("null origin", "GET", "?provider=clinic", "Origin", "null")
	add("two binding cookies", "GET", "?provider=clinic", "Cookie", browser+"; "+browser)
	add("preflight of another", "OPTIONS", "?provider=clinic", "Origin", a.trap.URL, "Access-Control-Request-Method", "GET")
	return list
}
