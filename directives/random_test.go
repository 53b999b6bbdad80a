package directives

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// This file draws schemas and operations; property_test.go has the properties that must hold for them.

// typ is a GraphQL input type: a name below lists, each level null or not.
type typ struct {
	name    string
	elem    *typ
	nonNull bool
}

func (t *typ) String() string {
	s := t.name
	if t.elem != nil {
		s = "[" + t.elem.String() + "]"
	}
	if t.nonNull {
		s += "!"
	}
	return s
}

// slot is an argument or input field.
type slot struct {
	name  string
	typ   *typ
	kinds kindSet // annotated if any
	dflt  *tree
}

// tree is a value: nil is null, otherwise a string, a list or an object whose missing fields are absent.
type tree struct {
	null   bool
	text   string
	list   []*tree
	object map[string]*tree
	vari   string // a variable stands here
}

func (v *tree) String() string {
	switch {
	case v.vari != "":
		return "$" + v.vari
	case v.null:
		return "null"
	case v.list != nil:
		parts := make([]string, len(v.list))
		for i, e := range v.list {
			parts[i] = e.String()
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case v.object != nil:
		var parts []string
		for name, e := range v.object {
			parts = append(parts, name+": "+e.String())
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprintf("%q", v.text)
}

// json is the value as a client sends it in variables.
func (v *tree) json() any {
	switch {
	case v.null:
		return nil
	case v.list != nil:
		list := make([]any, len(v.list))
		for i, e := range v.list {
			list[i] = e.json()
		}
		return list
	case v.object != nil:
		object := map[string]any{}
		for name, e := range v.object {
			object[name] = e.json()
		}
		return object
	}
	return v.text
}

// drawn is a schema and an operation on it, as text and in the form that the reference needs.
type drawn struct {
	t         *rapid.T
	inputs    map[string][]*slot
	fields    map[string][]*slot // of the one object type, Query
	order     []string
	variables map[string]*variable
	fragments []string
	selected  []*selected
	n         int
}

type variable struct {
	typ   *typ
	dflt  *tree
	value *tree // nil: absent
}

// selected is a field that an operation selects, and will run.
type selected struct {
	path string
	args []*slot
	have map[string]*tree
}

func (d *drawn) chance(percent int) bool {
	return rapid.IntRange(1, 100).Draw(d.t, "chance") <= percent
}

func (d *drawn) unique(prefix string) string {
	d.n++
	return fmt.Sprint(prefix, d.n)
}

func (d *drawn) typ(names []string, depth int) *typ {
	t := &typ{nonNull: d.chance(25)}
	if depth > 0 && d.chance(40) {
		t.elem = d.typ(names, depth-1)
	} else {
		t.name = rapid.SampledFrom(names).Draw(d.t, "type")
	}
	return t
}

func (t *typ) base() string {
	for t.elem != nil {
		t = t.elem
	}
	return t.name
}

var scalars = []string{"String", "ID", "TokenID", "Ref"}

// slots draws arguments or fields. The types of nested inputs are those drawn before, so that no type is recursive.
func (d *drawn) slots(inputs []string) (list []*slot) {
	for range rapid.IntRange(1, 4).Draw(d.t, "slots") {
		s := &slot{name: d.unique("s"), typ: d.typ(append(inputs, scalars...), 2)}
		if d.inputs[s.typ.base()] == nil && d.chance(60) {
			s.kinds = kindSet(rapid.IntRange(1, 3).Draw(d.t, "kinds"))
		}
		if d.chance(25) {
			s.dflt = d.value(s.typ, false, 2)
		}
		list = append(list, s)
	}
	return list
}

// value draws a value of a type; variables stand anywhere in it if they may.
func (d *drawn) value(t *typ, variables bool, depth int) *tree {
	if variables && d.chance(25) {
		return &tree{vari: d.variable(t)}
	}
	if !t.nonNull && (depth < 0 || d.chance(15)) {
		return &tree{null: true}
	}
	if t.elem != nil {
		if d.chance(25) { // a single value for a list
			if v := d.value(t.elem, false, depth-1); !v.null && v.list == nil {
				return v
			}
		}
		v := &tree{list: []*tree{}}
		for range rapid.IntRange(0, 3).Draw(d.t, "length") {
			v.list = append(v.list, d.value(t.elem, variables, depth-1))
		}
		return v
	}
	fields, ok := d.inputs[t.name]
	if !ok {
		return &tree{text: d.unique("tok")}
	}
	v := &tree{object: map[string]*tree{}}
	for _, f := range fields {
		if f.typ.nonNull && f.dflt == nil || d.chance(60) {
			v.object[f.name] = d.value(f.typ, variables, depth-1)
		}
	}
	return v
}

func (d *drawn) variable(t *typ) string {
	name := d.unique("v")
	v := &variable{typ: t}
	switch {
	case !t.nonNull && d.chance(25):
		v.dflt = d.value(t, false, 1)
		if d.chance(50) {
			v.value = d.value(t, false, 1)
		}
	case t.nonNull || d.chance(60):
		v.value = d.value(t, false, 1)
	}
	d.variables[name] = v
	return name
}

func (d *drawn) schema() string {
	var b strings.Builder
	b.WriteString(Declaration + TokenIDDeclaration + "\nscalar Ref\n")
	var inputs []string
	for range rapid.IntRange(0, 3).Draw(d.t, "inputs") {
		name := d.unique("In")
		fields := d.slots(inputs)
		d.inputs[name] = fields
		inputs = append(inputs, name)
		fmt.Fprintf(&b, "input %s {\n%s}\n", name, declare(fields))
	}
	b.WriteString("type Query {\n  q: Query\n")
	for range rapid.IntRange(1, 3).Draw(d.t, "fields") {
		name := d.unique("f")
		args := d.slots(inputs)
		d.fields[name], d.order = args, append(d.order, name)
		fmt.Fprintf(&b, "  %s(\n%s): Query\n", name, declare(args))
	}
	return b.String() + "}\n"
}

func declare(slots []*slot) string {
	var b strings.Builder
	for _, s := range slots {
		fmt.Fprintf(&b, "    %s: %s", s.name, s.typ)
		if s.dflt != nil {
			fmt.Fprintf(&b, " = %s", s.dflt)
		}
		if s.kinds != 0 {
			kinds := strings.ReplaceAll(fmt.Sprint(s.kinds.list()), " ", ", ")
			fmt.Fprintf(&b, " @token(grants: %s)", kinds)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// selections draws a selection set; runs is false below what @skip and @include leave out.
func (d *drawn) selections(path string, runs bool, depth int) string {
	var b strings.Builder
	b.WriteString("{ __typename ")
	for range rapid.IntRange(1, 3).Draw(d.t, "selections") {
		directive, stays := "", true
		if d.chance(20) {
			stays = d.chance(50)
			directive = rapid.SampledFrom([]string{
				fmt.Sprintf("@skip(if: %t)", !stays), fmt.Sprintf("@include(if: %t)", stays),
				fmt.Sprintf("@include(if: %t) @skip(if: %t)", stays, !stays),
			}).Draw(d.t, "directive")
		}
		stays = stays && runs
		switch kind := rapid.IntRange(0, 9).Draw(d.t, "kind"); {
		case kind == 0 && depth > 0:
			fmt.Fprintf(&b, "... on Query %s %s ", directive, d.selections(path, stays, depth-1))
		case kind == 1 && depth > 0:
			name := d.unique("F")
			d.fragments = append(d.fragments, fmt.Sprintf("fragment %s on Query %s", name, d.selections(path, stays, depth-1)))
			fmt.Fprintf(&b, "...%s %s ", name, directive)
		default:
			b.WriteString(d.field(path, directive, stays, depth))
		}
	}
	return b.String() + "}"
}

func (d *drawn) field(path, directive string, runs bool, depth int) string {
	name := rapid.SampledFrom(d.order).Draw(d.t, "field")
	alias := d.unique("a")
	s := &selected{path: strings.TrimPrefix(path+"."+alias, "."), args: d.fields[name], have: map[string]*tree{}}
	var args []string
	for _, a := range s.args {
		if a.typ.nonNull && a.dflt == nil || d.chance(70) {
			s.have[a.name] = d.value(a.typ, true, 2)
			args = append(args, a.name+": "+s.have[a.name].String())
		}
	}
	if runs {
		d.selected = append(d.selected, s)
	}
	call := name
	if len(args) > 0 {
		call += "(" + strings.Join(args, ", ") + ")"
	}
	below := "{ __typename }"
	if depth > 0 {
		below = d.selections(s.path, runs, depth-1)
	}
	return fmt.Sprintf("%s: %s %s %s ", alias, call, directive, below)
}
