package guard

import (
	"net/http"
	"strings"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// PreflightHeader can't be sent across origins without a preflight (Fetch, section 2.2.2).
const PreflightHeader = "GraphQL-Require-Preflight"

// JSON requires the body of a POST to be JSON: a form of another origin's page can't send that without a preflight (CSRF).
// The status is 415.
var JSON = media("json", "application/json")

// Form requires the body of a POST to be a form's. The status is 415.
var Form = media("form", "application/x-www-form-urlencoded")

func media(name, t string) Guard {
	return Guard{name, func(v *Visit) error {
		if v.Request.Method != http.MethodPost {
			return nil
		}
		if err := RequireMedia(v.Request, t); err != nil {
			return WithStatus(http.StatusUnsupportedMediaType, err)
		}
		return nil
	}}
}

// Preflight requires a header that no form or link can set (CSRF). It applies to a GET with a cookie, or that the browser
// marks as a navigation or cross-site.
var Preflight = Guard{"preflight", func(v *Visit) error {
	r := v.Request
	if r.Method == http.MethodGet && r.Header.Get(PreflightHeader) == "" && (r.Header.Get("Cookie") != "" || crossSite(r)) && !scriptedBearer(r) {
		return errPreflight()
	}
	return nil
}}

// Script refuses a request that the browser marks as sent by no script (Fetch Metadata): these requests lack Origin, and
// the page could learn from how they end.
var Script = Guard{"script", func(v *Visit) error {
	if mode := v.Request.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "cors" && mode != "same-origin" {
		return fault.New(fault.Forbidden, "Only a script can fetch this address, by CORS or from the gateway's own pages.")
	}
	return nil
}}

// Navigation refuses a request that the browser marks as sent by a script (Fetch Metadata).
var Navigation = Guard{"navigation", func(v *Visit) error {
	if mode := v.Request.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return fault.New(fault.Forbidden, "A page or a frame can open this address; a script can't fetch it.")
	}
	return nil
}}

// Credential finds the caller. It refuses a credential that is not accepted, and admits a request without one.
func Credential(find CallerFinder) Guard {
	return Guard{"credential", func(v *Visit) (err error) {
		v.Caller, err = find.Authenticate(v.Request)
		return err
	}}
}

// Ambient is for a credential that the browser sends by itself. Then only the Origin tells which page sent the request: a
// POST needs it, and a GET needs a header that another origin's page can't set.
var Ambient = Guard{"ambient", func(v *Visit) error {
	if v.Request.Method == http.MethodPost {
		return RequireOrigin(v.Request, v.Caller)
	}
	if v.Caller != nil && v.Caller.Ambient && v.Request.Header.Get(PreflightHeader) == "" {
		return errPreflight()
	}
	return nil
}}

// SameSession applies CheckPrecondition.
var SameSession = Guard{"same session", func(v *Visit) error { return CheckPrecondition(v.Answer, v.Request, v.Caller) }}

// EndUser requires the caller to be a session.
var EndUser = Guard{"end user", func(v *Visit) error {
	_, err := caller.RequireSession(caller.With(v.Request.Context(), v.Caller))
	return err
}}

// Anonymous limits requests without credentials, which have no other limit.
func Anonymous(rate func(*http.Request) error) Guard {
	return Guard{"anonymous rate", func(v *Visit) error {
		if v.Caller != nil {
			return nil
		}
		return rate(v.Request)
	}}
}

func errPreflight() error {
	return WithStatus(http.StatusForbidden, fault.New(fault.Forbidden,
		"A GET from a browser needs the header "+PreflightHeader+", or a bearer token in Authorization."))
}

// scriptedBearer reports whether a script put a bearer token into a GET: a script of the gateway's own origin, or of an
// Origin that has passed the check, after a preflight for Authorization. No form, link or image sends such a request, and a
// browser adds no bearer token by itself. A proxy may add one: its requests lack an Origin, and if the proxy is declared,
// Ambient refuses them. Beside a bearer token, cookies are ignored.
func scriptedBearer(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && r.Header.Get("Sec-Fetch-Mode") != "navigate" &&
		(r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") == "same-origin")
}

// crossSite relies on Fetch Metadata (W3C), which pages can't forge.
func crossSite(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site != "" && site != "same-origin" || r.Header.Get("Sec-Fetch-Mode") == "navigate"
}
