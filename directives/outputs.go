package directives

import (
	"context"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// pending is a returned token whose grants are not known to exist yet.
type pending struct {
	token    string
	kinds    kindSet
	duration time.Duration
	field    *graphql.FieldContext
	indexes  []int // in the field's list or nested lists
}

// path returns the token's path, which only errors need. root is the response name of a subscription's field: gqlgen
// resolves the fields below it without its context, and leaves it out of paths.
func (p *pending) path(root string) ast.Path {
	path := p.field.Path()
	top := p.field
	for top.Parent != nil {
		top = top.Parent
	}
	if root != "" && (top.Field.Field != nil || top.Index != nil) {
		path = append(ast.Path{ast.PathName(root)}, path...)
	}
	for _, i := range p.indexes {
		path = append(path, ast.PathIndex(i))
	}
	return path
}

// Directive is the function that gqlgen's DirectiveRoot needs for @token. On a returned field it notes the
// tokens of the resolved value. On an input it passes the value on only if its tokens were verified, as they are
// before any resolver runs.
//
// Errors are those of next, unchanged, or a *gqlerror.Error with extensions.code: UNAUTHENTICATED without a session, INTERNAL
// for a value that can't be a token or if the server does not Use the runtime.
//
// If the compiler finds []GrantKind of another package where this method is assigned, gqlgen.yml lacks
//
//	models: { GrantKind: { model: [github.com/cloakroomhq/cloakroom/directives.GrantKind] } }
func (t *Tokens) Directive(ctx context.Context, obj any, next graphql.Resolver, grants []GrantKind, duration *string) (any, error) {
	// The parent of an input is always such a map; so can be the parent of a field, if bound to one.
	if parent, ok := obj.(map[string]any); ok && isInput(ctx) {
		return t.input(ctx, parent, next, kindsOf(grants, storeOnly))
	}
	op := operationFrom(ctx)
	if op == nil || op.tokens != t {
		return nil, noExtension()
	}
	value, err := next(ctx)
	if err != nil || value == nil {
		return value, err
	}
	p := pending{kinds: kindsOf(grants, readOnly), duration: t.opts.Duration, field: graphql.GetFieldContext(ctx)}
	if duration != nil {
		if p.duration, err = time.ParseDuration(*duration); err != nil || p.duration <= 0 {
			return nil, fail(codeInternal, "The duration of the server's @token can't be read.", nil) // Validate refuses such a schema
		}
	}
	if s, ok := plainString(value); ok {
		p.token = s
		if err := op.note(p); err != nil {
			return nil, err
		}
		return value, nil
	}
	if isStream(value) {
		return op.stream(ctx, value, p)
	}
	c := collector{template: p}
	if err := c.collect(ctx, value, nil); err != nil {
		return nil, err
	}
	if err := op.note(c.found...); err != nil {
		return nil, err
	}
	return value, nil
}

// note adds returned tokens to the pending ones of the current response.
func (op *operation) note(found ...pending) error {
	if len(found) == 0 {
		return nil
	}
	if err := op.signedIn(); err != nil {
		return err
	}
	op.mu.Lock()
	op.pending = append(op.pending, found...)
	op.mu.Unlock()
	return nil
}

func (op *operation) signedIn() error {
	if _, ok := op.session(); !ok {
		return fail(codeUnauthenticated, "Sign in: only a session can receive tokens.", nil)
	}
	return nil
}

func noExtension() error {
	return fail(codeInternal, "The server does not install the extension that @token needs: call Use with the same Tokens.", nil)
}

// isInput reports whether a call is for an argument or input field and not for a resolved field: gqlgen makes the former
// below a separate path.
func isInput(ctx context.Context) bool {
	p := graphql.GetPathContext(ctx)
	return p != nil && p.ParentField == graphql.GetFieldContext(ctx)
}

// InterceptResponse implements graphql.ResponseInterceptor: once a response's fields have resolved, it creates the
// grants of their tokens in one call, before the response is sent. If that fails, the tokens stay in the data, where
// they are useless without grants, and each gets an error.
func (t *Tokens) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	op := operationFrom(ctx)
	if op == nil || op.tokens != t {
		return next(ctx)
	}
	op.wantEvent()
	response := next(ctx)
	if response == nil {
		return nil
	}
	if returned := op.take(response); len(returned) > 0 {
		response.Errors = append(response.Errors, t.create(ctx, op, returned)...)
	}
	return response
}

// take returns the tokens of a response. If fields failed or are deferred, tokens that the response does not hold are
// left out: a failure may have removed their parent, and each incremental payload has tokens of its own.
func (op *operation) take(response *graphql.Response) []pending {
	op.mu.Lock()
	returned := op.pending
	op.pending = nil
	op.mu.Unlock()
	if len(returned) == 0 || len(response.Errors) == 0 && response.HasNext == nil {
		return returned
	}
	here, absent := splitPresent(response, returned, op.root)
	if response.HasNext != nil && *response.HasNext && len(absent) > 0 {
		op.mu.Lock()
		op.pending = append(absent, op.pending...)
		op.mu.Unlock()
	}
	return here
}
