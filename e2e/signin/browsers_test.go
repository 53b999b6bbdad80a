// Package signin_test runs the redirect flow in a real browser, over TLS and real host names, with third-party cookies
// blocked.
package signin_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/browser"
	"github.com/cloakroomhq/cloakroom/e2e/hosts"
	"github.com/cloakroomhq/cloakroom/e2e/stack"
)

// The host names: the gateway is on the application's site, or on another. To a browser, evil.test is a third site.
const (
	appHost   = "app.clinic.test"
	sameSite  = "vault.clinic.test"
	crossSite = "vault.cloakroom.test"
	evilHost  = "app.evil.test"
	blogHost  = "blog.clinic.test" // a sibling that has been taken over
	storeHost = "store.cloakroom.test"
)

// facts tests a browser's behaviour. docs/sessions-browsers.md has a row for each of these tests.
type facts struct {
	t    *testing.T
	web  *hosts.Hosts
	page *browser.Page
}

func newFacts(t *testing.T) *facts {
	web := hosts.New(t, appHost, sameSite, crossSite, evilHost)
	for _, name := range []string{appHost, sameSite, crossSite, evilHost} {
		web.Serve(name, http.HandlerFunc(serveFact))
	}
	f := &facts{t: t, web: web}
	f.page = browser.Open(t, "https://"+appHost+"/", "", web.Browser(), browser.BlockThirdPartyCookies)
	return f
}

// serveFact answers any path with a page: ?set= sets cookies, ?to= redirects, ?csp= and ?referrer= are the page's policies.
func serveFact(w http.ResponseWriter, r *http.Request) {
	query, header := r.URL.Query(), w.Header()
	for _, cookie := range query["set"] {
		header.Add("Set-Cookie", cookie)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Credentials", "true")
	}
	for parameter, name := range map[string]string{"csp": "Content-Security-Policy", "referrer": "Referrer-Policy"} {
		if value := query.Get(parameter); value != "" {
			header.Set(name, value)
		}
	}
	if to := query.Get("to"); to != "" {
		header.Set("Location", to)
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	header.Set("Content-Type", "text/html")
	_, _ = fmt.Fprintf(w, "<!doctype html><title>%s</title><body>%s", r.URL.Path, query.Get("html"))
}

func (f *facts) open(url string) { f.page.Do("open "+url, chromedp.Navigate(url)) }
func (f *facts) fetch(url string) {
	f.page.Resolve(fmt.Sprintf(`fetch(%q, {credentials: "include"}).then((r) => r.text())`, url))
}

// frame shows the URL in a new frame, and waits for its page.
func (f *facts) frame(url string) {
	f.page.Resolve(fmt.Sprintf(`new Promise((done) => {
		const frame = document.body.appendChild(document.createElement("iframe"));
		frame.onload = () => done("");
		frame.src = %q;
	})`, url))
}

// arrived waits for the request, and returns it; the URL is used once in a test.
func (f *facts) arrived(url string) (r hosts.Request) {
	f.t.Helper()
	stack.Await(f.t, url, func() bool {
		at := slices.IndexFunc(f.web.Requests(), func(r hosts.Request) bool { return r.URL == url })
		if at >= 0 {
			r = f.web.Requests()[at]
		}
		return at >= 0
	})
	return r
}

// sent returns the names of the cookies in the request.
func (f *facts) sent(url string) (names []string) {
	f.t.Helper()
	r := http.Request{Header: f.arrived(url).Header}
	for _, c := range r.Cookies() {
		names = append(names, c.Name)
	}
	return names
}

const (
	strict      = "strict=1; Path=/; Secure; HttpOnly; SameSite=Strict"
	lax         = "lax=1; Path=/; Secure; HttpOnly; SameSite=Lax"
	none        = "none=1; Path=/; Secure; HttpOnly; SameSite=None"
	partitioned = "__Host-partitioned=1; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"
)

func setCookies(cookies ...string) string {
	query := ""
	for _, c := range cookies {
		query += "&set=" + escape(c)
	}
	return "?" + query
}

func TestASiblingsFrameHasItsStrictCookies(t *testing.T) {
	f := newFacts(t)
	vault := "https://" + sameSite
	f.frame(vault + "/" + setCookies(strict, lax, none))
	f.frame(vault + "/frame")
	f.fetch(vault + "/fetch")
	for _, url := range []string{"/frame", "/fetch"} {
		require.ElementsMatch(t, []string{"strict", "lax", "none"}, f.sent(vault+url))
	}
}

func TestAForeignFrameHasPartitionedCookiesAlone(t *testing.T) {
	f := newFacts(t)
	vault := "https://" + crossSite
	f.frame(vault + "/" + setCookies(strict, lax, none, partitioned))
	f.frame(vault + "/frame")
	f.fetch(vault + "/fetch")
	for _, url := range []string{"/frame", "/fetch"} {
		require.Equal(t, []string{"__Host-partitioned"}, f.sent(vault+url), "SameSite=None alone is blocked")
	}
	// They belong to the top-level site: under another one there are none.
	f.open(vault + "/top")
	require.Empty(t, f.sent(vault+"/top"))
	f.open("https://" + evilHost + "/")
	f.frame(vault + "/elsewhere")
	f.fetch(vault + "/elsewhere-fetch")
	require.Empty(t, f.sent(vault+"/elsewhere"))
	require.Empty(t, f.sent(vault+"/elsewhere-fetch"))
}

func TestWhatASiteSetsOnTopIsNotInItsForeignFrames(t *testing.T) {
	f := newFacts(t)
	vault := "https://" + crossSite
	f.open(vault + "/" + setCookies(strict, lax, none, partitioned))
	f.open(vault + "/top")
	require.ElementsMatch(t, []string{"strict", "lax", "none", "__Host-partitioned"}, f.sent(vault+"/top"))
	f.open("https://" + appHost + "/")
	f.frame(vault + "/frame")
	f.fetch(vault + "/fetch")
	require.Empty(t, f.sent(vault+"/frame"))
	require.Empty(t, f.sent(vault+"/fetch"))
}

func TestAFrameThatComesBackHasTheApplicationsCookies(t *testing.T) {
	f := newFacts(t)
	app, vault := "https://"+appHost, "https://"+crossSite
	f.open(app + "/" + setCookies(strict, lax))
	// The page's own frame is redirected through the gateway.
	f.frame(vault + "/?to=" + escape(app+"/back"))
	require.ElementsMatch(t, []string{"strict", "lax"}, f.sent(app+"/back"))
	// The gateway's page in the frame navigates there by script.
	f.frame(vault + "/?html=" + escape(`<script>location = "`+app+`/led"</script>`))
	require.Empty(t, f.sent(app+"/led"))
	// The application in a frame of another site.
	f.open("https://" + evilHost + "/")
	f.frame(app + "/framed")
	require.Empty(t, f.sent(app+"/framed"))
}

func TestALinkFromElsewhereLeadsWithoutStrictCookies(t *testing.T) {
	f := newFacts(t)
	app, vault := "https://"+appHost, "https://"+sameSite
	f.open(vault + "/" + setCookies(strict, lax))
	from := func(path, html string) []string {
		f.open("https://" + evilHost + "/?html=" + escape(html))
		f.page.Click("button")
		return f.sent(vault + path)
	}
	form := func(method, to string) string {
		return `<form method="` + method + `" action="` + to + `"><button>Go</button></form>`
	}
	require.Equal(t, []string{"lax"}, from("/link?", form("get", vault+"/link")))
	require.Empty(t, from("/post", form("post", vault+"/post")))
	// The application answers with a redirect: the browser still uses the origin where the navigation began.
	require.Equal(t, []string{"lax"}, from("/redirected", `<button onclick="location = '`+app+`/?to=`+escape(vault+"/redirected")+`'">Go</button>`))
	// A page of the application itself begins a new navigation.
	require.ElementsMatch(t, []string{"strict", "lax"},
		from("/begun", `<button onclick="location = '`+app+`/?html=`+escape(`<script>location = "`+vault+`/begun"</script>`)+`'">Go</button>`))
}

const submits = `<form method="post" action="%s"></form><script>document.forms[0].submit()</script>`

func TestTheOriginOfAForm(t *testing.T) {
	for policy, want := range map[string][2]string{
		"strict-origin": {"https://" + appHost, "https://" + appHost + "/"},
		"same-origin":   {"null", ""},
		"no-referrer":   {"null", ""},
	} {
		t.Run(policy, func(t *testing.T) {
			f := newFacts(t)
			to := "https://" + crossSite + "/posted"
			f.open("https://" + appHost + "/?secret=1&referrer=" + policy + "&html=" + escape(fmt.Sprintf(submits, to)))
			got := f.arrived(to).Header
			require.Equal(t, want, [2]string{got.Get("Origin"), got.Get("Referer")}, policy)
		})
	}
}

func TestAFormsPolicyBindsRedirects(t *testing.T) {
	f := newFacts(t)
	app, vault := "https://"+appHost, "https://"+crossSite
	post := func(policy, end string) {
		html := fmt.Sprintf(submits, vault+"/?to="+escape(end))
		f.page.Eval(fmt.Sprintf("location = %q", app+"/?csp="+escape(policy)+"&html="+escape(html)))
	}
	post("form-action "+vault+" "+app, app+"/allowed")
	f.arrived(app + "/allowed")
	post("form-action "+vault, app+"/forbidden")
	stack.Await(t, "the browser's refusal", func() bool { return strings.Contains(strings.Join(f.page.Complaints(), ""), "form-action") })
	f.arrived(vault + "/?to=" + escape(app+"/forbidden")) // it was sent; its redirect was not followed
	require.False(t, slices.ContainsFunc(f.web.Requests(), func(r hosts.Request) bool { return r.URL == app+"/forbidden" }))
}

func TestAFormThatIsSentWhileItsPageLoadsLeavesNoTraceInTheHistory(t *testing.T) {
	f := newFacts(t)
	app, vault := "https://"+appHost, "https://"+crossSite
	f.open(app + "/before")
	f.open(app + "/form?html=" + escape(fmt.Sprintf(submits, vault+"/?to="+escape(app+"/after"))))
	f.page.Await("the end", `location.pathname === "/after"`)
	require.Equal(t, []string{app + "/", app + "/before", app + "/after"}, f.page.History()[1:])
}

func TestAHostCookieHasToBeSecureAndOfOneHost(t *testing.T) {
	f := newFacts(t)
	vault := "https://" + sameSite
	f.open(vault + "/" + setCookies(
		"__Host-plain=1; Path=/; HttpOnly", "__Host-domain=1; Path=/; Secure; Domain=clinic.test", "__Host-path=1; Path=/x; Secure",
		"__Host-good=1; Path=/; Secure", "wide=1; Path=/; Secure; Domain=clinic.test"))
	f.open(vault + "/seen")
	require.ElementsMatch(t, []string{"__Host-good", "wide"}, f.sent(vault+"/seen"))
	f.open("https://" + appHost + "/sibling")
	require.Equal(t, []string{"wide"}, f.sent("https://"+appHost+"/sibling"))
}

// TestCertificatesAreChecked: the browser trusts the test's key and no other.
func TestCertificatesAreChecked(t *testing.T) {
	f := newFacts(t)
	other := hosts.New(t, appHost)
	page := browser.Open(t, "about:blank", "", other.Browser(), browser.Flags(f.web.Trust()))
	require.ErrorContains(t, page.Try(chromedp.Navigate("https://"+appHost+"/")), "ERR_CERT_AUTHORITY_INVALID")
}
