package directives

import (
	"context"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cloakroomhq/cloakroom/internal/tokenid"
)

// Codes of the errors; they are the gateway's.
const (
	codeUnauthenticated = "UNAUTHENTICATED"
	codeGrantRequired   = "GRANT_REQUIRED"
	codeLimitExceeded   = "LIMIT_EXCEEDED"
	codeUnavailable     = "UNAVAILABLE"
	codeInternal        = "INTERNAL"
)

func fail(code, message string, path ast.Path) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Path: path, Extensions: map[string]any{"code": code}}
}

// operation is what the runtime knows of one operation under way.
type operation struct {
	tokens  *Tokens
	session func() (string, bool)

	mu      sync.Mutex
	pending []pending
}

// pending is a token that was returned, and whose grants are not known to exist yet.
type pending struct {
	token    string
	kinds    []GrantKind
	duration time.Duration
	path     func() ast.Path
}

type operationKey struct{}

func operationFrom(ctx context.Context) *operation {
	op, _ := ctx.Value(operationKey{}).(*operation)
	return op
}

// InterceptOperation implements graphql.OperationInterceptor: it verifies the tokens in the operation's
// arguments, in one call, and refuses the operation if one lacks its grant.
func (t *Tokens) InterceptOperation(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	op := &operation{tokens: t, session: sync.OnceValues(func() (string, bool) { return t.opts.Session(ctx) })}
	oc := graphql.GetOperationContext(ctx)
	w := walker{tokens: t, variables: oc.Variables}
	w.selections(oc.Operation.SelectionSet, nil)
	if errs := t.verify(ctx, op, w.found); len(errs) > 0 {
		return graphql.OneShot(&graphql.Response{Errors: errs})
	}
	return next(context.WithValue(ctx, operationKey{}, op))
}

func (t *Tokens) verify(ctx context.Context, op *operation, found []occurrence) gqlerror.List {
	if len(found) == 0 {
		return nil
	}
	session, ok := op.session()
	if !ok {
		return at(found, codeUnauthenticated, "Sign in: a token can't be taken from nobody.")
	}
	checks, seen := make([]Check, 0, len(found)), map[Check]bool{}
	for _, o := range found {
		for _, k := range o.kinds {
			c := Check{o.token, k}
			if !seen[c] && tokenid.Valid(o.token) {
				checks = append(checks, c)
			}
			seen[c] = true
		}
	}
	if len(checks) > t.opts.MaxTokens {
		return gqlerror.List{fail(codeLimitExceeded, "The operation holds too many tokens.", found[0].path)}
	}
	missing := map[Check]bool{}
	if len(checks) > 0 {
		absent, err := t.callVerify(ctx, session, checks)
		if err != nil {
			return at(found, codeUnavailable, "The grants of this token can't be verified at the moment: try again.")
		}
		for _, c := range absent {
			missing[c] = true
		}
	}
	var bad []occurrence
	for _, o := range found {
		lacks := !tokenid.Valid(o.token)
		for _, k := range o.kinds {
			lacks = lacks || missing[Check{o.token, k}]
		}
		if lacks {
			bad = append(bad, o)
		}
	}
	return at(bad, codeGrantRequired, "This session may not use this token here.")
}

// maxErrors bounds how many paths one refusal names.
const maxErrors = 100

func at(found []occurrence, code, message string) (errs gqlerror.List) {
	for _, o := range found[:min(len(found), maxErrors)] {
		errs = append(errs, fail(code, message, o.path))
	}
	return errs
}

func (t *Tokens) callVerify(ctx context.Context, session string, checks []Check) ([]Check, error) {
	ctx, cancel := context.WithTimeout(ctx, t.opts.Timeout)
	defer cancel()
	start := t.opts.Now()
	missing, err := t.opts.Grants.VerifyGrants(ctx, session, checks)
	if t.opts.Observer != nil {
		t.opts.Observer.GrantsVerified(ctx, len(checks), t.opts.Now().Sub(start), err)
	}
	return missing, err
}

// InterceptResponse implements graphql.ResponseInterceptor: once a response's fields have resolved, the
// grants of its tokens are created in one call, before it leaves. If they can't be, the tokens stay in the data,
// where they open nothing, and each gets an error.
func (t *Tokens) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	response := next(ctx)
	op := operationFrom(ctx)
	if op == nil || op.tokens != t || response == nil {
		return response
	}
	op.mu.Lock()
	returned := op.pending
	op.pending = nil
	op.mu.Unlock()
	if len(returned) > 0 {
		response.Errors = append(response.Errors, t.create(ctx, op, returned)...)
	}
	return response
}
