package appkit

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
)

type sessionKey struct{}

// Middleware puts the caller's session, which it gets from Options.Session, into the request's context, for
// SessionFrom and GatewaySession. A request without a session goes on: the application, or @token, decides
// what it may do.
//
// The callback runs before next, once for each request, so mount Middleware around the handlers that need it.
// A later call could set cookies after the response has begun, or run in several resolvers at a time. A handler
// that must run before the callback, such as scs's LoadAndSave, goes around Middleware.
//
// The session is looked up when the request begins. Close a connection that stays open, for example a
// subscription's, when its session ends.
func (k *Kit) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, err := k.session(w, r)
		switch {
		case err == nil && session.ID != "":
			r = r.WithContext(context.WithValue(r.Context(), sessionKey{}, session))
		case err == nil || errors.Is(err, ErrNoSession):
		default:
			// On failure the request continues without a session.
			k.options.Logger.ErrorContext(r.Context(), "no session", slog.Any("error", err))
		}
		next.ServeHTTP(w, r)
	})
}

// SessionFrom returns the session that Middleware found, and false if the caller has none.
func SessionFrom(ctx context.Context) (Session, bool) {
	session, ok := ctx.Value(sessionKey{}).(Session)
	return session, ok
}

// GatewaySession returns the id, at the gateway, of the session that Middleware found. It is a function for
// directives.Options.Session.
func GatewaySession(ctx context.Context) (string, bool) {
	session, ok := SessionFrom(ctx)
	if !ok {
		return "", false
	}
	return SessionID(session.ID), true
}
