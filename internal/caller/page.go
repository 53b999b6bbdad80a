package caller

import "context"

type ownPageKey struct{}

// WithOwnPage returns the context of a request that a page of the gateway's own origin sent, as the browser states.
func WithOwnPage(ctx context.Context) context.Context {
	return context.WithValue(ctx, ownPageKey{}, true)
}

// FromOwnPage reports whether the context has been marked by WithOwnPage.
func FromOwnPage(ctx context.Context) bool { return ctx.Value(ownPageKey{}) != nil }

// ByCookie reports whether the caller's credential is the gateway's own cookie. No script can read the cookie or set it.
func (c *Caller) ByCookie() bool { return c.Login != nil }
