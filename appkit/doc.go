// Package appkit gives the users' sessions of an application access to the Cloakroom gateway. The
// application's backend mounts it. It signs short-lived JWTs for the application's own sessions, publishes
// the keys that verify them, and makes the application's own credential.
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
// Every other path below it is a 404. Errors have the gateway's shape,
// {"errors":[{"message","extensions":{"code"}}]}, with the gateway's codes; those of the sign-in are pages.
//
// # Session ids
//
// The session id that an application keeps in its cookie is a credential. It is never signed into
// a JWT: the claim "sid" is [SessionID] of it, a one-way derivation, so that the cookie can't be derived
// from a JWT, a log line or the gateway's memory. appkit derives it, and not each application,
// because nothing shows from outside that an application does not. An application that names a session to
// the gateway itself, for example in createGrants(sessionId:), uses SessionID too.
//
// # Who may ask for a session token
//
// A browser sends the application's cookie with requests that other sites cause. The session
// endpoint therefore answers only pages of the application's own origin and of
// Options.AllowedOrigins, and requests that do not come from a web page.
//
// # Sign-in
//
// Instead of holding a JWT, a page can have the gateway keep its session in a cookie. The page opens the
// gateway's /session/ensure, as a navigation or in a frame. The gateway redirects the browser to
// /.cloakroom/sign-in with a state, which answers with a page that posts a signed assertion for the caller's
// session to the gateway's /session/create. That sets the cookie and redirects to the requested page. No
// credential is ever part of a URL.
//
// Any site can open the sign-in in a user's browser. The site learns nothing, and the gateway refuses a
// state that it gave to another browser. But the Options.Session callback runs: if it makes sessions for
// visitors, a request from which the browser withheld the cookies must not replace the login's cookie. Use
// SameSite=Lax, or a separate cookie for the visitor's session. In a frame of another site, browsers send
// only cookies with SameSite=None, so the sign-in works in frames of the application's own site.
//
// Without a session, the browser is redirected to Options.SignInPage, with return_to=/.cloakroom/sign-in?state=… in the
// query. [Kit.SignInReturn] reports whether to follow it after the login:
//
//	to := r.FormValue("return_to")
//	if !kit.SignInReturn(to) {
//		to = "/"
//	}
//	http.Redirect(w, r, to, http.StatusSeeOther)
//
// A sign-in may end on pages of the application's own origin and of Options.AllowedOrigins. Browsers block others,
// even if the gateway allows them: the page's Content-Security-Policy (form-action) applies to redirects too.
//
// # Signing out, and signing in as another user
//
// The gateway doesn't see the application's logins end. At logout, at a new login in the same browser and wherever else a
// session ends, end it at the gateway as well, by SessionID of its id, with client.EndSession: its grants are revoked, and
// its JWTs and its cookie are refused from then on. After a login the page opens /session/ensure again: until
// then the cookie is the former session's.
//
// # The session in the application's own requests
//
// [Kit.Middleware] puts the caller's session into the context, by the same callback, with any router and any
// session library; [SessionFrom] returns it. [GatewaySession] returns its id at the gateway, which the
// @token runtime needs:
//
//	tokens, err := directives.New(directives.Options{Grants: grants, Session: appkit.GatewaySession})
//	mux.Handle("/graphql", kit.Middleware(graphqlServer))
//
// # Keys
//
// [Keys] holds several keys: the newest signs, all are published. [LoadKeys] reads them from a folder. Its
// documentation says how to rotate them without a restart, so that verifiers always know the key
// that signs: [AddKey] publishes a key [KeyLead] before it signs.
package appkit
