package signin

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

// Ensure begins a sign-in, even if there is a session: another user may have signed in at the application.
func (f *Flow) Ensure(w http.ResponseWriter, r *http.Request, admit guard.Admit) {
	f.navigation(w.Header())
	if _, err := admit(); err != nil {
		f.refusePage(w, r, refusalOf(err))
		return
	}
	to, refused := f.begin(w, r)
	if refused != nil {
		f.refusePage(w, r, refused)
		return
	}
	f.opts.Observer.SignIn(started)
	f.redirect(w, to)
}

// begin sets the cookie that binds the sign-in to the browser, and returns the provider's page with the state.
func (f *Flow) begin(w http.ResponseWriter, r *http.Request) (string, *refusal) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(q["provider"]) > 1 || len(q["return_to"]) > 1 {
		return "", badRequest.because(errRepeated)
	}
	p := f.only
	if q.Has("provider") {
		p = f.providers[q.Get("provider")]
	}
	if p == nil {
		return "", noProvider
	}
	target, ok := p.returnTo(q.Get("return_to"), q.Has("return_to"))
	if !ok {
		return "", badTarget
	}
	// The same cookie for all tabs, so that their sign-ins don't invalidate each other.
	browser, err := f.browser(r)
	if errors.Is(err, errTwoCookies) {
		return "", badRequest.because(err)
	}
	if browser == "" {
		browser = newBrowser()
	}
	sealed, err := f.sealState(newState(p.Name, target, browser, f.opts.Now().Add(f.opts.StateLifetime)))
	if err != nil {
		return "", unavailable.because(err)
	}
	f.setCookie(w, browserCookie, browser, browserLife)
	return p.URL + "?state=" + sealed, nil
}
