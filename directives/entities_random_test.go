package directives

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
	"pgregory.net/rapid"
)

// subgraph draws a federated schema: types whose fields are tokens, lists of them, or objects of types and unions drawn
// before. The reference treats them as inputs; a union has the fields of all its members.
func (d *drawn) subgraph() string {
	var b strings.Builder
	b.WriteString(Declaration + TokenIDDeclaration + "\nscalar Ref\nscalar _Any\n")
	var types []string
	for range rapid.IntRange(1, 4).Draw(d.t, "types") {
		name := d.unique("T")
		fields := d.slots(types)
		for _, f := range fields {
			f.dflt = nil
		}
		d.inputs[name] = fields
		d.order, types = append(d.order, name), append(types, name)
		fmt.Fprintf(&b, "type %s {\n%s}\n", name, declare(fields))
		if len(d.order) > 1 && d.chance(40) {
			union, members := d.unique("U"), d.order[len(d.order)-2:]
			fmt.Fprintf(&b, "union %s = %s\n", union, strings.Join(members, " | "))
			d.inputs[union] = slices.Concat(d.inputs[members[0]], d.inputs[members[1]])
			types = append(types, union)
		}
	}
	fmt.Fprintf(&b, "type Query {\n  q: Query\n  _entities(representations: [_Any!]!): [%s]!\n}\n", d.order[0])
	return b.String()
}

// representations draws the argument of _entities, and returns it with the tokens that the reference finds in it.
func (d *drawn) representations(path string) (list *tree, found []string) {
	list = &tree{list: []*tree{}}
	r := &reference{drawn: d}
	for i := range rapid.IntRange(0, 4).Draw(d.t, "representations") {
		name := rapid.SampledFrom(d.order).Draw(d.t, "typename")
		v := d.value(&typ{name: name, nonNull: true}, false, 3)
		r.value(&typ{name: name}, 0, v, fmt.Sprintf("%s.representations.%d", path, i))
		v.object[typename] = &tree{text: name}
		list.list = append(list.list, v)
	}
	return list, r.found
}

func TestTheWalkerFindsTheTokensOfRepresentations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &drawn{t: t, inputs: map[string][]*slot{}, variables: map[string]*variable{}}
		sdl := d.subgraph()
		schema, err := gqlparser.LoadSchema(&ast.Source{Name: "drawn", Input: sdl})
		if err != nil {
			t.Fatalf("%v\n%s", err, sdl)
		}
		literal, want := d.representations("a")
		variable, more := d.representations("q.b")
		want = append(want, more...)
		query := fmt.Sprintf(`query($r: [_Any!]!) { a: _entities(representations: %s) { __typename } q { b: _entities(representations: $r) { __typename } } }`, literal)
		doc, errs := gqlparser.LoadQueryWithRules(schema, query, rules.NewDefaultRules())
		if len(errs) > 0 {
			t.Fatalf("%v\n%s\n%s", errs, sdl, query)
		}
		raw := map[string]any{"r": variable.json()}
		coerced, err := validator.VariableValues(schema, doc.Operations[0], raw)
		if err != nil {
			t.Fatalf("%v\n%s\n%s\n%v", err, sdl, query, raw)
		}
		tokens := &Tokens{}
		tokens.learn(schema)
		occurrences, refused := tokens.walk(&graphql.OperationContext{Operation: doc.Operations[0], Variables: coerced})
		if refused != nil {
			t.Fatalf("%v\n%s\n%s\n%v", refused, sdl, query, raw)
		}
		found := []string{}
		for _, o := range occurrences {
			found = append(found, fmt.Sprintf("%s %s %v", dotted(o.path), o.token, o.kinds.list()))
		}
		slices.Sort(found)
		slices.Sort(want)
		if !slices.Equal(slices.Compact(want), slices.Compact(found)) {
			t.Fatalf("want %q\nhave %q\n%s\n%s\n%v", want, found, sdl, query, raw)
		}
	})
}
