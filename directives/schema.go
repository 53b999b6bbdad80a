package directives

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// Declaration is the part that a backend includes in its schema: @token, and the enum GrantKind of its argument.
//
//go:embed token.graphqls
var Declaration string

// TokenIDDeclaration is the scalar TokenID, for backends that want a type of their own for tokens.
//
//go:embed tokenid.graphqls
var TokenIDDeclaration string

const directiveName = "token"

// SchemaError is one reason why @token can't work in a schema.
type SchemaError struct {
	Coordinate string // Type.field, Type.field(argument:) or @token
	Message    string
}

// Error implements error.
func (e *SchemaError) Error() string { return e.Coordinate + ": " + e.Message }

func schemaError(coordinate, format string, args ...any) error {
	return &SchemaError{coordinate, fmt.Sprintf(format, args...)}
}

// CheckSchema returns every reason why @token can't work in a schema, as errors that are each a
// *SchemaError, joined; nil if it can.
func CheckSchema(schema *ast.Schema) error {
	errs := []error{checkDeclaration(schema), checkDirectives(schema), checkEntities(schema)}
	for _, name := range slices.Sorted(maps.Keys(schema.Types)) {
		def := schema.Types[name]
		for _, f := range def.Fields {
			coordinate := name + "." + f.Name
			errs = append(errs, checkUse(schema, coordinate, f.Type, f.Directives))
			for _, a := range f.Arguments {
				errs = append(errs, checkUse(schema, fmt.Sprintf("%s(%s:)", coordinate, a.Name), a.Type, a.Directives))
			}
			if def.Kind == ast.Interface {
				errs = append(errs, checkImplementations(schema, def, f))
			}
		}
	}
	return errors.Join(errs...)
}

// checkDeclaration compares the schema's declaration of @token with token.graphqls, without descriptions.
func checkDeclaration(schema *ast.Schema) error {
	have := schema.Directives[directiveName]
	if have == nil {
		return schemaError("@token", "is not declared: include Cloakroom's token.graphqls in the schema")
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
	if !same || !sameTypes(schema, doc) {
		return schemaError("@token", "is declared in another way: include Cloakroom's token.graphqls, and no declaration of your own")
	}
	return nil
}

// sameTypes reports whether the types of the directive's arguments are those of token.graphqls.
func sameTypes(schema *ast.Schema, declared *ast.SchemaDocument) bool {
	for _, want := range declared.Definitions {
		have := schema.Types[want.Name]
		if have == nil || have.Kind != want.Kind || len(have.EnumValues) != len(want.EnumValues) {
			return false
		}
		for _, v := range want.EnumValues {
			if have.EnumValues.ForName(v.Name) == nil {
				return false
			}
		}
	}
	return true
}

// checkDirectives refuses tokens in arguments of directives: these are read separately from those of fields, and are not
// verified.
func checkDirectives(schema *ast.Schema) error {
	var errs []error
	holders := holdersOf(schema)
	for _, name := range slices.Sorted(maps.Keys(schema.Directives)) {
		for _, a := range schema.Directives[name].Arguments {
			coordinate := fmt.Sprintf("@%s(%s:)", name, a.Name)
			switch {
			case annotated(a.Directives):
				errs = append(errs, schemaError(coordinate, "@token can't stand on a directive's argument"))
			case len(holders[a.Type.Name()]) > 0:
				errs = append(errs, schemaError(coordinate, "%s has fields with @token, which can't be verified in a directive's argument; "+
					"give it an input type without", a.Type.Name()))
			}
		}
	}
	return errors.Join(errs...)
}

// textless are scalars that are not text: GraphQL's numbers and booleans, and those that gqlgen binds to maps, to any and to
// files.
var textless = []string{"Int", "Float", "Boolean", "Map", "Any", "_Any", "Upload"}

// checkUse checks an annotation: the type is a scalar with a string form or a list of them, and kinds and duration are valid.
func checkUse(schema *ast.Schema, coordinate string, typ *ast.Type, uses ast.DirectiveList) error {
	use := uses.ForName(directiveName)
	if use == nil {
		return nil
	}
	def := schema.Types[typ.Name()]
	if def == nil || def.Kind != ast.Scalar || slices.Contains(textless, def.Name) {
		return schemaError(coordinate, "@token stands on %s; only String, ID, custom scalars with a string form and lists of them can be tokens", typ)
	}
	if arg := use.Arguments.ForName("grants"); arg != nil && arg.Value.Kind == ast.ListValue && len(arg.Value.Children) == 0 {
		return schemaError(coordinate, "@token names no grants; leave the argument out for the default")
	}
	if arg := use.Arguments.ForName("duration"); arg != nil && arg.Value.Kind != ast.NullValue {
		if d, err := time.ParseDuration(arg.Value.Raw); err != nil || d <= 0 {
			return schemaError(coordinate, "%q is not a duration; write 90s or 15m", arg.Value.Raw)
		}
	}
	return nil
}

// checkImplementations requires that objects repeat the annotations of their interfaces. gqlgen runs the directives of the
// object's field, never the interface's; but an operation that selects the interface's field is verified by the
// interface's arguments.
func checkImplementations(schema *ast.Schema, def *ast.Definition, field *ast.FieldDefinition) error {
	var errs []error
	for _, impl := range schema.GetPossibleTypes(def) {
		f := impl.Fields.ForName(field.Name)
		if f == nil {
			continue
		}
		if annotated(field.Directives) && !annotated(f.Directives) {
			errs = append(errs, schemaError(impl.Name+"."+f.Name, "lacks the @token that %s.%s has", def.Name, f.Name))
		}
		for _, a := range field.Arguments {
			other := f.Arguments.ForName(a.Name)
			if other != nil && requiredBy(a.Directives) != requiredBy(other.Directives) {
				errs = append(errs, schemaError(fmt.Sprintf("%s.%s(%s:)", impl.Name, f.Name, a.Name),
					"requires other grants by @token than %s.%s(%s:) does", def.Name, f.Name, a.Name))
			}
		}
	}
	return errors.Join(errs...)
}

func annotated(directives ast.DirectiveList) bool { return directives.ForName(directiveName) != nil }

// requiredBy returns the kinds of grants that an input requires: none without an annotation.
func requiredBy(directives ast.DirectiveList) kindSet {
	if use := directives.ForName(directiveName); use != nil {
		return kindsNamed(use, storeOnly)
	}
	return 0
}
