// Package appkit is what an application's backend mounts so that its users' sessions reach the
// Cloakroom gateway. It signs short JWTs for the application's own sessions, publishes the keys
// that verify them, and makes the application's own credential.
//
//	key, err := appkit.LoadOrCreateKey("signing-key.jwk")
//	keys, err := appkit.NewKeys(key)
//	kit, err := appkit.New(appkit.Options{
//		Issuer:   "https://app.example",     // this application's base URL
//		Audience: "https://gateway.example", // the gateway's base URL
//		Keys:     keys,
//		Session:  currentSession, // reads the application's own login
//	})
//	mux.Handle(appkit.Path, kit)
//
// The handler answers three requests below [Path]:
//
//   - GET /.cloakroom/jwks.json: the public keys, for the gateway.
//   - POST /.cloakroom/session: a session JWT for the caller's session, for a browser, as
//     {"token":"…","expiresAt":"…"}.
//   - GET /.cloakroom/sign-in?state=: the application's half of the gateway's redirect flow.
//
// Everything else there is a 404. Errors have the gateway's shape,
// {"errors":[{"message","extensions":{"code"}}]}, with the gateway's codes; those of the sign-in are pages.
//
// # Session ids
//
// The session id that an application keeps in its cookie is a credential. It is never signed into
// a JWT: the claim "sid" is [SessionID] of it, a one-way derivation, so that a JWT, a log line or the
// gateway's memory never leads back to the cookie. appkit does it rather than each application,
// because forgetting it can't be seen from outside. An application that names a session to the
// gateway itself, as in createGrants(sessionId:), names it by SessionID too.
//
// # Who may ask for a session token
//
// A browser sends the application's cookie with requests that other sites cause. The session
// endpoint therefore answers only pages of the application's own origin and of
// Options.AllowedOrigins, and requests that no web page made.
//
// # Sign-in
//
// Instead of holding a JWT, a page can have the gateway keep its session in a cookie. It opens
// the gateway's /session/ensure, in its place or in a frame; the gateway sends the browser to
// /.cloakroom/sign-in with a state; and that answers, for the caller's session, with a page that posts a signed
// assertion to the gateway's /session/create, which sets the cookie and returns to the page that was asked for. No
// credential is ever part of a URL.
//
// Any site can open the sign-in in a user's browser. It learns nothing by that, and the gateway refuses a
// state that it gave to another browser. But the Options.Session callback runs: where it makes sessions for
// visitors, a request whose cookies the browser withheld must not replace the login's cookie. SameSite=Lax, or a
// cookie of its own for the visitor's session, sees to that. In a frame of another site no cookie without
// SameSite=None is sent at all, so the sign-in works in frames of the application's own site.
//
// Where there is no session, the browser goes to Options.SignInPage, with return_to=/.cloakroom/sign-in?state=… in the
// query. [Kit.SignInReturn] says whether to follow it after the login:
//
//	to := r.FormValue("return_to")
//	if !kit.SignInReturn(to) {
//		to = "/"
//	}
//	http.Redirect(w, r, to, http.StatusSeeOther)
//
// A sign-in may end on pages of the application's own origin and of Options.AllowedOrigins. Browsers stop it at
// others, whatever the gateway allows: the page's Content-Security-Policy (form-action) binds redirects too.
//
// # Signing out, and becoming somebody else
//
// The gateway doesn't see the application's logins end. At logout, at a new login in the same browser and wherever else a
// session ends, end it at the gateway as well, by SessionID of its id, with client.EndSession: its grants are gone, and
// its JWTs and its cookie are refused from then on. After a login the page opens /session/ensure again: until
// then the cookie is the former session's.
//
// # The session in the application's own requests
//
// [Kit.Middleware] puts the caller's session into the context, by the same callback, with any router and any
// session library; [SessionFrom] returns it. [GatewaySession] returns its id as the gateway knows
// it, which is what the @token runtime asks for:
//
//	tokens, err := directives.New(directives.Options{Grants: grants, Session: appkit.GatewaySession})
//	mux.Handle("/graphql", kit.Middleware(graphqlServer))
//
// # Keys
//
// [Keys] holds several keys: the newest signs, all are published. [LoadKeys] reads them from a folder, and says how to
// rotate them without a restart and without a moment at which a verifier doesn't know the key
// that signs: [AddKey] publishes a key [KeyLead] before it signs.
package appkit
