package appkit

// Policy of sign-in, the application's half of the gateway's redirect flow. The gateway redirects a browser here with
// a state. The gateway has bound the state to the browser, and checks the binding itself. This handler checks that the
// request is a navigation, and that the state has the form of a state. The signed assertion goes to the gateway alone,
// in the body of a form post: never into a URL, a log or a Referer header.

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

	stateQuery = "state=" // the beginning of the query; no other spelling is accepted
)

// signIn holds the parts of sign-in that do not change after the start.
type signIn struct {
	path   string // in the browser's URL
	create string // the gateway's endpoint for assertions
	home   string // link on error pages: the application's start page
	policy string // of the page with the form
	static string // of pages with only a message
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

// checkSignInPage requires a path of this application's origin that no browser reads as another origin's URL.
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
	// The form's Origin has to be the application's; with no-referrer it would be "null".
	header.Set("Referrer-Policy", "strict-origin")
	header.Set("Content-Security-Policy", k.signIn.static)
	if r.Method != http.MethodGet {
		header.Set("Allow", http.MethodGet)
		k.answerPage(w, http.StatusMethodNotAllowed, codeBadUserInput, "This address is a step of signing in, and accepts only GET.")
		return
	}
	if !k.isNavigation(r) {
		k.answerPage(w, http.StatusForbidden, codeForbidden, "This address is a step of signing in: open it as a page in a browser.")
		return
	}
	state, ok := stateOf(r.URL)
	if !ok {
		k.answerPage(w, http.StatusBadRequest, codeBadUserInput, "This address is a step of signing in, and is incomplete: start again at the application.")
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
		k.answerPage(w, http.StatusInternalServerError, codeInternal, "The application has a problem: try again later.")
		return
	}
	header.Set("Content-Security-Policy", k.signIn.policy)
	render(w, http.StatusOK, formPage, formData{Action: k.signIn.create, State: state, Assertion: assertion})
}

func (k *Kit) sendToLogin(w http.ResponseWriter, r *http.Request, state string) {
	page := k.options.SignInPage
	if page == "" {
		k.answerPage(w, http.StatusUnauthorized, codeUnauthenticated, "Sign in to the application first.")
		return
	}
	separator := "?"
	if strings.Contains(page, "?") {
		separator = "&"
	}
	back := url.Values{"return_to": {k.signIn.path + "?" + stateQuery + state}}
	http.Redirect(w, r, page+separator+back.Encode(), http.StatusSeeOther)
}

// SignInReturn reports whether a return_to that SignInPage received leads back into a sign-in, and nowhere else. If so,
// redirect to it after the login; otherwise redirect to one of your pages, since anybody can write a link to SignInPage.
func (k *Kit) SignInReturn(to string) bool {
	state, ok := strings.CutPrefix(to, k.signIn.path+"?"+stateQuery)
	return ok && isState(state)
}

// isNavigation checks the headers in which browsers describe a request (Fetch Metadata), which no page can change. A client
// without them, an old browser or another program, passes: only the browser that the state is bound to can use the answer.
func (k *Kit) isNavigation(r *http.Request) bool {
	only := func(name string, allowed ...string) bool {
		values := r.Header.Values(name)
		return len(values) == 0 || len(values) == 1 && slices.Contains(allowed, values[0])
	}
	return only("Sec-Fetch-Mode", "navigate") && only("Sec-Fetch-Dest", "document", "iframe", "frame") &&
		only("Sec-Purpose") && // a prefetch would use up the state
		k.isOwnOrigin(r.Header.Values("Origin"))
}

// isOwnOrigin accepts a request without Origin, as usual for navigations, and one from an allowed origin, for example after
// a login form.
func (k *Kit) isOwnOrigin(origins []string) bool {
	if len(origins) == 0 {
		return true
	}
	_, known := k.origins[origins[0]]
	return len(origins) == 1 && known
}

// stateOf returns the query's state, if the query has nothing else.
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
