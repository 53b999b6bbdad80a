package client

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Code is extensions.code of an error, and itself an error to compare with: errors.Is(err, ErrForbidden).
type Code string

// The codes of the contract; graph/schema/errors.graphqls says what to do for each.
const (
	ErrUnauthenticated Code = "UNAUTHENTICATED"
	ErrForbidden       Code = "FORBIDDEN"
	ErrBadUserInput    Code = "BAD_USER_INPUT"
	ErrGrantRequired   Code = "GRANT_REQUIRED"
	ErrSessionChanged  Code = "SESSION_CHANGED"
	ErrLimitExceeded   Code = "LIMIT_EXCEEDED"
	ErrRateLimited     Code = "RATE_LIMITED"
	ErrUnavailable     Code = "UNAVAILABLE" // also: the gateway can't be reached in time
	ErrInternal        Code = "INTERNAL"    // also: a code that this version doesn't know
)

// ErrBadAnswer is this package's own code: the answer is not the gateway's.
const ErrBadAnswer Code = "BAD_ANSWER"

var contractCodes = map[Code]bool{
	ErrUnauthenticated: true, ErrForbidden: true, ErrBadUserInput: true, ErrGrantRequired: true, ErrSessionChanged: true,
	ErrLimitExceeded: true, ErrRateLimited: true, ErrUnavailable: true, ErrInternal: true, ErrBadAnswer: true,
}

// Error implements error.
func (c Code) Error() string { return "cloakroom: " + string(c) }

// Error is one error of the gateway, or of the connection to it. If the gateway answered with several, they
// are joined: errors.Is finds each, errors.As the first.
type Error struct {
	// Code is one of the contract's, or ErrBadAnswer; an unknown code is kept as it is.
	Code Code
	// Message is for people: tokens, JWTs and signed URLs are removed from it.
	Message string
	// Path names the field, argument or input at fault: names are strings, indexes of lists ints. It may be nil.
	Path []any
	// RetryAfter is how long to wait after an ErrRateLimited; 0 for other codes, or if the answer names no time.
	RetryAfter time.Duration

	cause error
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cloakroom: %s: %s", string(e.Code), e.Message)
	for i, step := range e.Path {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		default:
			b.WriteString(map[bool]string{true: " (at ", false: "."}[i == 0])
			fmt.Fprint(&b, step)
		}
	}
	if len(e.Path) > 0 {
		b.WriteByte(')')
	}
	return b.String()
}

// Is reports whether target is the error's Code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && (code == e.Code || code == ErrInternal && !contractCodes[e.Code])
}

// RateLimited returns how long to wait, and whether the error is an ErrRateLimited; package directives passes both on.
func (e *Error) RateLimited() (wait time.Duration, ok bool) {
	return e.RetryAfter, e.Code == ErrRateLimited
}

// Unwrap returns the cause of a failed connection, such as context.DeadlineExceeded; nil if the gateway
// itself answered.
func (e *Error) Unwrap() error { return e.cause }

func failure(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), cause: cause}
}

// Bounds on the errors that are kept from an answer.
const (
	mostErrors  = 100
	mostMessage = 300
)

func fromAnswer(list gqlerror.List) error {
	errs := make([]error, 0, min(len(list), mostErrors))
	for _, g := range list[:min(len(list), mostErrors)] {
		if g == nil {
			errs = append(errs, failure(ErrBadAnswer, nil, "the answer holds an error that is null"))
			continue
		}
		code, _ := g.Extensions["code"].(string)
		if code == "" {
			code = string(ErrInternal)
		}
		e := &Error{Code: Code(redact(code)), Message: redact(g.Message), Path: steps(g.Path)}
		if seconds, ok := g.Extensions["retryAfter"].(float64); ok && e.Code == ErrRateLimited {
			e.RetryAfter = wait(seconds)
		}
		errs = append(errs, e)
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// mostWait bounds the wait that an answer can ask for.
const mostWait = 24 * time.Hour

// wait converts seconds to a duration, 0 if they are not a valid wait.
func wait(seconds float64) time.Duration {
	if !(seconds > 0) {
		return 0
	}
	return time.Duration(min(seconds, mostWait.Seconds()) * float64(time.Second))
}

func steps(path ast.Path) []any {
	var all []any
	for _, p := range path[:min(len(path), 50)] {
		switch p := p.(type) {
		case ast.PathIndex:
			all = append(all, int(p))
		case ast.PathName:
			all = append(all, redact(string(p)))
		}
	}
	return all
}

// secrets match the parts that are removed from messages: JWTs and bearer tokens, the queries of URLs, tokens.
var secrets = regexp.MustCompile(`(?i)bearer\s+\S+|eyJ[\w-]+\.[\w.-]*|\?[^\s"']*` +
	`|[a-z][a-z0-9_]{0,15}-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// redact makes text from outside fit for a log: one line, bounded, without secrets.
func redact(text string) string {
	if len(text) > 4*mostMessage {
		text = text[:4*mostMessage]
	}
	text = secrets.ReplaceAllString(text, "[redacted]")
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if len(text) > mostMessage {
		text = strings.ToValidUTF8(text[:mostMessage], "") + "…"
	}
	return text
}
