package directives

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
)

// Apollo Federation's subgraph specification: a router asks Query._entities for entities, each named by a
// representation, an object of the scalar _Any with its __typename, the fields of a @key and those that a field
// @requires. gqlgen passes them to resolvers without calling directives, so only the walk verifies them.
const (
	entitiesField           = "_entities"
	representationsArgument = "representations"
	anyScalar               = "_Any"
	typename                = "__typename"
)

// entitiesOf returns a federated subgraph's field for its router, or nil.
func entitiesOf(schema *ast.Schema) *ast.FieldDefinition {
	if schema.Query == nil {
		return nil
	}
	return schema.Query.Fields.ForName(entitiesField)
}

// checkEntities refuses a schema that takes representations elsewhere than in the specified argument: only that one is walked.
func checkEntities(schema *ast.Schema) error {
	entities := entitiesOf(schema)
	if entities == nil {
		return nil
	}
	coordinate := schema.Query.Name + "." + entitiesField
	arg := entities.Arguments.ForName(representationsArgument)
	if arg == nil || len(entities.Arguments) != 1 || arg.Type.String() != "[_Any!]!" {
		return schemaError(coordinate, "takes other arguments than representations: [_Any!]!, in which @token verifies tokens")
	}
	for _, def := range schema.Types {
		for _, f := range def.Fields {
			if def.Kind == ast.InputObject && f.Type.Name() == anyScalar {
				return anyElsewhere(def.Name + "." + f.Name)
			}
			for _, a := range f.Arguments {
				if a.Type.Name() == anyScalar && f != entities {
					return anyElsewhere(fmt.Sprintf("%s.%s(%s:)", def.Name, f.Name, a.Name))
				}
			}
		}
	}
	return nil
}

func anyElsewhere(coordinate string) error {
	return schemaError(coordinate, "takes _Any, in which @token verifies tokens only for %s; use an input type", entitiesField)
}

// outputs returns the positions that hold tokens in a representation of a type. An abstract type has those of all its
// possible types: the __typename of a nested object is not trusted.
//
// A token in a representation needs the grants that its field creates. The router passes on tokens that another subgraph
// returned, with grants, to this session; a resolver that returns the key of its entity unchanged grants nothing new.
func (h holders) outputs(schema *ast.Schema, def *ast.Definition) (found []position) {
	types := []*ast.Definition{def}
	if def.IsAbstractType() {
		types = append(types, schema.GetPossibleTypes(def)...)
	}
	places := map[string]int{}
	for _, t := range types {
		for _, f := range t.Fields {
			var kinds kindSet
			if use := f.Directives.ForName(directiveName); use != nil {
				kinds = kindsNamed(use, readOnly)
			}
			if kinds == 0 && len(h[f.Type.Name()]) == 0 {
				continue
			}
			key := f.Name + ":" + f.Type.String()
			if place, ok := places[key]; ok {
				found[place].kinds |= kinds
				continue
			}
			places[key] = len(found)
			found = append(found, position{f.Name, f.Type, kinds, nil})
		}
	}
	return found
}

// composite reports whether a representation can hold a token.
func (h holders) composite(schema *ast.Schema) bool {
	for name := range h {
		if schema.Types[name].IsCompositeType() {
			return true
		}
	}
	return false
}

// representations walks the argument of _entities. An element that is no representation of a known type is refused,
// since nothing says which of its fields a resolver reads.
func (w *walker) representations(v any, path ast.Path) {
	for i, e := range coerceList(v) {
		at := with(path, ast.PathIndex(i))
		object, _ := e.(map[string]any)
		name, _ := object[typename].(string)
		if def := w.tokens.schema.Types[name]; def == nil || !def.IsCompositeType() {
			w.refuse(codeBadUserInput, "A representation is an object whose __typename is a type of this schema.", at)
			return
		}
		if w.step(at) {
			return
		}
		w.object(object, w.tokens.holders[name], at)
	}
}
