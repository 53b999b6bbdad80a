package appkit

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
)

type sessionKey struct{}

// Middleware puts the caller's session, as Options.Session tells it, into the request's context, for
// SessionFrom and GatewaySession. A caller without one is let through: what it may do is for the
// application, or for @token, to say.
//
// It asks before next runs, once for each request, so mount it around the handlers that need it. Asking later
// would let a callback set cookies when the answer has begun, and from several resolvers at a time. What
// needs to run before the callback, as scs's LoadAndSave, goes around it.
//
// The session is that of the request's beginning. In a connection that stays open, as a subscription's,
// end the connection with the session.
func (k *Kit) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, err := k.session(w, r)
		switch {
		case err == nil && session.ID != "":
			r = r.WithContext(context.WithValue(r.Context(), sessionKey{}, session))
		case err == nil || errors.Is(err, ErrNoSession):
		default:
			// Nobody is signed in by a failure; whoever needs a session is refused as a stranger is.
			k.options.Logger.ErrorContext(r.Context(), "no session", slog.Any("error", err))
		}
		next.ServeHTTP(w, r)
	})
}

// SessionFrom returns the session that Middleware found, and false where the caller has none.
func SessionFrom(ctx context.Context) (Session, bool) {
	session, ok := ctx.Value(sessionKey{}).(Session)
	return session, ok
}

// GatewaySession returns the id of the session that Middleware found, as the gateway knows it. It is what
// directives.Options.Session wants.
func GatewaySession(ctx context.Context) (string, bool) {
	session, ok := SessionFrom(ctx)
	if !ok {
		return "", false
	}
	return SessionID(session.ID), true
}
