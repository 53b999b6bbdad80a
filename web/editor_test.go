package web_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/cloakroomhq/cloakroom/e2e/browser"
	"github.com/cloakroomhq/cloakroom/web/webtest"
)

const (
	queryEditor = ".graphiql-query-editor .monaco-editor"
	queryText   = `document.querySelector('.graphiql-query-editor .view-lines').innerText.replaceAll('\u00a0', ' ')`
)

// The bundle leaves out much of the editor; the features that users need must still work.
func TestEditor(t *testing.T) {
	s := webtest.Start(t)
	p := browser.Open(t, s.Gateway.URL, artifacts)
	p.SignedIn()

	p.Click(".graphiql-tab-add")
	p.Await("an empty tab", `!/viewer/.test(`+queryText+`)`)
	p.Do("focus the editor", chromedp.Click(chromedp.CSS(queryEditor)))
	p.Do("type", chromedp.KeyEvent("{vi"))
	p.Await("a completion from the schema", `/viewer/.test(document.querySelector('.suggest-widget.visible')?.innerText)`)
	p.Shoot("13-completion")
	p.Do("close it", chromedp.KeyEvent(kb.Escape))
	selectAll := chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl))
	p.Do("type a field that is not", selectAll, chromedp.KeyEvent("{viewer{nonsense"), chromedp.KeyEvent(kb.Escape))
	p.Await("a mark under it", `document.querySelector('.graphiql-query-editor .squiggly-error')`)
	p.Do("type one that is", selectAll, chromedp.KeyEvent("{viewer{tenant"), chromedp.KeyEvent(kb.Escape))
	p.Await("the operation", queryText+`.includes('{viewer{tenant}}')`)
	p.Click("[aria-label^='Prettify query']")
	p.Await("a pretty operation", queryText+`.split('\n').filter((line) => line.trim()).length >= 5`)
	p.Do("open the documentation", chromedp.Click(chromedp.CSS("[aria-label='Show Documentation Explorer']")))
	p.Await("the documentation", `/TokenizePayload/.test(document.querySelector('.graphiql-plugin')?.innerText) || /Mutation/.test(document.querySelector('.graphiql-plugin')?.innerText)`)
	p.Shoot("14-documentation")
	if complaints := p.Complaints(); len(complaints) > 0 {
		t.Errorf("the browser complained: %q", complaints)
	}
}
