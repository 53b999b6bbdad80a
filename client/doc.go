// Package client is the Go client of the gateway: its whole contract over GraphQL, and the implementation
// of directives.Grants for a backend that is not in the gateway's process.
//
//	gateway, err := client.New(client.Options{
//		Endpoint:    "https://gateway.example", // the gateway's base URL
//		Credentials: kit.ApplicationToken,      // an *appkit.Kit's
//	})
//	tokens, err := directives.New(directives.Options{Grants: gateway, Session: session})
//
// One Client serves a whole process; it is safe for concurrent use and keeps connections alive. The JWT that
// Credentials returns makes it an application or a session at the gateway, which refuses operations for the other
// kind of caller with FORBIDDEN.
//
// # Calls
//
// Every method makes one HTTP request, and none for an empty list. It ends with its context, and after
// Options.Timeout at the latest. A request is sent again only if that is safe:
//
//   - for every method, if no connection could be made, or if the gateway refused the JWT (then once,
//     with a new one);
//   - CreateGrants, VerifyGrants, EndSession, Detokenize, DetokenizeBatch, Token, Viewer, UploadParts, CompleteUpload and
//     UploadStatus also if the connection broke, or the gateway answered 502, 503, 504 or UNAVAILABLE.
//
// Tokenize, TokenizeBatch, BeginUpload, AbortUpload, RevokeGrants, CarryGrants and DeleteTokens are not repeated once the
// gateway may have received them.
//
// # Errors
//
// A refusal by the gateway is an *Error with its code, and errors.Is compares codes:
//
//	if errors.Is(err, client.ErrGrantRequired) { … }
//
// If the gateway can't be reached, the error is ErrUnavailable too and wraps the cause; an answer that isn't the
// gateway's is ErrBadAnswer. No error's text holds a JWT, a token or a signed URL.
package client

//go:generate go tool genqlient genqlient.yaml
