package browser

import (
	"strings"
)

// NewSession starts another session of the app.
func (p *Page) NewSession() {
	p.t.Helper()
	p.Click("[data-testid=new-session]")
	p.Await("other session", `/new development session/.test(document.querySelector('[data-testid=session-status]')?.innerText)`)
	p.SignedIn()
}

// everything is all content that the playground could show: its text, its fields' content, and every editor's model, which
// a tab can show.
const everything = `JSON.stringify([document.documentElement.innerText, document.images.length,
	[...document.querySelectorAll('input, textarea')].map((field) => field.value),
	[...document.querySelectorAll('.view-lines')].map((lines) => lines.textContent)]).replaceAll('\u00a0', ' ')`

// Shows returns those of the texts that are on the page, in a field or in any of its example tabs.
func (p *Page) Shows(texts ...string) (shown []string) {
	p.t.Helper()
	pages := p.Eval(everything)
	for _, tab := range []string{"WhoAmI", "Tokenize", "TokenizeBatch", "Detokenize", "DetokenizeBatch", "TokenMetadata"} {
		p.OpenTab(tab)
		pages += p.Eval(everything)
	}
	for _, text := range texts {
		if strings.Contains(pages, text) {
			shown = append(shown, text)
		}
	}
	return shown
}
