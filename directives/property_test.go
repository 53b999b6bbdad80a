package directives

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
	"pgregory.net/rapid"
)

// reference finds an operation's tokens by section 6.4.1 (CoerceArgumentValues) and section 3 (input coercion) of
// GraphQL, step by step, from the drawn operation: it uses neither gqlparser nor the walker.
type reference struct {
	*drawn
	found []string
}

func (r *reference) operation() []string {
	for _, s := range r.selected {
		for _, a := range s.args {
			r.slot(a, s.have[a.name], s.path+"."+a.name)
		}
	}
	slices.Sort(r.found)
	return r.found
}

// slot is an argument or input field, whose value may be absent (nil).
func (r *reference) slot(s *slot, v *tree, path string) {
	if v != nil && v.vari != "" {
		v = r.variable(v.vari)
	}
	if v == nil {
		v = s.dflt
	}
	if v != nil {
		r.value(s.typ, s.kinds, v, path)
	}
}

func (r *reference) variable(name string) *tree {
	if v := r.variables[name]; v.value != nil {
		return v.value
	}
	return r.variables[name].dflt
}

func (r *reference) value(t *typ, kinds kindSet, v *tree, path string) {
	if v.vari != "" {
		if v = r.variable(v.vari); v == nil { // absent in a list: null
			return
		}
	}
	switch {
	case v.null:
	case t.elem != nil && v.list != nil:
		for i, e := range v.list {
			r.value(t.elem, kinds, e, fmt.Sprintf("%s.%d", path, i))
		}
	case t.elem != nil:
		r.value(t.elem, kinds, v, path+".0")
	case v.object != nil:
		for _, f := range r.inputs[t.name] {
			r.slot(f, v.object[f.name], path+"."+f.name)
		}
	case kinds != 0:
		r.found = append(r.found, fmt.Sprintf("%s %s %v", path, v.text, kinds.list()))
	}
}

func TestTheWalkerFindsWhatTheReferenceFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &drawn{t: t, inputs: map[string][]*slot{}, fields: map[string][]*slot{}, variables: map[string]*variable{}}
		sdl := d.schema()
		schema, err := gqlparser.LoadSchema(&ast.Source{Name: "drawn", Input: sdl})
		if err != nil {
			t.Fatalf("%v\n%s", err, sdl)
		}
		body := d.selections("", true, 3)
		query := "query Q" + d.declareVariables() + " " + body + "\n" + strings.Join(d.fragments, "\n")
		doc, errs := gqlparser.LoadQueryWithRules(schema, query, rules.NewDefaultRules())
		if len(errs) > 0 {
			t.Fatalf("%v\n%s\n%s", errs, sdl, query)
		}
		raw := map[string]any{}
		for name, v := range d.variables {
			if v.value != nil {
				raw[name] = v.value.json()
			}
		}
		coerced, err := validator.VariableValues(schema, doc.Operations[0], raw)
		if err != nil {
			t.Fatalf("%v\n%s\n%s\n%v", err, sdl, query, raw)
		}
		tokens := &Tokens{}
		tokens.learn(schema)
		occurrences, refused := tokens.walk(&graphql.OperationContext{Operation: doc.Operations[0], Variables: coerced})
		if refused != nil {
			t.Fatal(refused)
		}
		found := []string{}
		for _, o := range occurrences {
			found = append(found, fmt.Sprintf("%s %s %v", dotted(o.path), o.token, o.kinds.list()))
		}
		slices.Sort(found)
		want := append([]string{}, (&reference{drawn: d}).operation()...)
		if !slices.Equal(want, found) {
			t.Fatalf("want %q\nhave %q\n%s\n%s\n%v", want, found, sdl, query, raw)
		}
	})
}

func (d *drawn) declareVariables() string {
	if len(d.variables) == 0 {
		return ""
	}
	var parts []string
	for name, v := range d.variables {
		p := "$" + name + ": " + v.typ.String()
		if v.dflt != nil {
			p += " = " + v.dflt.String()
		}
		parts = append(parts, p)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func dotted(path ast.Path) string {
	steps := make([]string, len(path))
	for i, s := range path {
		steps[i] = fmt.Sprint(s)
	}
	return strings.Join(steps, ".")
}

type named string

// result draws a resolver's result and, beside it, the tokens in it with their indexes.
func result(t *rapid.T, depth int, at []int, expect *[]string) any {
	text := func() string {
		s := fmt.Sprintf("tok%d", rapid.IntRange(0, 5).Draw(t, "token"))
		*expect = append(*expect, fmt.Sprint(s, at))
		return s
	}
	below := func(i int) any { return result(t, depth-1, append(slices.Clone(at), i), expect) }
	kinds := 9
	if depth > 0 {
		kinds = 12
	}
	switch rapid.IntRange(0, kinds).Draw(t, "shape") {
	case 0:
		return nil
	case 1:
		return (*string)(nil)
	case 2:
		return (*TokenID)(nil)
	case 3:
		s := TokenID(text())
		return &s
	case 4:
		s := text()
		p := &s
		return &p
	case 5:
		return named(text())
	case 6:
		return graphql.MarshalString(text())
	case 7:
		s := named(text())
		return &s
	case 8:
		return []string(nil)
	case 10:
		list := make([]any, rapid.IntRange(0, 3).Draw(t, "length"))
		for i := range list {
			list[i] = below(i)
		}
		return list
	case 11:
		list := [2]any{below(0), below(1)}
		return list[:]
	case 12:
		list := make([]*any, rapid.IntRange(0, 3).Draw(t, "length"))
		for i := range list {
			v := below(i)
			list[i] = &v
		}
		return &list
	}
	return text()
}

func TestTheCollectorFindsEveryTokenOfAResult(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		expect := []string{}
		value := result(t, 3, nil, &expect)
		c := collector{}
		require.NoError(t, c.collect(context.Background(), value, nil))
		found := []string{}
		for _, p := range c.found {
			found = append(found, fmt.Sprint(p.token, p.indexes))
		}
		require.Equal(t, expect, found)
	})
}
