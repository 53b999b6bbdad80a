package httpd

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// normalForm returns a text that two documents share if and only if they mean the same. These differences are ignored:
//
//   - white space, commas, comments and descriptions; `query` written or left out; an alias that is the field's own name;
//   - the order of definitions, of variables, of arguments and of an input object's fields, none of which GraphQL orders;
//   - how a string is quoted;
//   - `__typename`, without alias and directives, beside other selections.
//
// Everything else is kept as it is: names of operations and fragments, selections with their order, aliases, arguments,
// directives, defaults, numbers as they are written. A document without exactly one operation has no normal form: ok is false.
func normalForm(doc *ast.QueryDocument) (form string, ok bool) {
	if doc == nil || len(doc.Operations) != 1 {
		return "", false
	}
	var n normalizer
	o := doc.Operations[0]
	n.words(string(o.Operation), " ", o.Name)
	n.variables(o.VariableDefinitions)
	n.directives(o.Directives)
	n.selections(o.SelectionSet)
	for _, f := range sorted(doc.Fragments, func(f *ast.FragmentDefinition) string { return f.Name }) {
		n.words(" fragment ", f.Name)
		n.variables(f.VariableDefinition)
		n.words(" on ", f.TypeCondition)
		n.directives(f.Directives)
		n.selections(f.SelectionSet)
	}
	return n.String(), true
}

type normalizer struct{ strings.Builder }

func (n *normalizer) words(words ...string) {
	for _, w := range words {
		n.WriteString(w)
	}
}

func (n *normalizer) selections(set ast.SelectionSet) {
	selected := slices.DeleteFunc(slices.Clone(set), addedTypename)
	if len(set) > 0 && len(selected) == 0 {
		selected = set[:1] // only the name of the type is selected
	}
	if len(selected) == 0 {
		return
	}
	n.WriteString("{")
	for i, s := range selected {
		if i > 0 {
			n.WriteString(" ")
		}
		n.selection(s)
	}
	n.WriteString("}")
}

// addedTypename reports whether s is the `__typename` that clients add for their caches.
func addedTypename(s ast.Selection) bool {
	f, ok := s.(*ast.Field)
	return ok && f.Name == "__typename" && f.Alias == f.Name && len(f.Directives) == 0 && len(f.Arguments) == 0 && len(f.SelectionSet) == 0
}

func (n *normalizer) selection(s ast.Selection) {
	switch s := s.(type) {
	case *ast.Field:
		if s.Alias != s.Name {
			n.words(s.Alias, ":")
		}
		n.WriteString(s.Name)
		n.arguments(s.Arguments)
		n.directives(s.Directives)
		n.selections(s.SelectionSet)
	case *ast.FragmentSpread:
		n.words("...", s.Name)
		n.directives(s.Directives)
	case *ast.InlineFragment:
		n.WriteString("...")
		if s.TypeCondition != "" {
			n.words(" on ", s.TypeCondition)
		}
		n.directives(s.Directives)
		n.selections(s.SelectionSet)
	}
}

func (n *normalizer) variables(list ast.VariableDefinitionList) {
	for _, v := range sorted(list, func(v *ast.VariableDefinition) string { return v.Variable }) {
		n.words("($", v.Variable, ":", v.Type.String())
		if v.DefaultValue != nil {
			n.WriteString("=")
			n.value(v.DefaultValue)
		}
		n.directives(v.Directives)
		n.WriteString(")")
	}
}

func (n *normalizer) arguments(list ast.ArgumentList) {
	for _, a := range sorted(list, func(a *ast.Argument) string { return a.Name }) {
		n.words("(", a.Name, ":")
		n.value(a.Value)
		n.WriteString(")")
	}
}

// directives keeps their order, which has a meaning.
func (n *normalizer) directives(list ast.DirectiveList) {
	for _, d := range list {
		n.words("@", d.Name)
		n.arguments(d.Arguments)
		n.WriteString(" ")
	}
}

func (n *normalizer) value(v *ast.Value) {
	switch v.Kind {
	case ast.Variable:
		n.words("$", v.Raw)
	case ast.StringValue, ast.BlockValue:
		n.WriteString(strconv.Quote(v.Raw))
	case ast.ListValue:
		n.WriteString("[")
		for _, c := range v.Children {
			n.value(c.Value)
			n.WriteString(",")
		}
		n.WriteString("]")
	case ast.ObjectValue:
		n.WriteString("{")
		for _, c := range sorted(v.Children, func(c *ast.ChildValue) string { return c.Name }) {
			n.words(c.Name, ":")
			n.value(c.Value)
			n.WriteString(",")
		}
		n.WriteString("}")
	default:
		n.WriteString(v.Raw)
	}
}

// sorted returns a copy sorted by name. Equal names, which no valid document has, keep their order.
func sorted[E any, S ~[]E](list S, name func(E) string) S {
	if len(list) < 2 {
		return list
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b E) int { return cmp.Compare(name(a), name(b)) })
	return list
}
