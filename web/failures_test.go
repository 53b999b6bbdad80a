package web_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/cloakroomhq/cloakroom/e2e/browser"
	"github.com/cloakroomhq/cloakroom/web/webtest"
)

const artifacts = "../e2e/artifacts/playground"

// upload runs Tokenize and tries to upload a text.
func upload(p *browser.Page) {
	p.OpenTab("Tokenize")
	p.Run()
	p.Await("form", `document.querySelector('[data-testid=upload-text]')`)
	p.Do("type the value", chromedp.SendKeys(chromedp.CSS("[data-testid=upload-text]"), "a value"))
	p.Click("[data-testid=upload-send]")
}

func awaitError(t *testing.T, p *browser.Page, code string, words ...string) {
	t.Helper()
	p.Await("error "+code, `document.querySelector('[data-testid=transfer-error]')?.dataset.code === '`+code+`'`)
	text := p.Text("[data-testid=transfer-error]")
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("the error does not say %q: %s", word, text)
		}
	}
}

func TestTransferErrors(t *testing.T) {
	s := webtest.Start(t)
	p := browser.Open(t, s.Gateway.URL, artifacts)
	p.SignedIn()

	s.SetRequestTTL(-time.Minute)
	upload(p)
	awaitError(t, p, "Expired", "expired at", "Run the operation again")
	p.Shoot("11-expired")

	s.SetRequestTTL(5 * time.Minute)
	p.Run()
	p.OpenTab("Detokenize")
	p.Run()
	p.Click("[data-testid=download-get]")
	awaitError(t, p, "NoSuchKey", "(HTTP 404)", "Nothing has been uploaded")

	upload(p)
	p.Await("upload", `document.querySelector('[data-testid=upload-done]')`)
	p.Click("[data-testid=use-token]")
	p.AwaitTab("Detokenize")
	p.Run()
	s.Break()
	p.Click("[data-testid=download-get]")
	awaitError(t, p, "SignatureDoesNotMatch", "(HTTP 403)", "differs from what was signed")

	s.Store.Close()
	p.Click("[data-testid=download-get]")
	awaitError(t, p, "", s.Store.URL, "did not answer", "CORS")
	p.Shoot("12-store-down")
}

func TestSignInFails(t *testing.T) {
	s := webtest.Start(t)
	s.App.Close()
	p := browser.Open(t, s.Gateway.URL, artifacts)
	p.Await("failure", `document.querySelector('[data-testid=session-status]')?.dataset.phase === 'failed'`)
	text := p.Text("[data-testid=session-status]")
	for _, word := range []string{"Not signed in", s.App.URL, "did not answer", "Is it running"} {
		if !strings.Contains(text, word) {
			t.Errorf("the status does not say %q: %s", word, text)
		}
	}
	p.OpenTab("WhoAmI")
	p.Run()
	p.Await("meaning", `document.querySelector('[data-testid=refusal]')?.dataset.code === 'UNAUTHENTICATED'`)
	p.Shoot("10-not-signed-in")
}

// localhost and 127.0.0.1 are different origins: the page names the one to use.
func TestSignInFromLocalhost(t *testing.T) {
	s := webtest.Start(t)
	p := browser.Open(t, strings.Replace(s.Gateway.URL, "127.0.0.1", "localhost", 1), "")
	p.Await("advice", `document.querySelector('[data-testid=session-status]')?.innerText.includes('Open this page at `+s.Gateway.URL+` instead.')`)
}

// The JWT is renewed before it expires, for the same session.
func TestRenewal(t *testing.T) {
	s := webtest.Start(t)
	s.SetSessionTTL(4 * time.Second)
	p := browser.Open(t, s.Gateway.URL, "")
	p.SignedIn()
	upload(p)
	p.Await("upload", `document.querySelector('[data-testid=upload-done]')`)
	for deadline := time.Now().Add(2 * time.Minute); s.SignIns() < 3; {
		if time.Now().After(deadline) {
			t.Fatal("the session was not renewed")
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.OpenTab("Detokenize")
	p.Run()
	p.Await("download request", `document.querySelector('[data-testid=download]')`)
	if complaints := p.Complaints(); len(complaints) > 0 {
		t.Errorf("the browser complained: %q", complaints)
	}
}

// The theme is the only data that is kept after a reload.
func TestDarkTheme(t *testing.T) {
	s := webtest.Start(t)
	p := browser.Open(t, s.Gateway.URL, artifacts)
	p.SignedIn()
	p.Click("[data-value=settings]")
	p.Click(".graphiql-dialog [data-theme=dark]")
	p.Await("dark", `document.body.classList.contains('graphiql-dark')`)
	p.Do("load the page again", chromedp.Reload())
	p.SignedIn()
	p.Await("dark", `document.body.classList.contains('graphiql-dark')`)
	if stored := p.Eval(`JSON.stringify({...localStorage})`); stored != `{"graphiql:theme":"dark"}` {
		t.Errorf("stored: %s", stored)
	}
	upload(p)
	p.Await("upload", `document.querySelector('[data-testid=upload-done]')`)
	p.Shoot("09-dark")
}

// The other browser tests prove nothing unless they see violations.
func TestBrowserTestsSeeViolations(t *testing.T) {
	s := webtest.Start(t)
	p := browser.Open(t, s.Gateway.URL, "")
	p.SignedIn()
	if complaints, strays := p.Complaints(), p.Strays(s.Origins()); len(complaints)+len(strays) > 0 {
		t.Fatalf("not clean at the start: %q, %q", complaints, strays)
	}
	p.Eval(`fetch('http://127.0.0.1:9/elsewhere').catch(() => {})`)
	for deadline := time.Now().Add(10 * time.Second); len(p.Complaints()) == 0; time.Sleep(25 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a violation of the policy was not seen")
		}
	}
	for _, part := range []string{s.App.URL + "/.cloakroom/session", s.Gateway.URL + "/graphql", "/assets/graphql.worker-"} {
		seen := func() string { return strings.Join(p.Strays(nil), "\n") }
		for deadline := time.Now().Add(10 * time.Second); !strings.Contains(seen(), part); time.Sleep(25 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("a request for %s was not seen:\n%s", part, seen())
			}
		}
	}
}

// A binary value is offered for saving, and markup is shown as text, never as a page.
func TestBinaryAndMarkupValues(t *testing.T) {
	s := webtest.Start(t)
	p := browser.Open(t, s.Gateway.URL, artifacts)
	p.SignedIn()
	for _, value := range []struct{ name, content, kind string }{
		{"dump.bin", "\x00\x01\xff\xfe binary", "binary"},
		{"page.txt", "<img src=x onerror=alert(1)>", "text"},
		{"long.txt", strings.Repeat("ø", 150_000), "text"},
	} {
		file := filepath.Join(t.TempDir(), value.name)
		if err := os.WriteFile(file, []byte(value.content), 0o600); err != nil {
			t.Fatal(err)
		}
		p.OpenTab("Tokenize")
		p.Run()
		p.Await("form", `document.querySelector('[data-testid=upload-file]')`)
		p.Do("choose the file", chromedp.SetUploadFiles(chromedp.CSS("[data-testid=upload-file]"), []string{file}))
		p.Click("[data-testid=upload-send]")
		p.Await("upload", `document.querySelector('[data-testid=upload-done]')`)
		p.Click("[data-testid=use-token]")
		p.AwaitTab("Detokenize")
		p.Run()
		p.Click("[data-testid=download-get]")
		p.Await(value.kind, `document.querySelector('[data-testid=value]')?.dataset.kind === '`+value.kind+`'`)
		p.Await("a link that saves it", `/^blob:/.test(document.querySelector('[data-testid=value-save]')?.href)`)
		if value.kind == "text" && !strings.HasPrefix(value.content, p.Eval(`document.querySelector('[data-testid=value-text]').textContent`)) {
			t.Errorf("%s is shown differently", value.name)
		}
	}
	p.Click("[data-testid=value-hide]")
	p.Await("nothing left of it", `!document.body.innerText.includes('ø')`)
	if complaints := p.Complaints(); len(complaints) > 0 {
		t.Errorf("the browser complained: %q", complaints)
	}
}
