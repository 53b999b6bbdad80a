package guard

import (
	"net/http"
	"strings"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// PreflightHeader can't be sent across origins without a preflight (Fetch, section 2.2.2).
const PreflightHeader = "GraphQL-Require-Preflight"

// JSON wants the body of a POST as JSON: no form of another origin's page can send that without asking (CSRF). The status
// is 415.
var JSON = media("json", "application/json")

// Form wants the body of a POST as a form's. The status is 415.
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

// Preflight wants of a GET with a cookie, or that a browser says is a navigation or cross-site, a header that no form or
// link can set (CSRF).
var Preflight = Guard{"preflight", func(v *Visit) error {
	r := v.Request
	if r.Method == http.MethodGet && r.Header.Get(PreflightHeader) == "" && (r.Header.Get("Cookie") != "" || crossSite(r)) && !scriptedBearer(r) {
		return errPreflight()
	}
	return nil
}}

// Script refuses a request that a browser says is no script's (Fetch Metadata): these requests lack Origin, and how one
// ends tells the page that has sent it something.
var Script = Guard{"script", func(v *Visit) error {
	if mode := v.Request.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "cors" && mode != "same-origin" {
		return fault.New(fault.Forbidden, "This address is for a script to fetch, by CORS or from the gateway's own pages.")
	}
	return nil
}}

// Navigation refuses a request that a browser says a script has sent (Fetch Metadata).
var Navigation = Guard{"navigation", func(v *Visit) error {
	if mode := v.Request.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return fault.New(fault.Forbidden, "This address is for a page or a frame to go to, and not for a script to fetch.")
	}
	return nil
}}

// Credential finds the caller. A credential that is not accepted is refused, none is not.
func Credential(find CallerFinder) Guard {
	return Guard{"credential", func(v *Visit) (err error) {
		v.Caller, err = find.Authenticate(v.Request)
		return err
	}}
}

// Ambient is for a credential that the browser sends by itself: what has sent the request is known by its Origin alone,
// which has to be there, or in a GET by a header that another origin's page can't set.
var Ambient = Guard{"ambient", func(v *Visit) error {
	if v.Request.Method == http.MethodPost {
		return RequireOrigin(v.Request, v.Caller)
	}
	if v.Caller != nil && v.Caller.Ambient && v.Request.Header.Get(PreflightHeader) == "" {
		return errPreflight()
	}
	return nil
}}

// SameSession is CheckPrecondition.
var SameSession = Guard{"same session", func(v *Visit) error { return CheckPrecondition(v.Answer, v.Request, v.Caller) }}

// EndUser wants the caller to be a session.
var EndUser = Guard{"end user", func(v *Visit) error {
	_, err := caller.RequireSession(caller.With(v.Request.Context(), v.Caller))
	return err
}}

// Anonymous bounds requests without credentials, which nothing else bounds.
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

// scriptedBearer reports whether a script put a bearer token into a GET: its own origin's, or one whose Origin is
// there, and so has passed the check, after a preflight for Authorization. No form, link or image sends such a
// request, and a browser adds no bearer token by itself. A proxy may: its requests lack an Origin, and
// where it is declared, Ambient refuses what they get. Beside a bearer token no cookie counts.
func scriptedBearer(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && r.Header.Get("Sec-Fetch-Mode") != "navigate" &&
		(r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") == "same-origin")
}

// crossSite believes Fetch Metadata (W3C), which pages can't forge.
func crossSite(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site != "" && site != "same-origin" || r.Header.Get("Sec-Fetch-Mode") == "navigate"
}
