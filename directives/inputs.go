package directives

import (
	"context"
	"fmt"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// occurrence is a token in an operation's input: the grants that it needs, and its path.
type occurrence struct {
	token string
	kinds kindSet
	path  ast.Path
}

// maxSteps bounds the selections and values that are walked. Fragments that spread fragments unfold exponentially, and
// each selection can use the same variable, with all its tokens. A step on a long path counts once more for every
// pathPerStep of the path's parts: each step allocates its path, and a client can nest values to any depth.
const (
	maxSteps    = 100_000
	pathPerStep = 16
)

// walker finds the tokens among an operation's coerced argument values, as gqlgen will hand them to
// resolvers: literals, variables and defaults, through nested inputs and lists.
type walker struct {
	tokens      *Tokens
	variables   map[string]any
	found       []occurrence
	steps       int
	refused     *gqlerror.Error                  // the first reason why the operation can't be verified
	unannotated map[*ast.FragmentDefinition]bool // fragments without annotated arguments
	values      map[*ast.Field]map[string]any    // a field's arguments: fragments can select it many times
}

// walk returns the tokens in an operation's arguments.
func (t *Tokens) walk(oc *graphql.OperationContext) (found []occurrence, refused *gqlerror.Error) {
	if len(t.fields) == 0 {
		return nil, nil
	}
	w := walker{
		tokens: t, variables: oc.Variables, unannotated: map[*ast.FragmentDefinition]bool{}, values: map[*ast.Field]map[string]any{},
	}
	defer func() {
		if recover() != nil { // gqlparser panics on literals that its validation accepts, such as an Int of 30 digits
			found, refused = nil, fail(codeBadUserInput, "The value of an argument can't be read.", nil)
		}
	}()
	w.selections(oc.Operation.SelectionSet, nil)
	if w.steps > maxSteps {
		return nil, fail(codeLimitExceeded, "The operation selects too many fields or holds too many values: send a smaller one.", nil)
	}
	return w.found, w.refused
}

// selections walks every field that could run: it applies @skip and @include, but type conditions are not known
// yet. It reports whether there is an annotated argument below, used or not.
func (w *walker) selections(set ast.SelectionSet, path ast.Path) (annotated bool) {
	for _, s := range set {
		if w.step(path) {
			return true
		}
		switch s := s.(type) {
		case *ast.Field:
			if w.left(s.Directives) {
				annotated = true // unknown: it was not walked
				continue
			}
			at := with(path, ast.PathName(s.Alias))
			here := w.arguments(s, at)
			annotated = w.selections(s.SelectionSet, at) || here || annotated
		case *ast.InlineFragment:
			annotated = w.left(s.Directives) || w.selections(s.SelectionSet, path) || annotated
		case *ast.FragmentSpread:
			annotated = w.left(s.Directives) || w.spread(s.Definition, path) || annotated
		}
	}
	return annotated
}

func (w *walker) spread(fragment *ast.FragmentDefinition, path ast.Path) bool {
	if w.unannotated[fragment] {
		return false
	}
	annotated := w.selections(fragment.SelectionSet, path)
	w.unannotated[fragment] = !annotated
	return annotated
}

// left reports whether @skip or @include leave a selection out.
func (w *walker) left(directives ast.DirectiveList) bool {
	if len(directives) == 0 {
		return false
	}
	value := func(name string, otherwise bool) bool {
		d := directives.ForName(name)
		if d == nil {
			return otherwise
		}
		b, ok := d.ArgumentMap(w.variables)["if"].(bool)
		return ok && b
	}
	return value("skip", false) || !value("include", true)
}

func (w *walker) arguments(f *ast.Field, path ast.Path) bool {
	if f.Definition == nil {
		return false
	}
	positions := w.tokens.fields[f.Definition]
	if len(positions) == 0 {
		return false
	}
	values, ok := w.values[f]
	if !ok {
		values = f.ArgumentMap(w.variables) // the values that gqlgen will read, with defaults
		w.values[f] = values
	}
	if f.Definition == w.tokens.entities {
		w.representations(values[representationsArgument], with(path, ast.PathName(representationsArgument)))
		return true
	}
	for i := range positions {
		p := &positions[i]
		if v, ok := values[p.name]; ok {
			w.value(v, p.typ, p.kinds, with(path, ast.PathName(p.name)))
		}
	}
	return true
}

// value walks one value of a type; kinds are the grants that its tokens need, if it holds them itself.
func (w *walker) value(v any, typ *ast.Type, kinds kindSet, path ast.Path) {
	if w.step(path) || v == nil {
		return
	}
	if typ.Elem != nil {
		for i, e := range coerceList(v) {
			if w.steps > maxSteps {
				return
			}
			w.value(e, typ.Elem, kinds, with(path, ast.PathIndex(i)))
		}
		return
	}
	if kinds != 0 {
		w.found = append(w.found, occurrence{text(v), kinds, path})
		return
	}
	object, ok := v.(map[string]any)
	if !ok {
		w.refuse(codeBadUserInput, "An object is expected here.", path)
		return
	}
	w.object(object, w.tokens.holders[typ.Name()], path)
}

// object walks the fields of an input object, or of a representation.
func (w *walker) object(object map[string]any, positions []position, path ast.Path) {
	for i := range positions {
		p := &positions[i]
		e, ok := object[p.name]
		if !ok && p.dflt != nil {
			e, _ = p.dflt.Value(nil)
		}
		if e != nil {
			w.value(e, p.typ, p.kinds, with(path, ast.PathName(p.name)))
		}
	}
}

// step counts a step at a path, and reports whether the limit is exceeded.
func (w *walker) step(path ast.Path) bool {
	w.steps += 1 + len(path)/pathPerStep
	return w.steps > maxSteps
}

// refuse notes why the operation can't be verified.
func (w *walker) refuse(code, message string, path ast.Path) {
	if w.refused == nil {
		w.refused = fail(code, message, path)
	}
}

// text returns a token as a client wrote it. An ID may be a number, which is never a token.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return fmt.Sprint(v)
}

// with returns a copy of the path with one more step.
func with(path ast.Path, step ast.PathElement) ast.Path {
	return append(slices.Clip(path), step)
}

// input is the directive on an argument or input field. An operation with a token that lacks a grant is refused before its
// first resolver, so this refuses only arguments that have changed since they were verified.
func (t *Tokens) input(ctx context.Context, parent map[string]any, next graphql.Resolver, kinds kindSet) (any, error) {
	op := operationFrom(ctx)
	if op == nil && graphql.GetFieldContext(ctx) == nil { // the operation has not begun: gqlgen calculates its complexity
		if t.schema != nil && !t.early && graphql.HasOperationContext(ctx) {
			return next(ctx) // only complexity functions read the value; InterceptOperation verifies it before other code runs
		}
		op = t.earlyOperation(ctx)
	}
	if op == nil || op.tokens != t {
		return nil, noExtension()
	}
	name := graphql.GetPathContext(ctx).Field
	if name != nil && !op.allHold(parent[*name], kinds) {
		return nil, fail(codeGrantRequired, "This session may not use this token here.", nil)
	}
	return next(ctx)
}

func (op *operation) allHold(v any, kinds kindSet) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return op.holds(v, kinds)
	}
	list, ok := asList(v)
	if !ok {
		return op.holds(text(v), kinds)
	}
	for _, e := range list {
		if !op.allHold(e, kinds) {
			return false
		}
	}
	return true
}
