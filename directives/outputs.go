package directives

import (
	"context"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// pending is a token that was returned, and whose grants are not known to exist yet.
type pending struct {
	token    string
	kinds    kindSet
	duration time.Duration
	field    *graphql.FieldContext
	indexes  []int // in the field's list, or lists
}

// path is made when an error needs it, which is seldom. root is the field of a subscription: gqlgen resolves what
// is below it without its context, and leaves it out of paths.
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

// Directive is the function that gqlgen's DirectiveRoot wants for @token. On a returned field it notes the
// tokens of the resolved value. Inputs have been verified before any resolver ran; there it lets the value
// through only if they have.
//
// Errors are those of next, as they are, or a *gqlerror.Error with extensions.code: UNAUTHENTICATED without a session, INTERNAL for
// a value that can't be a token or where the server does not Use the runtime.
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
			return nil, fail(codeInternal, "The duration of the server's @token can't be read.", nil) // Validate has found it
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

// note keeps tokens for the response that is under way.
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
		return fail(codeUnauthenticated, "Sign in: a token can't be given to nobody.", nil)
	}
	return nil
}

func noExtension() error {
	return fail(codeInternal, "The server does not use the extension that @token needs.", nil)
}

// isInput tells a call for an argument or input field, which gqlgen makes below a path of its own, from
// one for a resolved field.
func isInput(ctx context.Context) bool {
	p := graphql.GetPathContext(ctx)
	return p != nil && p.ParentField == graphql.GetFieldContext(ctx)
}

// InterceptResponse implements graphql.ResponseInterceptor: once a response's fields have resolved, the
// grants of its tokens are created in one call, before it leaves. If they can't be, the tokens stay in the data,
// where they open nothing, and each gets an error.
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

// take returns the tokens of a response. Where fields failed, or are to follow, those that the response does not
// hold are left out: a failure may have taken their parent away, and each incremental payload has its own.
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
