package httpd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// present returns the error presenter: the only place that turns an error of an execution into the client's error. Only
// faults have text for clients; every other error is INTERNAL, and its text goes to the log.
func present(log *slog.Logger) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		var g *gqlerror.Error
		if errors.As(err, &g) && requestCodes[codeOf(g)] {
			return g // made by requestErrors
		}
		path := graphql.GetPath(ctx)
		if g != nil && len(g.Path) > len(path) {
			path = g.Path // below the field: an argument's or input's
		}
		return publish(ctx, log, err, path)
	}
}

// publish returns the public half of err, with its own path after the given one, and logs the rest.
func publish(ctx context.Context, log *slog.Logger, err error, path ast.Path) *gqlerror.Error {
	public := fault.Public(err)
	switch public.Code {
	case fault.Internal, fault.Unavailable:
		level := slog.LevelError
		if public.RetryAfter > 0 { // a shortage, which is logged once
			level = slog.LevelDebug
		}
		log.LogAttrs(ctx, level, "a request failed", slog.String("code", string(public.Code)), slog.String("error", err.Error()))
	default:
		if cause := public.Unwrap(); cause != nil {
			log.LogAttrs(ctx, slog.LevelDebug, "a request was refused", slog.String("code", string(public.Code)), slog.String("error", err.Error()))
		}
	}
	full := append(ast.Path{}, path...)
	for _, step := range public.Path {
		switch step := step.(type) {
		case int:
			full = append(full, ast.PathIndex(step))
		case string:
			full = append(full, ast.PathName(step))
		}
	}
	extensions := map[string]any{"code": string(public.Code)}
	if id := requestID(ctx); id != "" && public.Code == fault.Internal {
		extensions["requestId"] = id
	}
	if public.RetryAfter > 0 {
		extensions[retryAfter] = seconds(public.RetryAfter)
	}
	if len(full) == 0 {
		full = nil
	}
	return &gqlerror.Error{Message: public.Message, Path: full, Extensions: extensions}
}

// retryAfter is the extension of errors that may be tried again: whole seconds to wait.
const retryAfter = "retryAfter"

// seconds rounds up, so that no client is told to retry too early.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// requestCodes are the codes of errors that come before an execution.
var requestCodes = map[fault.Code]bool{
	fault.BadUserInput: true, fault.LimitExceeded: true, fault.PersistedNotFound: true, fault.Forbidden: true,
}

// requestErrors gives codes of the contract to errors of parsing, validation, variables and limits. Their texts are about
// the client's own document, so they may be sent.
func requestErrors(errs gqlerror.List) gqlerror.List {
	const most = 20 // a document can hold thousands of mistakes
	out := make(gqlerror.List, 0, min(len(errs), most))
	for _, e := range errs[:min(len(errs), most)] {
		code := codeOf(e)
		switch {
		case strings.HasPrefix(e.Message, "exceeded token limit"), strings.HasPrefix(e.Message, "exceeded maximum nesting depth"):
			code = fault.LimitExceeded
		case !requestCodes[code]:
			code = fault.BadUserInput
		}
		message := e.Message
		if len(message) > 300 {
			message = strings.ToValidUTF8(message[:300], "") + "…"
		}
		out = append(out, &gqlerror.Error{
			Message: message, Path: e.Path, Locations: e.Locations, Extensions: map[string]any{"code": string(code)},
		})
	}
	return out
}

// recovered returns a panic as an error; the presenter logs it with the request's id.
func recovered(_ context.Context, p any) error {
	return fmt.Errorf("panic: %v\n%s", p, debug.Stack())
}
