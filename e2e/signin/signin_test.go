package signin_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/hosts"
	"github.com/cloakroomhq/cloakroom/examples/clinic"
	"github.com/cloakroomhq/cloakroom/gateway"
)

func TestInAFrame(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		v := w.browse("/")
		require.Equal(t, http.StatusUnauthorized, v.verify().Status)
		require.Equal(t, "UNAUTHENTICATED", v.verify().code(t))
		v.login(clinic.DrAdams)
		before := v.page.History()
		v.signInInFrame()
		require.Equal(t, before, v.page.History(), "the history is unchanged")

		said := v.verify()
		require.Equal(t, http.StatusOK, said.Status, said.Body)
		require.Equal(t, "clinic", said.field(t, "tenant"))
		require.Equal(t, "user-1", said.field(t, "subject"))
		token := v.token()
		require.Empty(t, v.opens(token))
		require.Empty(t, v.fetch("/graphql", operation(detokenize(token), pin(v.hash()))).code(t))

		// The same from a page of the gateway's own, in a frame.
		inside := v.fetchInside("/session/verify", `{}`)
		require.Equal(t, http.StatusOK, inside.Status, inside.Body)
		require.Equal(t, said.field(t, "sessionHash"), inside.field(t, "sessionHash"))
		require.Empty(t, v.fetchInside("/graphql", operation(detokenize(token), "")).code(t))

		// Another browser has no session.
		other := w.browse("/")
		require.Equal(t, http.StatusUnauthorized, other.verify().Status)
		other.login(clinic.DrBaker)
		other.signInInFrame()
		require.Equal(t, "GRANT_REQUIRED", other.opens(token))
	})
}

func TestOnTop(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		v := w.browse("/")
		v.login(clinic.DrAdams)
		v.signInOnTop("/try")
		if strings.HasSuffix(w.gatewayURL, "."+crossSite[len("vault."):]) {
			// The cookie is partitioned for the gateway as the top-level site, so the clinic's page does not send it.
			require.Equal(t, http.StatusUnauthorized, v.verify().Status)
			v.page.Do("open the gateway", chromedp.Navigate(w.gatewayURL+"/inside"))
		}
		require.Empty(t, v.opens(v.token()))
	})
}

// TestBack: after a top-level sign-in, Back and Forward show pages of the clinic, and there is one sign-in.
func TestBack(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		v := w.browse("/")
		v.login(clinic.DrAdams)
		v.page.Do("open a page", chromedp.Navigate(w.appURL+"/?before"))
		v.signInOnTop("/try")
		require.Equal(t, []string{w.appURL + "/", w.appURL + "/?before", w.appURL + "/try"}, v.page.History()[1:])
		for range 2 {
			v.page.Eval("history.back()") // a page from the browser's memory loads nothing that could be waited for
			v.page.Await("the page before", `location.search === "?before" && document.querySelector("[data-testid='who']")?.innerText === "Dr. Adams"`)
			v.page.Eval("history.forward()")
			v.page.Await("the page after", `location.pathname === "/try" && document.querySelector("#text-form")`)
		}
		require.Len(t, w.signIns(), 1)
	})
}

// TestAFormThatIsSentAgain: the clinic's form is sent again, from the history or by a reload; its state was used before.
func TestAFormThatIsSentAgain(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		v := w.browse("/")
		v.login(clinic.DrAdams)
		v.signInOnTop("/try")
		at := slices.IndexFunc(w.web.Requests(), func(r hosts.Request) bool { return strings.HasPrefix(r.URL, w.appURL+"/.cloakroom/sign-in") })
		v.page.Do("open the form again", chromedp.Navigate(w.web.Requests()[at].URL))
		v.page.Await("the refusal", `document.querySelector("h1")?.innerText === "Sign-in failed"`)
		require.Equal(t, w.gatewayURL+"/session/create", v.page.Eval("location.href"))
		require.Contains(t, v.page.Text("small"), "FORBIDDEN")
		v.page.Do("follow the link", chromedp.Click(chromedp.CSS("a")))
		v.page.Await("the way back", fmt.Sprintf("location.href === %q", w.appURL+"/try"))
	})
}

func TestTheUserChanges(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		v := w.browse("/")
		v.login(clinic.DrAdams)
		v.signInInFrame()
		adams, token := v.hash(), v.token()

		v.login(clinic.DrBaker) // ends Dr. Adams's login at the clinic
		v.signInInFrame()
		baker := v.hash()
		require.NotEqual(t, adams, baker)
		require.Equal(t, "user-2", v.verify().field(t, "subject"))
		require.Equal(t, "GRANT_REQUIRED", v.opens(token))

		// A request of a page that was opened for Dr. Adams is not run as Dr. Baker's.
		changed := v.fetch("/graphql", operation(tokenize, pin(adams)))
		require.Equal(t, http.StatusPreconditionFailed, changed.Status)
		require.Equal(t, "SESSION_CHANGED", changed.code(t))
		require.Nil(t, changed.field(t, "data"))
		require.Equal(t, baker, changed.Hash, "the page may read the current session's hash")
		require.Empty(t, v.fetch("/graphql", operation(tokenize, pin(baker))).code(t))
	})
}

func TestSignOut(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		v := w.browse("/")
		v.login(clinic.DrAdams)
		v.signInInFrame()
		token := v.token()
		require.Empty(t, v.opens(token))
		stolen := w.lastCookie("__Host-cloakroom-session")
		require.Equal(t, http.StatusOK, w.verifyWith(stolen))

		ended := v.fetch("/session/end", `{method: "POST", headers: {"Content-Type": "application/json"}, body: "{}"}`)
		require.Equal(t, http.StatusOK, ended.Status, ended.Body)
		require.InDelta(t, 2, ended.field(t, "revoked"), 0, "READ and STORE")
		require.Equal(t, http.StatusUnauthorized, v.verify().Status)
		require.Equal(t, "UNAUTHENTICATED", v.opens(token))
		require.Equal(t, http.StatusUnauthorized, w.verifyWith(stolen), "a copy of the cookie is refused")

		// The clinic's login still exists: signing in again gives a session without the grants.
		v.signInInFrame()
		require.Equal(t, "GRANT_REQUIRED", v.opens(token))
	})
}

// TestLoggingOutOfTheClinic: after the clinic's logout, the gateway's cookie opens nothing, though the browser still has it.
func TestLoggingOutOfTheClinic(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		v := w.browse("/")
		v.login(clinic.DrAdams)
		v.signInInFrame()
		token := v.token()
		require.Empty(t, v.opens(token))
		v.logout()
		require.Equal(t, "UNAUTHENTICATED", v.opens(token))
		v.signInInFrame() // as a visitor, since the clinic lets visitors have sessions
		require.Equal(t, "anonymous", v.verify().field(t, "subject"))
		require.Equal(t, "GRANT_REQUIRED", v.opens(token))
	})
}

// lastCookie returns the cookie's value in the last request that had it.
func (w *world) lastCookie(name string) (value string) {
	for _, r := range w.web.Requests() {
		if c, err := (&http.Request{Header: r.Header}).Cookie(name); err == nil {
			value = c.Value
		}
	}
	require.NotEmpty(w.t, value)
	return value
}

// verifyWith calls /session/verify with a cookie, without a browser.
func (w *world) verifyWith(cookie string) int {
	r, err := http.NewRequest(http.MethodGet, w.gatewayURL+"/session/verify", nil)
	require.NoError(w.t, err)
	r.AddCookie(&http.Cookie{Name: "__Host-cloakroom-session", Value: cookie})
	answer, err := w.web.Client(w.t).Do(r)
	require.NoError(w.t, err)
	require.NoError(w.t, answer.Body.Close())
	return answer.StatusCode
}

// TestAStateThatExpires: the clinic takes longer than the life of a state.
func TestAStateThatExpires(t *testing.T) {
	const life = time.Second
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t, s, func(c *gateway.Config) { c.SignIn.StateLifetime = life })
			v := w.browse("/")
			v.login(clinic.DrAdams)
			w.hold(func(r *http.Request) {
				if r.URL.Path == "/.cloakroom/sign-in" {
					time.Sleep(life + 100*time.Millisecond) // a state expires by time alone
				}
			})
			v.page.Eval(fmt.Sprintf("location = %q", v.ensureURL("/try")))
			v.page.Await("the refusal", `document.querySelector("h1")?.innerText === "Sign-in failed"`)
			require.Contains(t, v.page.Text("p"), "took too long")
			w.hold(nil)
			v.page.Do("follow the link", chromedp.Click(chromedp.CSS("a")))
			v.page.Await("the way back", fmt.Sprintf("location.href === %q", w.appURL+"/try"))
			require.Equal(t, http.StatusUnauthorized, v.verify().Status)
		})
	}
}

// TestTwoTabs: both sign-ins have begun when the first of them ends.
func TestTwoTabs(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		first := w.browse("/")
		first.login(clinic.DrAdams)
		// Without this, the page from before the login would reload when the second tab announces another user.
		first.page.Do("load the page again", chromedp.Navigate(w.appURL+"/"))
		second := &visitor{world: w, page: first.page.Tab(w.appURL + "/")}
		for _, v := range []*visitor{first, second} {
			v.page.Await("the user", `document.querySelector("[data-testid='who']")?.innerText === "Dr. Adams"`)
		}
		waiting, release := make(chan struct{}, 2), make(chan struct{})
		w.hold(func(r *http.Request) {
			if r.URL.Path == "/.cloakroom/sign-in" {
				waiting <- struct{}{}
				<-release
			}
		})
		for _, v := range []*visitor{first, second} {
			v.startInFrame()
			select {
			case <-waiting:
			case <-time.After(time.Minute):
				t.Fatal("the frame did not reach the application's sign-in")
			}
		}
		close(release)
		for _, v := range []*visitor{first, second} {
			v.page.Await("the end of the sign-in", `frame.contentDocument?.location.pathname === "/signed-in"`)
		}
		require.Len(t, w.signIns(), 2)
		require.Equal(t, first.hash(), second.hash())
		require.Empty(t, second.opens(first.token()))
	})
}
