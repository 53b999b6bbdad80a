// Package fault gives every error two halves: a code and a message for the client, and a cause for
// the log. An error without a public half is INTERNAL, and none of its text reaches a client.
package fault

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Code is a value of the schema's ErrorCode, sent as extensions.code.
type Code string

// The codes; graph/schema/errors.graphqls says what each tells a client to do.
const (
	Unauthenticated   Code = "UNAUTHENTICATED"
	Forbidden         Code = "FORBIDDEN"
	BadUserInput      Code = "BAD_USER_INPUT"
	GrantRequired     Code = "GRANT_REQUIRED"
	SessionChanged    Code = "SESSION_CHANGED"
	LimitExceeded     Code = "LIMIT_EXCEEDED"
	RateLimited       Code = "RATE_LIMITED"
	Unavailable       Code = "UNAVAILABLE"
	Internal          Code = "INTERNAL"
	PersistedNotFound Code = "PERSISTED_QUERY_NOT_FOUND"
)

// Error is an error with both halves. Message and Path are for the client; the cause is for the log.
type Error struct {
	Code       Code
	Message    string
	Path       []any         // below the GraphQL field: argument and input names (strings), list indexes (int)
	RetryAfter time.Duration // in whole seconds, when it is worth trying again; 0: not known
	cause      error
}

// New returns an error whose message is for the client.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap returns an error with code and message for the client, and the cause for the log.
func Wrap(cause error, code Code, message string) *Error {
	return &Error{Code: code, Message: message, cause: cause}
}

// maxRetry limits the time that a client is told to wait.
const maxRetry = 24 * time.Hour

// Limited returns a RATE_LIMITED with a time to wait, rounded up to whole seconds.
func Limited(wait time.Duration) *Error {
	seconds := max(1, math.Ceil(min(wait, maxRetry).Seconds()))
	e := New(RateLimited, "Too much in a short time: try again in %.0f s.", seconds)
	e.RetryAfter = time.Duration(seconds) * time.Second
	return e
}

// Error returns both halves, for logs.
func (e *Error) Error() string {
	if e.cause == nil {
		return string(e.Code) + ": " + e.Message
	}
	return string(e.Code) + ": " + e.Message + ": " + e.cause.Error()
}

// RateLimited returns how long to wait, and whether the error is a RATE_LIMITED. Package directives calls it on errors.
func (e *Error) RateLimited() (wait time.Duration, ok bool) {
	return e.RetryAfter, e.Code == RateLimited
}

// Unwrap returns the internal half.
func (e *Error) Unwrap() error { return e.cause }

// At returns a copy of the error with the given steps before its path.
func (e *Error) At(steps ...any) *Error {
	at := *e
	at.Path = append(append([]any{}, steps...), e.Path...)
	return &at
}

// Public returns the client's half of err, or INTERNAL if err has none.
func Public(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: Internal, Message: "The gateway failed; report this with the request's id.", cause: err}
}

// At returns a fault with steps before its path, and any other error unchanged.
func At(err error, steps ...any) error {
	var e *Error
	if errors.As(err, &e) {
		return e.At(steps...)
	}
	return err
}
