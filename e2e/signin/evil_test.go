package signin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/examples/clinic"
)

// TestEvilPages: pages of another site, and of another host of the clinic's site, get nothing from a signed-in browser.
func TestEvilPages(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		v := w.browse("/")
		v.login(clinic.DrAdams)
		v.signInInFrame()
		mallory := w.browse("/") // an attacker, whose sign-in is moved to this browser as far as possible
		mallory.login(clinic.DrBaker)
		for _, evil := range []string{evilHost, blogHost} {
			v.page.Do("open the evil page", chromedp.Navigate("https://"+evil+"/"))
			v.readNothing()
			v.frameNothing()
			carried := mallory.carry()
			v.page.Eval(fmt.Sprintf(`(() => {
				const form = document.body.appendChild(document.createElement("form"));
				Object.assign(form, {method: "post", action: %q});
				for (const [name, value] of new URLSearchParams(%q)) {
					form.append(Object.assign(document.createElement("input"), {name, value}));
				}
				form.submit();
			})()`, w.gatewayURL+"/session/create", carried.Encode()))
			v.page.Await("the refusal", `document.querySelector("h1")?.innerText === "Sign-in failed"`)
			require.Empty(t, v.page.Eval(`document.querySelector("a")?.href ?? ""`), "no link that the attacker chose")
			// The clinic's page posts it, for the user who is logged in there.
			v.page.Do("open the state", chromedp.Navigate(w.appURL+"/.cloakroom/sign-in?state="+carried.Get("state")))
			v.page.Await("the refusal", `document.querySelector("h1")?.innerText === "Sign-in failed"`)

			v.page.Do("go home", chromedp.Navigate(w.appURL+"/"))
			require.Equal(t, "user-1", v.verify().field(t, "subject"), "still signed in as the same user")
		}
	})
}

// TestNobodyLearnsThatSomebodyIsSignedIn: for a request whose answer no script may read, success or failure does not
// show other pages whether a user is signed in.
func TestNobodyLearnsThatSomebodyIsSignedIn(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		v := w.browse("/")
		probe := func() {
			for _, evil := range []string{evilHost, blogHost} {
				v.page.Do("open the evil page", chromedp.Navigate("https://"+evil+"/"))
				require.Equal(t, "refused", v.page.Resolve(fmt.Sprintf(
					`fetch(%q, {mode: "no-cors", credentials: "include"}).then((r) => r.type, () => "refused")`, v.gatewayURL+"/session/verify")))
			}
			v.page.Do("go home", chromedp.Navigate(w.appURL+"/"))
		}
		probe()
		v.login(clinic.DrAdams)
		v.signInInFrame()
		probe()
	})
}

// readNothing tries the requests that scripts can send with the browser's cookies: reading, signing out, operations.
func (v *visitor) readNothing() {
	v.t.Helper()
	for _, path := range []string{v.gatewayURL + "/session/verify", v.ensureURL("/"), v.appURL + "/.cloakroom/sign-in?state=AAAA"} {
		require.Equal(v.t, "refused", v.page.Resolve(fmt.Sprintf(
			`fetch(%q, {credentials: "include"}).then((r) => r.text(), () => "refused")`, path)), path)
	}
	for _, path := range []string{"/session/end", "/graphql"} {
		require.Equal(v.t, "refused", v.page.Resolve(fmt.Sprintf(
			`fetch(%q, {method: "POST", mode: "no-cors", credentials: "include", body: '{"query":"mutation { tokenize { token } }"}'}).then((r) => r.type, () => "refused")`,
			v.gatewayURL+path)))
		require.Equal(v.t, "refused", v.page.Resolve(fmt.Sprintf(
			`fetch(%q, {credentials: "include", ...%s}).then((r) => r.text(), () => "refused")`, v.gatewayURL+path, operation(tokenize, ""))))
	}
}

// frameNothing opens the sign-in in a frame: the browser does not show it, and no sign-in happens.
func (v *visitor) frameNothing() {
	v.t.Helper()
	before, complaints := len(v.signIns()), len(v.page.Complaints())
	v.page.Resolve(fmt.Sprintf(`new Promise((done) => {
		const frame = document.body.appendChild(document.createElement("iframe"));
		frame.onload = () => done("");
		frame.src = %q;
	})`, v.ensureURL("/signed-in")))
	stack.Await(v.t, "the browser's refusal", func() bool {
		return strings.Contains(strings.Join(v.page.Complaints()[complaints:], ""), "frame-ancestors")
	})
	require.Len(v.t, v.signIns(), before)
}
