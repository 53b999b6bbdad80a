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
// # Keys
//
// [Keys] holds several keys: the newest signs, all are published. To rotate, make a key, pass it as
// the newest with the one before as older, and drop that one when its last JWT has expired.
package appkit
