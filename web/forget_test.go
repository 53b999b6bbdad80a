package web_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/cloakroomhq/cloakroom/e2e/browser"
	"github.com/cloakroomhq/cloakroom/web/webtest"
)

// After New session, another person may use the screen.
func TestNoDataOfTheFormerSessionStays(t *testing.T) {
	s := webtest.Start(t)
	const secret, typed = "078-05-1120", "half a value"
	// readValue stores a value, reads it again and leaves another half typed. It returns the first one's token.
	readValue := func(t *testing.T, p *browser.Page) string {
		p.SignedIn()
		p.OpenTab("Tokenize")
		p.Run()
		p.Await("upload request", `document.querySelector('[data-testid=upload-text]')`)
		p.Do("type the value", chromedp.SendKeys(chromedp.CSS("[data-testid=upload-text]"), secret))
		p.Click("[data-testid=upload-send]")
		p.Await("upload", `document.querySelector('[data-testid=upload-done]')`)
		token := p.Text("[data-testid=token]")
		p.Click("[data-testid=use-token]")
		p.AwaitTab("Detokenize")
		p.Run()
		p.ReadValue(token, secret)
		return token
	}
	gone := func(t *testing.T, p *browser.Page, texts ...string) {
		t.Helper()
		if shown := p.Shows(texts...); len(shown) > 0 {
			t.Errorf("the page still shows %q", shown)
		}
		expect(t, "responses", p.Text(".result-window .view-lines"), "")
	}
	t.Run("values, responses, variables and forms", func(t *testing.T) {
		p := browser.Open(t, s.Gateway.URL+"/", "")
		token := readValue(t, p)
		p.OpenTab("TokenizeBatch")
		p.Run()
		p.Await("two upload requests", `document.querySelectorAll('[data-testid=upload]').length === 2`)
		p.Do("type a value", chromedp.SendKeys(chromedp.CSS("[data-testid=upload-text]"), typed))
		if len(p.Shows(token)) == 0 {
			t.Error("the token was not there before")
		}
		p.NewSession()
		gone(t, p, token, secret, typed)
	})
	t.Run("in another tab of it", func(t *testing.T) {
		p := browser.Open(t, s.Gateway.URL+"/", "")
		token := readValue(t, p)
		other := p.Tab(s.Gateway.URL + "/")
		other.SignedIn()
		other.NewSession()
		p.Await("other session", `/new development session/.test(document.querySelector('[data-testid=session-status]')?.innerText)`)
		p.SignedIn()
		gone(t, p, token, secret)
	})
	t.Run("although the app does not answer", func(t *testing.T) {
		p := browser.Open(t, s.Gateway.URL+"/", "")
		token := readValue(t, p)
		s.RefuseSessions(true)
		p.Click("[data-testid=new-session]")
		p.Await("failure", `document.querySelector('[data-testid=session-status]')?.dataset.phase === 'failed'`)
		if text := p.Eval("document.documentElement.innerText"); p.Eval("document.querySelectorAll('.view-lines').length") != "0" {
			t.Errorf("still shown: %s", text)
		}
		s.RefuseSessions(false)
		p.Click("[data-testid=sign-in]")
		p.SignedIn()
		gone(t, p, token, secret)
	})
}
