package appkit

// Policy of sign-in, the application's half of the gateway's redirect flow. The gateway sends a browser here with a
// state of its own making. Who may use that state is for the gateway to judge, which has bound it to the browser;
// judged here is that the request is a page being opened, and that the state can be nothing but a state. What is
// signed goes to the gateway alone, in the body of a form post: never into a URL, a log or a Referer header.

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	maxState = 4 << 10 // bytes

	stateQuery = "state=" // what the query begins with; there is one spelling of it
)

// signIn is what of sign-in is known at the start.
type signIn struct {
	path   string // as browsers see it
	create string // the gateway's endpoint for assertions
	home   string // where those go whom no sign-in can help
	policy string // of the page with the form
	static string // of pages that only say something
}

func newSignIn(options Options, gateway string) signIn {
	var prefix string
	if parsed, err := url.Parse(options.Issuer); err == nil {
		prefix = parsed.EscapedPath()
	}
	own := append([]string{"'self'"}, options.AllowedOrigins...)
	if !slices.Contains(own, gateway) {
		own = append(own, gateway)
	}
	return signIn{
		path:   prefix + signInPath,
		create: options.Audience + "/session/create",
		home:   options.Issuer + "/",
		policy: pagePolicy("script-src "+submitHash, own),
		static: pagePolicy("script-src 'none'", own),
	}
}

// checkSignInPage wants a path of this application's origin and nothing that a browser takes for another's.
func checkSignInPage(page string) error {
	if page == "" {
		return nil
	}
	_, err := url.Parse(page)
	if err != nil || page[0] != '/' || strings.HasPrefix(page, "//") || strings.ContainsAny(page, "\\#") || !isASCII(page) {
		return fmt.Errorf("SignInPage %q is not a path of this application: write it as /login", page)
	}
	return nil
}

func (k *Kit) serveSignIn(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	// The form's Origin has to be the application's, which no-referrer would make "null".
	header.Set("Referrer-Policy", "strict-origin")
	header.Set("Content-Security-Policy", k.signIn.static)
	if r.Method != http.MethodGet {
		header.Set("Allow", http.MethodGet)
		k.messagePage(w, http.StatusMethodNotAllowed, codeBadUserInput, "This address is a step of signing in, and takes no such request.")
		return
	}
	if !k.isNavigation(r) {
		k.messagePage(w, http.StatusForbidden, codeForbidden, "This address is a step of signing in: a browser opens it as a page.")
		return
	}
	state, ok := stateOf(r.URL)
	if !ok {
		k.messagePage(w, http.StatusBadRequest, codeBadUserInput, "This address is a step of signing in, and is not complete: begin again at the application.")
		return
	}
	session, err := k.session(w, r)
	if errors.Is(err, ErrNoSession) {
		k.sendToLogin(w, r, state)
		return
	}
	var assertion string
	if err == nil {
		assertion, err = k.assertion(r.Context(), session, state)
	}
	if err != nil {
		k.options.Logger.ErrorContext(r.Context(), "no sign-in", slog.Any("error", err))
		k.messagePage(w, http.StatusInternalServerError, codeInternal, "The application has a problem: try again later.")
		return
	}
	header.Set("Content-Security-Policy", k.signIn.policy)
	render(w, http.StatusOK, formPage, formData{Action: k.signIn.create, State: state, Assertion: assertion})
}

func (k *Kit) sendToLogin(w http.ResponseWriter, r *http.Request, state string) {
	page := k.options.SignInPage
	if page == "" {
		k.messagePage(w, http.StatusUnauthorized, codeUnauthenticated, "Sign in to the application first.")
		return
	}
	separator := "?"
	if strings.Contains(page, "?") {
		separator = "&"
	}
	back := url.Values{"return_to": {k.signIn.path + "?" + stateQuery + state}}
	http.Redirect(w, r, page+separator+back.Encode(), http.StatusSeeOther)
}

// SignInReturn reports whether a return_to that SignInPage was given leads back into a sign-in, and nowhere else. Redirect to
// it after the login then, and otherwise to a page of your own: anybody can write a link to SignInPage.
func (k *Kit) SignInReturn(to string) bool {
	state, ok := strings.CutPrefix(to, k.signIn.path+"?"+stateQuery)
	return ok && isState(state)
}

// isNavigation goes by what browsers say of a request (Fetch Metadata), and no page can change. A browser too old to
// messagePage it, and what is no browser, is let through: what is answered serves nobody but the browser that the state is bound to.
func (k *Kit) isNavigation(r *http.Request) bool {
	only := func(name string, allowed ...string) bool {
		values := r.Header.Values(name)
		return len(values) == 0 || len(values) == 1 && slices.Contains(allowed, values[0])
	}
	return only("Sec-Fetch-Mode", "navigate") && only("Sec-Fetch-Dest", "document", "iframe", "frame") &&
		only("Sec-Purpose") && // a prefetch would use the state up
		k.isOwnOrigin(r.Header.Values("Origin"))
}

// isOwnOrigin lets no Origin pass, which is usual, and those who may lead here: after a login form, for instance.
func (k *Kit) isOwnOrigin(origins []string) bool {
	if len(origins) == 0 {
		return true
	}
	_, known := k.origins[origins[0]]
	return len(origins) == 1 && known
}

// stateOf returns the query's state, where the query is just that.
func stateOf(u *url.URL) (string, bool) {
	state, ok := strings.CutPrefix(u.RawQuery, stateQuery)
	return state, ok && isState(state)
}

// isState reports whether s is unpadded base64url (RFC 4648, section 5) of a bounded length.
func isState(s string) bool {
	if s == "" || len(s) > maxState || len(s)%4 == 1 {
		return false
	}
	for _, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
