package clinic_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/browser"
)

// seen is everything that a page shows or can reveal: text, pictures, and the content of its fields.
const seen = `document.documentElement.innerText + [...document.querySelectorAll('input:not([type=hidden]), textarea')]
	.map((field) => field.value).join() + document.images.length`

// logIn logs a doctor in, and opens a sample patient's number and X-ray.
func logIn(t *testing.T, p *browser.Page) {
	t.Helper()
	p.Await("login", `document.getElementById('login')?.hidden === false`)
	p.Click(testID("login-adams@clinic.example"))
	p.Await("subscription", `document.querySelector("[data-testid='live-state']")?.innerText === 'live'`)
	p.Click(testID("add-samples"))
	p.Await("record", `document.getElementById('patient-title').innerText === 'Ada Quill'`)
	require.Equal(t, "219-09-9999", revealIn(p, testID("ssn")))
	_ = revealIn(p, testID("document"))
	p.Await("picture", `document.querySelector("[data-testid='document'] img")?.naturalWidth === 320`)
	openDetails(p, testID("note-form"))
	typeInto(p, "#note", "half a note")
}

func assertNothingSeen(t *testing.T, p *browser.Page) {
	t.Helper()
	p.Await("login", `document.getElementById('login')?.hidden === false`)
	shown := p.Eval(seen)
	for _, former := range []string{"219-09-9999", "Ada Quill", "half a note"} {
		assert.NotContains(t, shown, former)
	}
	assert.Equal(t, "0", p.Eval("document.images.length"))
}

func TestNothingOfALoginStaysOnTheScreen(t *testing.T) {
	t.Run("after logout and Back, and Forward", func(t *testing.T) {
		s := newStack(t)
		p := browser.Open(t, s.appURL+"/", os.Getenv("CLINIC_SCREENSHOTS"))
		logIn(t, p)
		p.Do("go elsewhere", chromedp.Navigate(s.appURL+"/try"))
		p.Do("go back", chromedp.NavigateBack())
		p.Await("record, of a login that goes on", `document.querySelector("[data-testid='who']")?.innerText === 'Dr. Adams'`)
		p.Await("patients", `document.querySelectorAll("[data-testid='patients'] button").length > 2`)
		p.Eval(`[...document.querySelectorAll("[data-testid='patients'] button")].find((b) => b.innerText === 'Ada Quill').click()`)
		p.Await("record", `document.querySelector("[data-testid='ssn'] [data-testid='reveal']")`)
		require.Equal(t, "219-09-9999", revealIn(p, testID("ssn")))
		p.Click(testID("logout") + " button")
		assertNothingSeen(t, p)
		for range 2 {
			p.Do("go back", chromedp.NavigateBack())
			p.Await("page", `document.querySelector('h1')`)
			if p.Eval("location.pathname") == "/" {
				assertNothingSeen(t, p)
			}
		}
		p.Do("go forward", chromedp.NavigateForward())
		p.Await("page", `document.querySelector('h1')`)
		assert.NotContains(t, p.Eval(seen), "219-09-9999")
		assert.Empty(t, p.Complaints())
	})
	t.Run("in another tab", func(t *testing.T) {
		s := newStack(t)
		p := browser.Open(t, s.appURL+"/", "")
		logIn(t, p)
		other := p.Tab(s.appURL + "/")
		other.Await("clinic", `document.querySelector("[data-testid='who']")?.innerText === 'Dr. Adams'`)
		require.Contains(t, p.Eval(seen), "219-09-9999", "a second tab of the same user changes nothing")
		other.Click(testID("logout") + " button")
		assertNothingSeen(t, p)
	})
	t.Run("of another visitor", func(t *testing.T) {
		s := newStack(t)
		p := browser.Open(t, s.appURL+"/try", "")
		p.Await("form", `document.querySelector("[data-testid='text-form'] button")`)
		typeInto(p, "#text", "078-05-1120")
		p.Click(testID("text-form") + " button")
		p.Await("ticket", `document.querySelector("[data-testid='tickets'] [data-testid='reveal']")`)
		require.Equal(t, "078-05-1120", revealIn(p, testID("tickets")))
		typeInto(p, "#text", "457-55-5462")
		p.Click(testID("new-session"))
		p.Await("other session", `[...document.querySelectorAll('#steps .done')].some((step) => /another anonymous session/.test(step.innerText))`)
		assert.NotContains(t, p.Eval(seen), "078-05-1120")
		assert.NotContains(t, p.Eval(seen), "457-55-5462")
	})
}

func TestAnEmptyFileIsRefusedWithAMessage(t *testing.T) {
	s := newStack(t)
	empty, full := filepath.Join(t.TempDir(), "empty.pdf"), filepath.Join(t.TempDir(), "full.pdf")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	require.NoError(t, os.WriteFile(full, []byte("%PDF"), 0o600))
	p := browser.Open(t, s.appURL+"/", "")
	p.Await("login", `document.getElementById('login')?.hidden === false`)
	p.Click(testID("login-adams@clinic.example"))
	p.Await("samples", `document.getElementById('samples')?.hidden === false`)
	p.Click(testID("add-samples"))
	p.Await("record", `document.getElementById('patient-title').innerText === 'Ada Quill'`)
	for _, form := range []struct{ form, text, file string }{
		{"document-form", "#title", "#document-file"}, {"note-form", "#note", "#note-file"}, {"add-form", "#add-name", "#add-file"},
	} {
		t.Run(form.form, func(t *testing.T) {
			alert := testID(form.form) + " [role=alert]"
			openDetails(p, testID(form.form))
			typeInto(p, form.text, "Referral")
			p.Do("choose", chromedp.SetUploadFiles(chromedp.CSS(form.file), []string{empty}))
			p.Click(testID(form.form) + " button")
			p.Await("alert", "document.querySelector(\""+alert+"\")")
			require.Contains(t, p.Text(alert), "empty: choose one with content")
			p.Do("choose", chromedp.SetUploadFiles(chromedp.CSS(form.file), []string{full}))
			p.Click(testID(form.form) + " button")
			p.Await("form closed", "document.querySelector(\"details:has("+testID(form.form)+")\").open === false")
			require.Empty(t, p.Text(alert))
		})
	}
}
