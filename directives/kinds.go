package directives

import "github.com/vektah/gqlparser/v2/ast"

// kindSet is a set of kinds of grants, one bit each in the order of allKinds.
type kindSet uint8

var allKinds = [...]GrantKind{GrantKindRead, GrantKindStore}

const (
	readOnly  kindSet = 1 << 0
	storeOnly kindSet = 1 << 1
	bothKinds         = readOnly | storeOnly
)

// kindsOf returns the set of kinds, without unknown ones; none is the result for an empty list.
func kindsOf(kinds []GrantKind, none kindSet) (set kindSet) {
	if len(kinds) == 0 {
		return none
	}
	for _, k := range kinds {
		for i, known := range allKinds {
			if k == known {
				set |= 1 << i
			}
		}
	}
	return set
}

// list returns the kinds of a set, in the order of allKinds.
func (s kindSet) list() []GrantKind {
	kinds := make([]GrantKind, 0, len(allKinds))
	for i, k := range allKinds {
		if s&(1<<i) != 0 {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// kindsNamed returns the kinds that an annotation in a schema names; none is the result if it names none.
func kindsNamed(use *ast.Directive, none kindSet) kindSet {
	arg := use.Arguments.ForName("grants")
	if arg == nil || arg.Value.Kind == ast.NullValue {
		return none
	}
	if arg.Value.Kind != ast.ListValue { // a single value stands for a list of it
		return kindsOf([]GrantKind{GrantKind(arg.Value.Raw)}, 0)
	}
	kinds := make([]GrantKind, 0, len(arg.Value.Children))
	for _, c := range arg.Value.Children {
		kinds = append(kinds, GrantKind(c.Value.Raw))
	}
	return kindsOf(kinds, 0)
}
