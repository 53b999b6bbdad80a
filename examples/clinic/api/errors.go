package api

import (
	"context"
	"errors"
	"log/slog"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cloakroomhq/cloakroom/examples/clinic/store"
)

// refusal is an error that is sent to the client, with its code.
type refusal struct{ code, message string }

func (r refusal) Error() string { return r.message }

var (
	errSignIn     = refusal{"UNAUTHENTICATED", "Log in first."}
	errNotAllowed = refusal{"FORBIDDEN", "Only a doctor may do this."}
	errNoPatient  = refusal{"BAD_USER_INPUT", "You have no such patient."}
	errInternal   = refusal{"INTERNAL", "internal error"}
)

// presenter decides which errors are sent to the client: refusals, gqlgen's errors for a malformed request and
// @token's, which are GraphQL errors already. It logs any other error, and sends "internal error".
func presenter(log *slog.Logger) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		var shown refusal
		var already *gqlerror.Error
		switch {
		case errors.As(err, &shown):
		case errors.Is(err, store.ErrNotFound):
			shown = errNoPatient
		case errors.Is(err, store.ErrNotAllowed):
			shown = errNotAllowed
		case errors.As(err, &already) && already.Err == nil:
			return graphql.DefaultErrorPresenter(ctx, already)
		default:
			log.ErrorContext(ctx, "an operation failed", slog.Any("error", err))
			shown = errInternal
		}
		return &gqlerror.Error{
			Message: shown.message, Path: graphql.GetPath(ctx), Extensions: map[string]any{"code": shown.code},
		}
	}
}
