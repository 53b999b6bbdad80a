package directives

import (
	"github.com/vektah/gqlparser/v2/ast"
)

// position is a place of tokens in a value: an argument, a field of an input object, or a field of an entity in one
// of federation's representations. It holds tokens itself (kinds), or its type has positions.
type position struct {
	name  string
	typ   *ast.Type
	kinds kindSet    // of the grants that a token needs here; 0: no token
	dflt  *ast.Value // the default of an input field
}

// holders are the types that hold tokens, at any depth, with their positions. Types without tokens are absent.
type holders map[string][]position

// holdersOf returns the input types that hold tokens and, in a federated subgraph, the output types.
func holdersOf(schema *ast.Schema) holders {
	h := holders{}
	federated := entitiesOf(schema) != nil
	for changed := true; changed; {
		changed = false
		for name, def := range schema.Types {
			if len(h[name]) > 0 {
				continue
			}
			var found []position
			if def.Kind == ast.InputObject {
				found = h.inputs(def)
			} else if federated {
				found = h.outputs(schema, def)
			}
			if len(found) > 0 {
				h[name], changed = found, true
			}
		}
	}
	for name, def := range schema.Types { // again: a type that was found later adds positions to the types that use it
		if len(h[name]) == 0 {
			continue
		}
		if def.Kind == ast.InputObject {
			h[name] = h.inputs(def)
		} else {
			h[name] = h.outputs(schema, def)
		}
	}
	return h
}

func (h holders) inputs(def *ast.Definition) (found []position) {
	for _, f := range def.Fields {
		if kinds := requiredBy(f.Directives); kinds != 0 || len(h[f.Type.Name()]) > 0 {
			found = append(found, position{f.Name, f.Type, kinds, f.DefaultValue})
		}
	}
	return found
}

// argumentsOf returns the fields that take tokens in an argument, at any depth.
func (h holders) argumentsOf(schema *ast.Schema) map[*ast.FieldDefinition][]position {
	fields := map[*ast.FieldDefinition][]position{}
	for _, def := range schema.Types {
		for _, f := range def.Fields {
			for _, a := range f.Arguments {
				if kinds := requiredBy(a.Directives); kinds != 0 || len(h[a.Type.Name()]) > 0 {
					fields[f] = append(fields[f], position{a.Name, a.Type, kinds, nil})
				}
			}
		}
	}
	return fields
}
