package directives

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// Declaration is what a backend includes in its schema.
//
//go:embed token.graphqls
var Declaration string

const directiveName = "token"

// CheckSchema returns every reason why @token can't work in a schema, each with its coordinate
// (Type.field, Type.field(argument:)), joined; nil if it can.
func CheckSchema(schema *ast.Schema) error {
	errs := []error{checkDeclaration(schema.Directives[directiveName])}
	for _, name := range sortedNames(schema) {
		def := schema.Types[name]
		for _, f := range def.Fields {
			coordinate := name + "." + f.Name
			errs = append(errs, checkUse(schema, coordinate, f.Type, f.Directives))
			for _, a := range f.Arguments {
				errs = append(errs, checkUse(schema, fmt.Sprintf("%s(%s:)", coordinate, a.Name), a.Type, a.Directives))
			}
			if def.Kind == ast.Interface && f.Directives.ForName(directiveName) != nil {
				errs = append(errs, checkImplementations(schema, def, f.Name))
			}
		}
	}
	return errors.Join(errs...)
}

func sortedNames(schema *ast.Schema) []string {
	names := make([]string, 0, len(schema.Types))
	for n := range schema.Types {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// checkDeclaration wants the declaration of token.graphqls, whatever its descriptions.
func checkDeclaration(have *ast.DirectiveDefinition) error {
	if have == nil {
		return errors.New("@token is not declared: include Cloakroom's token.graphqls in the schema")
	}
	doc, err := parser.ParseSchema(&ast.Source{Name: "token.graphqls", Input: Declaration})
	if err != nil {
		return err
	}
	want := doc.Directives.ForName(directiveName)
	same := have.IsRepeatable == want.IsRepeatable && len(have.Arguments) == len(want.Arguments) &&
		len(have.Locations) == len(want.Locations)
	for _, l := range want.Locations {
		same = same && slices.Contains(have.Locations, l)
	}
	for _, a := range want.Arguments {
		other := have.Arguments.ForName(a.Name)
		same = same && other != nil && other.Type.String() == a.Type.String() && other.DefaultValue == nil
	}
	if !same {
		return errors.New("@token is declared in another way: include Cloakroom's token.graphqls, and no declaration of your own")
	}
	return nil
}

// checkUse wants a scalar with a string form, or lists of one, kinds and a duration that mean something.
func checkUse(schema *ast.Schema, coordinate string, typ *ast.Type, uses ast.DirectiveList) error {
	use := uses.ForName(directiveName)
	if use == nil {
		return nil
	}
	def := schema.Types[typ.Name()]
	if def == nil || def.Kind != ast.Scalar || slices.Contains([]string{"Int", "Float", "Boolean"}, def.Name) {
		return fmt.Errorf("%s: @token stands on %s; only String, ID, custom scalars and lists of them can be tokens", coordinate, typ)
	}
	if arg := use.Arguments.ForName("grants"); arg != nil && arg.Value.Kind == ast.ListValue && len(arg.Value.Children) == 0 {
		return fmt.Errorf("%s: @token names no grants; leave the argument out for the default", coordinate)
	}
	if arg := use.Arguments.ForName("duration"); arg != nil && arg.Value.Kind != ast.NullValue {
		if d, err := time.ParseDuration(arg.Value.Raw); err != nil || d <= 0 {
			return fmt.Errorf("%s: %q is no duration; write 90s or 15m", coordinate, arg.Value.Raw)
		}
	}
	return nil
}

// checkImplementations: gqlgen runs the directives of the object's field, never the interface's.
func checkImplementations(schema *ast.Schema, def *ast.Definition, field string) error {
	var errs []error
	for _, impl := range schema.GetPossibleTypes(def) {
		if f := impl.Fields.ForName(field); f != nil && f.Directives.ForName(directiveName) == nil {
			errs = append(errs, fmt.Errorf("%s.%s: lacks the @token that %s.%s has", impl.Name, field, def.Name, field))
		}
	}
	return errors.Join(errs...)
}

// annotatedInputs returns the input types that hold an annotated field, at any depth.
func annotatedInputs(schema *ast.Schema) map[string]bool {
	holds := map[string]bool{}
	for changed := true; changed; {
		changed = false
		for name, def := range schema.Types {
			if def.Kind != ast.InputObject || holds[name] {
				continue
			}
			for _, f := range def.Fields {
				if f.Directives.ForName(directiveName) != nil || holds[f.Type.Name()] {
					holds[name], changed = true, true
				}
			}
		}
	}
	return holds
}

// requiredKinds returns the kinds that an annotation on an input requires.
func requiredKinds(use *ast.Directive) []GrantKind {
	arg := use.Arguments.ForName("grants")
	if arg == nil || arg.Value.Kind == ast.NullValue {
		return []GrantKind{GrantKindStore}
	}
	if arg.Value.Kind != ast.ListValue { // a single value stands for a list of it
		return []GrantKind{GrantKind(arg.Value.Raw)}
	}
	kinds := make([]GrantKind, 0, len(arg.Value.Children))
	for _, c := range arg.Value.Children {
		kinds = append(kinds, GrantKind(c.Value.Raw))
	}
	return kinds
}
