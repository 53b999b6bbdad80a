package signin

import (
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

// maxForm limits a form's body, in bytes.
const maxForm = 16 << 10

// Create completes a sign-in: it accepts the provider's answer once, sets the session's cookie and redirects the browser to
// return_to.
func (f *Flow) Create(w http.ResponseWriter, r *http.Request, admit guard.Admit) {
	f.navigation(w.Header())
	if _, err := admit(); err != nil {
		f.refusePage(w, r, refusalOf(err))
		return
	}
	target, refused := f.finish(w, r)
	if refused != nil {
		f.refusePage(w, r, refused)
		return
	}
	f.opts.Observer.SignIn(completed)
	f.redirect(w, target)
}

// finish consumes the state last, after all checks, so that a refused attempt can be repeated.
func (f *Flow) finish(w http.ResponseWriter, r *http.Request) (string, *refusal) {
	sealed, assertion, refused := f.readForm(w, r)
	if refused != nil {
		return "", refused
	}
	s, p, refused := f.checkState(r, sealed)
	if refused != nil {
		return "", refused
	}
	verified, err := f.opts.Assertions.Assertion(r.Context(), p.Name, assertion, sealed)
	if err != nil {
		return "", notAccepted.because(err).linked(s.returnTo)
	}
	now := f.opts.Now()
	l := f.newLogin(p.Name, verified, now)
	life := l.expires.Sub(now)
	if life < time.Second { // Max-Age has whole seconds
		return "", notAccepted.because(errCookie).linked(s.returnTo)
	}
	if err := f.opts.Rates.SignedIn(p.Tenant, verified.Session); err != nil {
		return "", tooMany.because(err).linked(s.returnTo)
	}
	value, err := f.sealLogin(l)
	if err != nil {
		return "", unavailable.because(err).linked(s.returnTo)
	}
	first, err := f.consume(r.Context(), s)
	if err != nil {
		return "", unavailable.because(err).linked(s.returnTo)
	}
	if !first {
		return "", replayed.linked(s.returnTo)
	}
	f.setCookie(w, sessionCookie, value, life)
	return s.returnTo, nil
}

// readForm returns the form's fields. It reads only the body, because URLs end up in logs.
func (f *Flow) readForm(w http.ResponseWriter, r *http.Request) (state, assertion string, refused *refusal) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return "", "", tooLarge
		}
		return "", "", badRequest.because(err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["state"]) != 1 || len(form["assertion"]) != 1 {
		return "", "", badRequest.because(errRepeated)
	}
	return form["state"][0], form["assertion"][0], nil
}

// anyOrigin reports whether the request comes from some provider's page.
func (f *Flow) anyOrigin(r *http.Request) bool {
	for _, p := range f.providers {
		if fromOrigin(r, p.origin) {
			return true
		}
	}
	return false
}

func fromOrigin(r *http.Request, origin string) bool {
	sent := r.Header.Values("Origin")
	return len(sent) == 1 && sent[0] == origin
}

// checkState opens the state and checks it against the browser, the clock and the page that the form came from.
func (f *Flow) checkState(r *http.Request, sealed string) (*state, *provider, *refusal) {
	s, err := f.openState(sealed)
	if err != nil {
		return nil, nil, badState.because(err)
	}
	browser, err := f.browser(r)
	if err != nil || browser == "" {
		return nil, nil, otherBrowser.because(err)
	}
	if hash := browserHash(browser); subtle.ConstantTimeCompare(hash[:], s.browser[:]) != 1 {
		return nil, nil, otherBrowser
	}
	p := f.providers[s.provider]
	switch {
	case p == nil || !allowed(p.ReturnTo, s.returnTo): // the settings have changed
		return nil, nil, badState
	case !fromOrigin(r, p.origin):
		return nil, nil, badOrigin.linked(s.returnTo)
	case !f.opts.Now().Before(s.expires):
		return nil, nil, expired.linked(s.returnTo)
	}
	return s, p, nil
}
