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
		require.Equal(t, before, v.page.History(), "Back is where it was")

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

		// Another browser has none of it.
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
			// The cookie is of the gateway as the site on top, and the clinic's page has none of that.
			require.Equal(t, http.StatusUnauthorized, v.verify().Status)
			v.page.Do("open the gateway", chromedp.Navigate(w.gatewayURL+"/inside"))
		}
		require.Empty(t, v.opens(v.token()))
	})
}

// TestBack: whoever goes back and forth after a sign-in at the top meets pages of the clinic's, and is signed in once.
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

// TestAFormThatIsSentAgain: the clinic's form comes from the history, or a reload; its state has been used.
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

		v.login(clinic.DrBaker) // which ends Dr. Adams's login at the clinic
		v.signInInFrame()
		baker := v.hash()
		require.NotEqual(t, adams, baker)
		require.Equal(t, "user-2", v.verify().field(t, "subject"))
		require.Equal(t, "GRANT_REQUIRED", v.opens(token))

		// A page that was opened for Dr. Adams does nothing as Dr. Baker.
		changed := v.fetch("/graphql", operation(tokenize, pin(adams)))
		require.Equal(t, http.StatusPreconditionFailed, changed.Status)
		require.Equal(t, "SESSION_CHANGED", changed.code(t))
		require.Nil(t, changed.field(t, "data"))
		require.Equal(t, baker, changed.Hash, "it may learn who is there now")
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
		require.Equal(t, http.StatusUnauthorized, w.verifyWith(stolen), "a copy of the cookie is of no use")

		// The clinic's login is as it was: signing in again is a session without the grants.
		v.signInInFrame()
		require.Equal(t, "GRANT_REQUIRED", v.opens(token))
	})
}

// TestLoggingOutOfTheClinic takes what the gateway's cookie could open along, though the cookie is still there.
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

// lastCookie is the value that a browser sent last.
func (w *world) lastCookie(name string) (value string) {
	for _, r := range w.web.Requests() {
		if c, err := (&http.Request{Header: r.Header}).Cookie(name); err == nil {
			value = c.Value
		}
	}
	require.NotEmpty(w.t, value)
	return value
}

// verifyWith asks with a cookie from elsewhere than a browser.
func (w *world) verifyWith(cookie string) int {
	r, err := http.NewRequest(http.MethodGet, w.gatewayURL+"/session/verify", nil)
	require.NoError(w.t, err)
	r.AddCookie(&http.Cookie{Name: "__Host-cloakroom-session", Value: cookie})
	answer, err := w.web.Client(w.t).Do(r)
	require.NoError(w.t, err)
	require.NoError(w.t, answer.Body.Close())
	return answer.StatusCode
}

// TestAStateThatExpires: the clinic takes longer than a sign-in may.
func TestAStateThatExpires(t *testing.T) {
	const life = time.Second
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t, s, func(c *gateway.Config) { c.SignIn.StateLifetime = life })
			v := w.browse("/")
			v.login(clinic.DrAdams)
			w.hold(func(r *http.Request) {
				if r.URL.Path == "/.cloakroom/sign-in" {
					time.Sleep(life + 100*time.Millisecond) // it is time that expires a state
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

// TestTwoTabs: both sign-ins are under way when the first of them ends.
func TestTwoTabs(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		first := w.browse("/")
		first.login(clinic.DrAdams)
		// A page that has not seen the login would load itself again when the second tab tells it of another user.
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
				t.Fatal("the frame did not come to the application's sign-in")
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
