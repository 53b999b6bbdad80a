package e2e_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"

	"github.com/cloakroomhq/cloakroom/e2e/browser"
	"github.com/cloakroomhq/cloakroom/e2e/stack"
)

// The playground works against the real gateway, application and store.
func TestThePlaygroundEndToEnd(t *testing.T) {
	s := stack.Start(t)
	browser.RunScenario(t, browser.Scenario{
		URL: s.GatewayURL + "/", Origins: []string{s.GatewayURL, s.AppURL, s.ObjectsURL}, Screenshots: "artifacts/dev-playground",
	})
}

// On the clinic's page for visitors a user stores a number, reveals it, and can't reveal it in another session.
func TestTheVisitorsPageEndToEnd(t *testing.T) {
	s := stack.Start(t)
	p := browser.Open(t, s.AppURL+"/try", "artifacts/clinic")
	const number, another = "078-05-1120 Ærø", "219-09-9999"
	handOver := func(value string, tickets int) {
		p.Await("form", `document.querySelector('#text-form button')?.disabled === false`)
		p.Do("type "+value, chromedp.SendKeys(chromedp.CSS("#text"), value))
		p.Click("#text-form button")
		p.Await("ticket", fmt.Sprintf(`document.querySelectorAll('#tickets > li').length === %d`, tickets))
	}
	handOver(number, 1)
	token := p.Text("#tickets .name")
	assert.Regexp(t, `^tok-[0-9a-f-]{36}$`, token)
	p.Click("#tickets .reveal")
	p.Await("value", fmt.Sprintf(`document.querySelector('#tickets .value pre')?.textContent === %q`, number))
	p.Shoot("01-revealed")

	p.Click("#new-session")
	p.Await("another session", `document.querySelector('#new-session').disabled === false &&
		[...document.querySelectorAll('#steps li.done')].some((step) => /another anonymous session/.test(step.innerText))`)
	p.Click("#tickets .reveal")
	p.Await("refusal", `document.querySelector('#tickets .value.refused')?.textContent.includes('GRANT_REQUIRED')`)
	assert.NotContains(t, p.Text("#tickets .value"), number)
	p.Shoot("02-refused")

	handOver(another, 2) // the other session stores its own values
	p.Click("#tickets > li:first-child .reveal")
	p.Await("value", fmt.Sprintf(`document.querySelector('#tickets > li:first-child .value pre')?.textContent === %q`, another))
	p.Shoot("03-own-value")

	stored := p.Eval(`JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])`)
	for _, secret := range []string{number, another, token, "eyJ"} {
		assert.NotContains(t, stored, secret)
	}
	assert.Empty(t, p.Strays([]string{s.GatewayURL, s.AppURL, s.ObjectsURL}))
	assert.Empty(t, p.Complaints())
}
