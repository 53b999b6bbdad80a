package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// slot is a field, argument or input field: a place that can hold a token.
type slot struct {
	coordinate  string
	name        string
	description string
	typ         *ast.Type
	use         *ast.Directive // @token, if any
	input       bool
	argument    bool
	external    bool // another subgraph of the federation owns the field
	owner       *ast.Definition
	of          string // the field of an argument
}

// about returns the name that says what a slot is about: its type's name or, for an argument of a root type's field, the
// field's.
func (s *slot) about(schema *ast.Schema) string {
	if s.argument && (s.owner == schema.Query || s.owner == schema.Mutation || s.owner == schema.Subscription) {
		return s.of
	}
	return s.owner.Name
}

// slots collects every slot of the user's own types, in the order of coordinates.
func (l *linter) slots() {
	for name, def := range l.schema.Types {
		if def.BuiltIn || strings.HasPrefix(name, "__") || def.Position != nil && def.Position.Src != nil && def.Position.Src.BuiltIn {
			continue
		}
		for _, f := range def.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			s := &slot{
				coordinate: name + "." + f.Name, name: f.Name, description: f.Description, typ: f.Type,
				use: f.Directives.ForName("token"), input: def.Kind == ast.InputObject, owner: def,
				external: f.Directives.ForName(externalMark) != nil,
			}
			l.places[s.coordinate] = f.Position
			l.all = append(l.all, s)
			for _, a := range f.Arguments {
				s := &slot{
					coordinate: fmt.Sprintf("%s.%s(%s:)", name, f.Name, a.Name), name: a.Name, description: a.Description,
					typ: a.Type, use: a.Directives.ForName("token"), input: true, argument: true, owner: def, of: f.Name,
				}
				l.places[s.coordinate] = a.Position
				l.all = append(l.all, s)
			}
		}
	}
	slices.SortFunc(l.all, func(a, b *slot) int { return cmp.Compare(a.coordinate, b.coordinate) })
}

// holds reports whether a slot's values could be sensitive text: its type is a scalar that the rules do not exclude.
func (l *linter) holds(s *slot) bool {
	def := l.schema.Types[s.typ.Name()]
	return def != nil && def.Kind == ast.Scalar && !slices.Contains(l.rules.Types, def.Name)
}

// dated reports whether a slot holds dates, which only some rules are about.
func (l *linter) dated(s *slot) bool { return slices.Contains(l.rules.Dates, s.typ.Name()) }

// acts reports whether a slot is a mutation whose name says what it does, and not what it returns.
func (l *linter) acts(s *slot) bool {
	verb, _, _ := strings.Cut(words(s.name), " ")
	return s.owner == l.schema.Mutation && !s.argument && slices.Contains(l.rules.Actions, verb)
}

func number(s *slot) bool { return s.typ.Name() == "Int" || s.typ.Name() == "Float" }

// sensitive reports slots that look sensitive and have no @token.
func (l *linter) sensitive() {
	for _, s := range l.all {
		if s.use != nil || !l.holds(s) || s.external || l.acts(s) {
			continue
		}
		if s.typ.Name() == "TokenID" {
			l.add(ruleUntyped, s.coordinate, "is a TokenID without @token: nothing grants it or checks it")
			continue
		}
		rule, by := l.rules.match(s.about(l.schema), s.name, s.typ.Name(), s.description)
		if rule == nil || l.dated(s) && !rule.Dates {
			continue
		}
		level, advice := l.rules.level(rule, s.input)
		if tokenize := strings.Contains(advice, "annotate it with @token"); tokenize && (number(s) || l.dated(s)) {
			advice = fmt.Sprintf("%s can't hold a token: make it a String with @token", s.typ.Name())
		}
		l.place(Finding{
			Rule: ruleSensitive + "/" + rule.ID, Class: rule.Class, Level: level, Coordinate: s.coordinate,
			Message: fmt.Sprintf("looks by its %s like %s: %s", by, rule.What, advice),
		})
	}
}

// affixes are the words that schemas put around the name of a thing to name its inputs.
var affixes = []string{
	"input", "create", "update", "upsert", "new", "add", "edit", "patch", "set", "save", "register", "change", "replace", "data", "field", "arg", "param", "payload",
}

// entity returns the thing that a type is about: patient for CreatePatientInput.
func entity(def *ast.Definition) string { return bare(words(def.Name)) }

// bare removes the affixes from the words of a type's name.
func bare(name string) string {
	parts := strings.Fields(name)
	for len(parts) > 1 && slices.Contains(affixes, parts[len(parts)-1]) {
		parts = parts[:len(parts)-1]
	}
	for len(parts) > 1 && slices.Contains(affixes, parts[0]) {
		parts = parts[1:]
	}
	return strings.Join(parts, " ")
}

// sides reports a concept that is a token on one side (input, output) and not on the other. A concept is a thing's field; an
// argument has no thing, so it is compared with every field of its name, if these agree.
func (l *linter) sides() {
	in, out := map[string][]*slot{}, map[string][]*slot{}
	for _, s := range l.all {
		if !l.holds(s) {
			continue
		}
		name := words(s.name)
		side := out
		if s.input {
			side = in
		}
		if !slices.Contains(l.rules.Common, name) {
			side["."+name] = append(side["."+name], s)
		}
		if !s.argument {
			key := entity(s.owner) + "." + name
			side[key] = append(side[key], s)
		}
	}
	l.compare(in, out, "read", "written")
	l.compare(out, in, "written", "read")
}

// compare reports the slots of one side without @token, if all slots of the other side have it.
func (l *linter) compare(slots, others map[string][]*slot, there, here string) {
	reported := map[*slot]bool{}
	for _, key := range sortedKeys(slots) {
		other := others[key]
		if len(other) == 0 || slices.ContainsFunc(other, func(s *slot) bool { return s.use == nil }) {
			continue
		}
		for _, s := range slots[key] {
			loose := strings.HasPrefix(key, ".")
			if s.use != nil || reported[s] || s.typ.Name() == "TokenID" || loose && !s.argument && !other[0].argument {
				continue
			}
			reported[s] = true
			l.add(ruleSides, s.coordinate, "is %s without @token, and %s with it as %s", here, there, other[0].coordinate)
		}
	}
}

// interfaces reports fields of interfaces that lack the @token of an implementation, or have another one.
func (l *linter) interfaces() {
	for _, s := range l.all {
		if s.argument || s.input || s.owner.Kind != ast.Interface {
			continue
		}
		for _, impl := range l.schema.GetPossibleTypes(s.owner) {
			f := impl.Fields.ForName(s.name)
			if f == nil {
				continue
			}
			use := f.Directives.ForName("token")
			switch coordinate := impl.Name + "." + f.Name; {
			case use == nil: // the runtime refuses this: see unworkable
			case s.use == nil:
				l.add(ruleInterface, s.coordinate, "lacks the @token that %s has", coordinate)
			case argumentsOf(use) != argumentsOf(s.use):
				l.add(ruleInterface, coordinate, "has another @token than %s; the object's is used", s.coordinate)
			}
		}
	}
}

// argumentsOf returns the arguments of a use of @token, as text, sorted.
func argumentsOf(use *ast.Directive) string {
	var args []string
	for _, a := range use.Arguments {
		args = append(args, a.Name+": "+strings.Trim(a.Value.String(), "[]"))
	}
	slices.Sort(args)
	return strings.Join(args, ", ")
}

func sortedKeys(m map[string][]*slot) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
