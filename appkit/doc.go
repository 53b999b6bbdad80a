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
// The handler answers two requests below [Path]:
//
//   - GET /.cloakroom/jwks.json: the public keys, for the gateway.
//   - POST /.cloakroom/session: a session JWT for the caller's session, for a browser, as
//     {"token":"…","expiresAt":"…"}.
//
// Everything else there is a 404. That includes /.cloakroom/sign-in, the application's half of the
// gateway's redirect flow, which this version doesn't have. Errors have the gateway's shape,
// {"errors":[{"message","extensions":{"code"}}]}, with the gateway's codes.
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
