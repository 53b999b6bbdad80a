package signin_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/browser"
	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/examples/clinic"
)

// TestTheClinicsPageByCookie: a doctor stores and reads values, and the page holds no credential.
func TestTheClinicsPageByCookie(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		v := w.browse("/?session=cookie")
		p := v.page
		p.Click("[data-testid='login-" + clinic.DrAdams + "']")
		p.Click("#add-samples")
		p.Await("record", `document.getElementById("patient-title").innerText === "Ada Quill"`)
		p.Click("#ssn .reveal")
		p.Await("value", `document.querySelector("#ssn .value pre")?.textContent === "219-09-9999"`)
		require.Contains(t, p.Text("#steps"), "Sign in at the gateway, in a hidden frame")
		require.Len(t, w.signIns(), 1)

		// The same after a reload: the cookie exists, and there is no second sign-in.
		p.Eval("location.reload()")
		p.Await("patients", `document.querySelectorAll("#patients button").length === 4`)
		p.Click("#patients li:nth-child(2) button")
		p.Click("#ssn .reveal")
		p.Await("value", `document.querySelector("#ssn .value pre")?.textContent === "219-09-9999"`)
		require.Len(t, w.signIns(), 1)

		// Dr. Baker logs in in another tab: this page's requests are refused.
		other := &visitor{world: w, page: p.Tab(w.appURL + "/")}
		other.login(clinic.DrBaker)
		other.signInInFrame()
		p.Click("#timeline .reveal")
		p.Await("refusal", `document.querySelector("#timeline .value.refused")?.innerText.includes("SESSION_CHANGED")`)

		// Dr. Adams logs in again: the cookie is still Dr. Baker's, and her page does not use it.
		v.login(clinic.DrAdams)
		p.Eval("location.reload()")
		p.Await("patients", `document.querySelectorAll("#patients button").length === 4`)
		p.Click("#patients li:nth-child(2) button")
		p.Click("#ssn .reveal")
		p.Await("value", `document.querySelector("#ssn .value pre")?.textContent === "219-09-9999"`)
		require.Len(t, w.signIns(), 3)
		require.Equal(t, "user-1", v.verify().field(t, "subject"))

		for _, r := range w.web.Requests() {
			if strings.HasPrefix(r.URL, w.gatewayURL) && r.Header.Get("Authorization") != "" {
				require.Empty(t, r.Header.Get("Origin"), "only the clinic's backend sends a JWT")
			}
		}
		require.Equal(t, `{"clinic-session":"cookie"}`, strings.ReplaceAll(p.Eval(
			`JSON.stringify(Object.fromEntries(Object.entries(sessionStorage).filter(([name]) => name !== "clinic-former-ticket")))`), " ", ""))
		require.Empty(t, p.Eval("document.cookie + JSON.stringify(localStorage)")[len("{}"):])
	})
}

// TestAVisitorBecomesAnother: anonymous sessions can use the gateway's cookie too.
func TestAVisitorBecomesAnother(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		p := w.browse("/try?session=cookie").page
		p.Eval(`document.getElementById("text").value = "078-05-1120"`)
		p.Click("#text-form button")
		p.Click("#tickets .reveal")
		p.Await("value", `document.querySelector("#tickets .value pre")?.textContent === "078-05-1120"`)
		p.Click("#new-session")
		p.Await("another session", `document.querySelector("#new-session").disabled === false`)
		require.Len(t, w.signIns(), 2)
		p.Click("#tickets .reveal")
		p.Await("refusal", `document.querySelector("#tickets .value.refused")?.textContent.includes("GRANT_REQUIRED")`)
	})
}

// TestABrowserThatKeepsNoCookie: the page reports that the browser does not keep the cookie, for example SameSite=None without
// Partitioned, which browsers block in frames of other sites.
func TestABrowserThatKeepsNoCookie(t *testing.T) {
	w := newWorld(t, setting{"unpartitioned", crossSite, "none", false}, nil)
	p := w.browse("/try?session=cookie").page
	p.Eval(`document.getElementById("text").value = "078-05-1120"`)
	p.Click("#text-form button")
	p.Await("refusal", `[...document.querySelectorAll("#steps .failed")].some((step) => step.innerText.includes("keeps no cookie"))`)
}

// TestInDevelopment: the flow works with "cloakroom dev" on loopback, where cookies ignore ports.
func TestInDevelopment(t *testing.T) {
	s := stack.Start(t)
	p := browser.Open(t, s.AppURL+"/try?session=cookie", "", browser.BlockThirdPartyCookies)
	p.Eval(`document.getElementById("text").value = "078-05-1120"`)
	p.Click("#text-form button")
	p.Click("#tickets .reveal")
	p.Await("value", `document.querySelector("#tickets .value pre")?.textContent === "078-05-1120"`)
	for _, complaint := range p.Complaints() { // Chromium's own error for the answer that there is no session yet
		require.Contains(t, complaint, "401 (Unauthorized) ("+s.GatewayURL+"/session/verify)")
	}
	require.Empty(t, p.Strays([]string{s.AppURL, s.GatewayURL, s.ObjectsURL}))
}
