package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// Scenario has the settings of RunScenario.
type Scenario struct {
	URL         string   // the playground's page
	Origins     []string // gateway, app, object store: every request must go to one of them
	Screenshots string   // folder for the pictures; "" for none
	OneSession  bool     // the app does not answer ?new=1 with a new session: skip that part
}

// RunScenario uses the playground in a real browser: sign in, tokenize, upload, detokenize and read the
// same value; the same with a file; then a new session, which is refused.
func RunScenario(t *testing.T, s Scenario) {
	t.Helper()
	p := Open(t, s.URL, s.Screenshots)
	p.SignedIn()
	p.Shoot("01-signed-in")

	p.OpenTab("WhoAmI")
	p.Run()
	p.AwaitResponse("tenant")
	p.Shoot("02-who-am-i")

	const secret = "IBAN GB33 BUKB 2020 1555 5555 — for \"Ærøskøbing\" <only> & nobody else\nsecond line"
	p.OpenTab("Tokenize")
	p.Run()
	p.Await("upload request", `document.querySelector('[data-testid=upload-text]')`)
	p.Do("type the value", chromedp.SendKeys(chromedp.CSS("[data-testid=upload-text]"), secret))
	p.Shoot("03-value-typed")
	p.Click("[data-testid=upload-send]")
	p.Await("upload", `document.querySelector('[data-testid=upload-done]')`)
	token := p.Text("[data-testid=token]")
	p.Shoot("04-uploaded")

	p.Click("[data-testid=use-token]")
	p.AwaitTab("Detokenize")
	p.Run()
	p.ReadValue(token, secret)
	p.Shoot("05-value-shown")

	p.checkBatch()
	p.checkFile()

	if !s.OneSession {
		p.newSession()
	}

	p.nothingKept(token, "IBAN")
	for _, stray := range p.Strays(s.Origins) {
		t.Errorf("a request went to %s", stray)
	}
	for _, complaint := range p.Complaints() {
		t.Errorf("the browser complained: %s", complaint)
	}
}

// checkFile uploads a picture through its own request, and checks that it is shown as a picture.
func (p *Page) checkFile() {
	p.t.Helper()
	name := filepath.Join(p.t.TempDir(), "scan.png")
	if err := os.WriteFile(name, picture(), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.OpenTab("Tokenize")
	p.Run()
	p.Await("upload request", `document.querySelector('[data-testid=upload-file]')`)
	p.Do("choose the file", chromedp.SetUploadFiles(chromedp.CSS("[data-testid=upload-file]"), []string{name}))
	before := p.Text("[data-testid=token]")
	p.Click("[data-testid=tokenize-file]")
	p.Await("request for the file", fmt.Sprintf(
		`document.querySelector('[data-testid=token]')?.innerText !== %q && /scan\.png · image\/png/.test(document.querySelector('[data-testid=upload]').innerText)`, before))
	p.Click("[data-testid=upload-send]")
	p.Await("upload", `document.querySelector('[data-testid=upload-done]')`)
	p.Click("[data-testid=use-token]")
	p.AwaitTab("Detokenize")
	p.Run()
	p.Click("[data-testid=download-get]")
	p.Await("picture", `document.querySelector('[data-testid=value-image]')?.naturalWidth === 96`)
	p.Shoot("07-picture-shown")
}

// checkBatch reserves two tokens, and detokenizes them together with one that the session may not read.
func (p *Page) checkBatch() {
	p.t.Helper()
	p.OpenTab("TokenizeBatch")
	p.Run()
	p.Await("two upload requests", `document.querySelectorAll('[data-testid=upload]').length === 2`)
	p.OpenTab("DetokenizeBatch")
	p.Run()
	p.Await("two download requests", `document.querySelectorAll('[data-testid=download]').length === 2`)
	p.OpenTab("TokenMetadata")
	p.Run()
	p.AwaitResponse("createdAt")
	p.Shoot("06-metadata")
}

// newSession starts another session, which may not read the last token.
func (p *Page) newSession() {
	p.t.Helper()
	p.NewSession()
	p.OpenTab("Detokenize")
	p.Run()
	p.AwaitResponse("GRANT_REQUIRED")
	p.Shoot("08-new-session-refused")
}

// SignedIn waits until the page has a session and shows its editors.
func (p *Page) SignedIn() {
	p.t.Helper()
	p.Await("sign-in", `document.querySelector('[data-testid=session-status]')?.dataset.phase === 'signed-in'`)
	p.Await("editor", `document.querySelectorAll('.monaco-editor .view-line').length > 3`)
	// Docs work once the schema has been read.
	p.Await("schema", `!document.querySelector('.graphiql-sidebar [class*=rotate]') && !document.querySelector('.graphiql-spinner')`)
}

// OpenTab opens one of the example tabs by its operation's name.
func (p *Page) OpenTab(name string) {
	p.t.Helper()
	id := p.Eval(fmt.Sprintf(`[...document.querySelectorAll('[id^=graphiql-session-tab-]')].find((tab) => tab.innerText.trim() === %q)?.id ?? ''`, name))
	if id == "" {
		p.t.Fatalf("no tab %s", name)
	}
	p.Click("#" + id)
	p.AwaitTab(name)
}

// AwaitTab waits until a tab is shown, and its operation is selected to run.
func (p *Page) AwaitTab(name string) {
	p.t.Helper()
	p.Await("tab "+name, fmt.Sprintf(
		`document.querySelector('[role=tab][aria-selected=true]')?.innerText.trim() === %q && `+
			`document.querySelector('[data-testid=editor-state]').dataset.operation === %q`, name, name))
}

// Run presses the play button, and waits for the answer.
func (p *Page) Run() {
	p.t.Helper()
	const count = `document.querySelector('[data-testid=editor-state]').dataset.answers`
	before := p.Eval(count)
	p.Click(".graphiql-execute-button")
	p.Await("answer", count+" !== '"+before+"'")
}

// AwaitResponse waits for a word in the response pane.
func (p *Page) AwaitResponse(word string) {
	p.t.Helper()
	p.Await("response "+word, fmt.Sprintf(`document.querySelector('.result-window .view-lines')?.innerText.includes(%q)`, word))
}

// ReadValue downloads the value of the token, and compares it.
func (p *Page) ReadValue(token, want string) {
	p.t.Helper()
	p.Await("download request", `document.querySelector('[data-testid=download]')`)
	if got := p.Text("[data-testid=token]"); got != token {
		p.t.Errorf("Detokenize was filled with %s, not with %s", got, token)
	}
	p.Click("[data-testid=download-get]")
	p.Await("value", `document.querySelector('[data-testid=value-text]')`)
	if got := p.Eval(`document.querySelector('[data-testid=value-text]').textContent`); got != want {
		p.t.Errorf("the value is %q, not %q", got, want)
	}
}

// nothingKept checks that the words are in nothing that the page could have stored.
func (p *Page) nothingKept(words ...string) {
	p.t.Helper()
	stored := p.Eval(`JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])`)
	for _, word := range append(words, "Bearer", "eyJ", "Detokenize", "tok-") {
		if strings.Contains(stored, word) {
			p.t.Errorf("the page stored %q: %s", word, stored)
		}
	}
}
