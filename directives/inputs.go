package directives

import (
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// occurrence is a token in an operation's input: the checks that it needs, and where it stands.
type occurrence struct {
	token string
	kinds []GrantKind
	path  ast.Path
}

// walker finds the tokens among an operation's coerced argument values, as gqlgen will hand them to
// resolvers: literals, variables and defaults, through nested inputs and lists.
type walker struct {
	tokens    *Tokens
	variables map[string]any
	found     []occurrence
}

// selections walks every field that could run: @skip and @include are honoured, type conditions can't be
// known yet.
func (w *walker) selections(set ast.SelectionSet, path ast.Path) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			if w.left(s.Directives) {
				continue
			}
			at := with(path, ast.PathName(s.Alias))
			w.arguments(s, at)
			w.selections(s.SelectionSet, at)
		case *ast.InlineFragment:
			if !w.left(s.Directives) {
				w.selections(s.SelectionSet, path)
			}
		case *ast.FragmentSpread:
			if !w.left(s.Directives) {
				w.selections(s.Definition.SelectionSet, path)
			}
		}
	}
}

// left reports whether @skip or @include leave a selection out.
func (w *walker) left(directives ast.DirectiveList) bool {
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

func (w *walker) arguments(f *ast.Field, path ast.Path) {
	if f.Definition == nil {
		return
	}
	var values map[string]any
	for _, def := range f.Definition.Arguments {
		use := def.Directives.ForName(directiveName)
		if use == nil && !w.tokens.inputs[def.Type.Name()] {
			continue
		}
		if values == nil {
			values = f.ArgumentMap(w.variables) // what gqlgen itself will read, defaults included
		}
		if v, ok := values[def.Name]; ok {
			w.value(v, def.Type, use, with(path, ast.PathName(def.Name)))
		}
	}
}

// value walks one value of a type; use is the annotation that it stands under, if any.
func (w *walker) value(v any, typ *ast.Type, use *ast.Directive, path ast.Path) {
	if v == nil {
		return
	}
	if typ.Elem != nil {
		list, ok := v.([]any)
		if !ok { // a single value stands for a list of it (GraphQL, section 3.11)
			w.value(v, typ.Elem, use, path)
			return
		}
		for i, e := range list {
			w.value(e, typ.Elem, use, with(path, ast.PathIndex(i)))
		}
		return
	}
	if use != nil {
		token, ok := v.(string)
		if !ok {
			token = fmt.Sprint(v) // an ID may be a number; it is no token
		}
		w.found = append(w.found, occurrence{token, requiredKinds(use), path})
		return
	}
	def := w.tokens.schema.Types[typ.Name()]
	object, ok := v.(map[string]any)
	if !ok || def == nil || !w.tokens.inputs[def.Name] {
		return
	}
	for _, f := range def.Fields {
		e, ok := object[f.Name]
		if !ok && f.DefaultValue != nil {
			e, _ = f.DefaultValue.Value(nil)
		}
		w.value(e, f.Type, f.Directives.ForName(directiveName), with(path, ast.PathName(f.Name)))
	}
}

// with returns the path and one more step, sharing nothing with it.
func with(path ast.Path, step ast.PathElement) ast.Path {
	return append(slices.Clip(path), step)
}
