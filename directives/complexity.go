package directives

import (
	"reflect"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// passiveDirectives run no application code while an input is read: this package's, GraphQL's and gqlgen's.
var passiveDirectives = []string{directiveName, "deprecated", "goField", "goModel", "goTag", "goEnum", "specifiedBy", "oneOf"}

// inputsRunCode reports whether reading an operation's inputs runs application code that may do more than read:
// resolvers of input fields, and the application's directives on inputs. gqlgen reads inputs before the operation
// begins, to calculate its complexity. If only complexity functions run then, the operation is verified after the
// complexity check, so that an operation which that check refuses costs no call; otherwise it is verified before. If the
// Go type of the executable schema does not show its resolvers, the answer is true.
func inputsRunCode(es graphql.ExecutableSchema) bool {
	schema := es.Schema()
	resolvers, ok := resolversOf(es)
	if !ok {
		return true
	}
	for _, def := range schema.Types {
		if def.Kind == ast.InputObject {
			if slices.ContainsFunc(resolvers, func(name string) bool {
				return strings.EqualFold(withoutUnderscores(name), withoutUnderscores(def.Name))
			}) {
				return true
			}
			if hasOther(def.Directives) {
				return true
			}
		}
		for _, f := range def.Fields {
			if def.Kind == ast.InputObject && hasOther(f.Directives) {
				return true
			}
			for _, a := range f.Arguments {
				if hasOther(a.Directives) {
					return true
				}
			}
		}
	}
	return false
}

// resolversOf returns the names of the types that have resolvers: the methods of the generated ResolverRoot.
func resolversOf(es graphql.ExecutableSchema) (names []string, ok bool) {
	t := reflect.TypeOf(es)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil, false
	}
	f, ok := t.FieldByName("Resolvers") // of graphql.ExecutableSchemaState
	if !ok || f.Type.Kind() != reflect.Interface || f.Type.NumMethod() == 0 {
		return nil, false
	}
	for i := range f.Type.NumMethod() {
		names = append(names, f.Type.Method(i).Name)
	}
	return names, true
}

// withoutUnderscores returns a name without underscores, which gqlgen may remove.
func withoutUnderscores(name string) string { return strings.ReplaceAll(name, "_", "") }

func hasOther(uses ast.DirectiveList) bool {
	return slices.ContainsFunc(uses, func(d *ast.Directive) bool { return !slices.Contains(passiveDirectives, d.Name) })
}
