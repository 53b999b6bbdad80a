package clinic_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/browser"
)

func testID(id string) string { return "[data-testid='" + id + "']" }

func typeInto(p *browser.Page, selector, text string) {
	p.Do("type into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// revealIn presses Reveal on the first ticket in the element, and returns the shown value.
func revealIn(p *browser.Page, selector string) string {
	p.Click(selector + " " + testID("reveal"))
	value := selector + " " + testID("value")
	p.Await("value in "+selector, fmt.Sprintf(`(document.querySelector(%q)?.innerText ?? '…') !== '…'`, value))
	return p.Text(value)
}

func openDetails(p *browser.Page, form string) {
	p.Do("open "+form, chromedp.Click(chromedp.CSS("details:has("+form+") > summary")))
}

// TestThePageShowsEachStep logs in as a doctor, adds patients, reads their values, writes a note that arrives live,
// and logs in as another doctor, who can't open the same ticket.
func TestThePageShowsEachStep(t *testing.T) {
	s := newStack(t)
	p := browser.Open(t, s.appURL+"/", os.Getenv("CLINIC_SCREENSHOTS"))
	p.Await("login", `!document.getElementById('login').hidden`)
	p.Shoot("01-login")
	p.Click(testID("login-adams@clinic.example"))
	p.Await("clinic", `document.querySelector("[data-testid='who']")?.innerText === 'Dr. Adams'`)
	p.Await("subscription", `document.querySelector("[data-testid='live-state']").innerText === 'live'`)

	p.Click(testID("add-samples"))
	p.Await("record", `document.getElementById('patient-title').innerText === 'Ada Quill'`)
	p.Shoot("02-samples-added")
	require.Equal(t, "219-09-9999", revealIn(p, testID("ssn")))
	require.Contains(t, revealIn(p, testID("timeline")+" "+testID("note")), "penicillin")
	_ = revealIn(p, testID("document"))
	p.Await("picture", `document.querySelector("[data-testid='document'] img")?.naturalWidth === 320`)
	p.Shoot("03-revealed")

	openDetails(p, testID("add-form"))
	typeInto(p, "#add-name", "Dora Finch")
	typeInto(p, "#add-ssn", "987-65-4321")
	typeInto(p, "#add-note", "Afraid of <b>needles</b>.")
	p.Click(testID("add-form") + " button")
	p.Await("new record", `document.getElementById('patient-title').innerText === 'Dora Finch'`)
	require.Equal(t, "987-65-4321", revealIn(p, testID("ssn")))
	require.Equal(t, "Afraid of <b>needles</b>.", revealIn(p, testID("live")), "the note's own event has its grant")

	openDetails(p, testID("note-form"))
	typeInto(p, "#note", "Second visit.")
	p.Click(testID("note-form") + " button")
	p.Await("second note", `document.querySelectorAll("[data-testid='timeline'] > li").length === 2`)
	p.Await("live note", `document.querySelectorAll("[data-testid='live'] > li").length === 5`)
	p.Shoot("04-note-live")

	ticket := strings.TrimSpace(p.Text(testID("ssn") + " " + testID("token")))
	require.Equal(t, "987-65-4321", revealIn(p, testID("ssn"))) // the last one opened
	p.Click(testID("logout") + " button")
	p.Await("login", `document.getElementById('login')?.hidden === false`)
	p.Click(testID("login-baker@clinic.example"))
	p.Await("former ticket", `document.querySelector("[data-testid='former']")?.hidden === false`)
	require.Equal(t, ticket, strings.TrimSpace(p.Text(testID("former")+" "+testID("token"))))
	refusal := revealIn(p, testID("former"))
	require.Contains(t, refusal, "GRANT_REQUIRED")
	require.Contains(t, refusal, "your own patients only")
	require.NotContains(t, p.Text(testID("patients")), "Dora")
	p.Shoot("05-somebody-else")

	for _, complaint := range p.Complaints() {
		t.Errorf("the browser complained: %s", complaint)
	}
	require.Empty(t, p.Strays([]string{s.appURL, s.gatewayURL, s.objectsURL}))
	stored := p.Eval(`JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])`)
	for _, secret := range []string{"987-65", "needles", "eyJ"} {
		require.NotContains(t, stored, secret)
	}
}

func TestAPatientReadsHimselfOnThePage(t *testing.T) {
	s := newStack(t)
	p := browser.Open(t, s.appURL+"/?login=refused", os.Getenv("CLINIC_SCREENSHOTS"))
	p.Await("refusal", `document.querySelector("[data-testid='login-refused']")?.hidden === false`)
	typeInto(p, "#email", "pat@clinic.example")
	typeInto(p, "#password", "cloakroom")
	p.Click(testID("login-button"))
	p.Await("record", `document.getElementById('patient-title')?.innerText === 'Pat Doe'`)
	openDetails(p, testID("ssn-form"))
	typeInto(p, "#new-ssn", "111-22-3333")
	p.Click(testID("ssn-form") + " button")
	p.Await("ticket", `document.querySelector("[data-testid='ssn'] [data-testid='reveal']")`)
	require.Equal(t, "111-22-3333", revealIn(p, testID("ssn")))
	p.Shoot("06-patient")
	require.Empty(t, p.Complaints())
}

func TestTheAnonymousDemoStaysReachable(t *testing.T) {
	s := newStack(t)
	p := browser.Open(t, s.appURL+"/try", os.Getenv("CLINIC_SCREENSHOTS"))
	p.Await("form", `document.querySelector("[data-testid='text-form'] button")`)
	typeInto(p, "#text", "078-05-1120")
	p.Click(testID("text-form") + " button")
	p.Await("ticket", `document.querySelector("[data-testid='tickets'] [data-testid='reveal']")`)
	require.Equal(t, "078-05-1120", revealIn(p, testID("tickets")))
	p.Click(testID("new-session"))
	p.Await("other session", `[...document.querySelectorAll('#steps .done')].some((step) => /another anonymous session/.test(step.innerText))`)
	p.Click(testID("tickets") + " " + testID("reveal"))
	p.Await("refusal", `document.querySelector("[data-testid='tickets'] .refused")?.innerText.includes('GRANT_REQUIRED')`)
	p.Shoot("07-try")
	// The browser reports no failed request.
	require.Empty(t, p.Complaints())
}
