package httpd

import (
	"net/http"

	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

// SignIn answers the endpoints of the sign-in flow, and has guards of its own.
type SignIn interface {
	Verify(w http.ResponseWriter, r *http.Request, admit guard.Admit)
	Ensure(w http.ResponseWriter, r *http.Request, admit guard.Admit)
	Create(w http.ResponseWriter, r *http.Request, admit guard.Admit)
	End(w http.ResponseWriter, r *http.Request, admit guard.Admit)
	// FromProvider requires the Origin of a page that signs users in.
	FromProvider() guard.Guard
	// Rate limits sign-ins by the request's address.
	Rate() guard.Guard
}

// Methods of routes.
var (
	reads = []string{http.MethodGet, http.MethodHead}
	posts = []string{http.MethodPost}
)

// routes returns the table of all routes. wrap adds a request id to each and, unless AnyOrigin is set, the check of the
// Origin and CORS. docs/api.md lists the table.
func routes(o Options, graphQL guard.Handler) []guard.Route {
	credential, timeout := guard.Credential(o.Authenticator), o.HTTP.RequestTimeout
	all := []guard.Route{
		{Path: "/graphql", Methods: []string{http.MethodGet, http.MethodPost}, Handler: graphQL,
			Guards: []guard.Guard{guard.JSON, guard.Preflight, credential, guard.Ambient, guard.SameSession}},
		{Path: "/healthz", Methods: reads, Handler: guarded(healthz())},
		{Path: "/readyz", Methods: reads, Handler: guarded(readyz(o.Checks, o.Logger))},
	}
	if o.Rates != nil {
		all[0].Guards = append(all[0].Guards, guard.Anonymous(o.Rates.Anonymous))
	}
	if s := o.SignIn; s != nil {
		all = append(all,
			guard.Route{Path: "/session/verify", Methods: reads, Timeout: timeout, Handler: s.Verify,
				Guards: []guard.Guard{guard.Script, credential, guard.SameSession, guard.EndUser}},
			guard.Route{Path: "/session/ensure", Methods: reads, Timeout: timeout, Handler: s.Ensure,
				Guards: []guard.Guard{guard.Navigation, s.Rate()}},
			guard.Route{Path: "/session/create", Methods: posts, Timeout: timeout, Handler: s.Create, AnyOrigin: true,
				Guards: []guard.Guard{guard.Navigation, guard.Form, s.FromProvider(), s.Rate()}},
			guard.Route{Path: "/session/end", Methods: posts, Timeout: timeout, Handler: s.End,
				Guards: []guard.Guard{guard.JSON, credential, guard.SameSession, guard.EndUser, guard.Ambient}},
		)
	}
	if o.Logout != nil { // it limits a request's time itself, because it finishes even if the provider disconnects
		all = append(all, guard.Route{Path: "/session/back-channel-logout", Methods: posts, Handler: o.Logout, Guards: []guard.Guard{guard.Form}})
	}
	if o.Metrics != nil {
		all = append(all, guard.Route{Path: "/metrics", Methods: reads, Handler: guarded(o.Metrics)})
	}
	if o.Playground != nil {
		all = append(all, guard.Route{Path: "/", Methods: nil, Handler: guarded(o.Playground)})
	}
	return all
}

// Routes returns the table without the handler of /graphql, for tests of the packages that answer the other routes.
func Routes(o Options) []guard.Route { return routes(o, nil) }

// guarded lets a handler answer admitted requests, and refuses the others in plain text.
func guarded(h http.Handler) guard.Handler {
	return func(w http.ResponseWriter, r *http.Request, admit guard.Admit) {
		if _, err := admit(); err != nil {
			http.Error(w, "method not allowed", statusOf(err))
			return
		}
		h.ServeHTTP(w, r)
	}
}
