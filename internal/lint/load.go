package lint

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/cloakroomhq/cloakroom/directives"
)

// maxErrors limits how many errors of a schema are reported at once.
const maxErrors = 100

// federationTypes are the types that a router or a code generator adds to a subgraph.
var federationTypes = []string{
	"_Any", "_FieldSet", "FieldSet", "federation__FieldSet", "link__Import", "link__Purpose", "federation__Scope", "federation__Policy",
	"federation__ContextArgument", "join__FieldSet", "join__DirectiveArguments", "join__FieldValue",
}

// load reads the schema, or returns all its errors: a syntax error of each file, then every type that breaks a rule.
// Subgraphs of a federation, and directives without a declaration, are accepted. If the schema uses @token without a
// declaration that is a finding, and the declaration is added so that the rest can be checked.
func (l *linter) load(sources []*ast.Source) (*ast.Schema, error) {
	var errs []error
	doc := &ast.SchemaDocument{}
	for _, source := range append([]*ast.Source{validator.Prelude}, sources...) {
		one, err := parser.ParseSchema(source)
		if err != nil {
			errs = append(errs, located(err))
			continue
		}
		found, err := ignores(source)
		if err != nil {
			errs = append(errs, located(err))
		}
		l.ignores = append(l.ignores, found...)
		doc.Merge(one)
	}
	if len(errs) > 0 { // types that a broken file declares would all be missing
		return nil, errors.Join(errs...)
	}
	if err := l.declare(doc, sources); err != nil {
		return nil, err
	}
	errs = append(errs, fold(doc)...)
	relax(doc)
	schema, found := validate(doc)
	if errs = append(errs, found...); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return schema, nil
}

// declare adds @token's declaration if it is missing.
func (l *linter) declare(doc *ast.SchemaDocument, sources []*ast.Source) error {
	l.places["@token"] = &ast.Position{Src: sources[0], Line: 1, Column: 1}
	if d := doc.Directives.ForName("token"); d != nil {
		l.places["@token"] = d.Position
		return nil
	}
	declaration, err := parser.ParseSchemas(&ast.Source{Name: "token.graphqls", Input: directives.Declaration, BuiltIn: true},
		&ast.Source{Name: "tokenid.graphqls", Input: directives.TokenIDDeclaration, BuiltIn: true})
	if err != nil {
		return err
	}
	doc.Directives = append(doc.Directives, declaration.Directives...)
	for _, d := range declaration.Definitions {
		if doc.Definitions.ForName(d.Name) == nil {
			doc.Definitions = append(doc.Definitions, d)
		}
	}
	if usesToken(doc) {
		l.add(ruleDeclaration, "@token", "is used and not declared: include Cloakroom's token.graphqls in the schema")
	}
	return nil
}

// fold merges each extension into the type that it extends, or makes a type of it if that type is another subgraph's, and
// merges or reports repeated declarations. In the subgraphs of one federation a type may be declared in each, and so may a
// field.
func fold(doc *ast.SchemaDocument) (errs []error) {
	federation := federated(doc)
	var merged ast.DefinitionList
	add := func(def *ast.Definition, extends bool) {
		first := merged.ForName(def.Name)
		switch {
		case first == nil:
			merged = append(merged, def)
		case first.Kind != def.Kind:
			errs = append(errs, located(gqlerror.ErrorPosf(def.Position, "%s is extended as another kind of type than at %s", def.Name, at(first.Position))))
		case extends || federation:
			merge(first, def, federation)
		default:
			errs = append(errs, located(gqlerror.ErrorPosf(def.Position, "%s is declared twice; first at %s", def.Name, at(first.Position))))
		}
	}
	for _, def := range doc.Definitions {
		add(def, false)
	}
	for _, ext := range doc.Extensions {
		add(ext, true)
	}
	doc.Definitions, doc.Extensions = merged, nil
	return errs
}

// federated reports whether a document has one or more subgraphs of a federation.
func federated(doc *ast.SchemaDocument) bool {
	for _, s := range append(slices.Clone(doc.Schema), doc.SchemaExtension...) {
		if s.Directives.ForName("link") != nil {
			return true
		}
	}
	return slices.ContainsFunc(append(slices.Clone(doc.Definitions), doc.Extensions...), func(d *ast.Definition) bool {
		return d.Directives.ForName("key") != nil
	})
}

// merge adds another declaration of a type to the type. Of a field that both have, the first is kept, unless it is marked as
// another subgraph's.
func merge(into, def *ast.Definition, federation bool) {
	into.Directives = append(into.Directives, def.Directives...)
	for _, f := range def.Fields {
		i := slices.IndexFunc(into.Fields, func(other *ast.FieldDefinition) bool { return other.Name == f.Name })
		switch {
		case i < 0 || !federation:
			into.Fields = append(into.Fields, f)
		case into.Fields[i].Directives.ForName("external") != nil:
			into.Fields[i] = f
		}
	}
	for _, v := range def.EnumValues {
		if !federation || into.EnumValues.ForName(v.Name) == nil {
			into.EnumValues = append(into.EnumValues, v)
		}
	}
	for _, name := range def.Interfaces {
		if !federation || !slices.Contains(into.Interfaces, name) {
			into.Interfaces = append(into.Interfaces, name)
		}
	}
	for i, name := range def.Types {
		if !federation || !slices.Contains(into.Types, name) {
			into.Types = append(into.Types, name)
			if i < len(def.TypePositions) {
				into.TypePositions = append(into.TypePositions, def.TypePositions[i])
			}
		}
	}
}

// relax removes directives without a declaration, and adds federation's types: only a composed schema declares these.
func relax(doc *ast.SchemaDocument) {
	for _, name := range federationTypes {
		if doc.Definitions.ForName(name) == nil {
			doc.Definitions = append(doc.Definitions, &ast.Definition{Kind: ast.Scalar, Name: name, BuiltIn: true, Position: &ast.Position{Src: validator.Prelude}})
		}
	}
	keep := func(list *ast.DirectiveList) {
		*list = slices.DeleteFunc(slices.Clone(*list), func(d *ast.Directive) bool { return doc.Directives.ForName(d.Name) == nil })
	}
	arguments := func(list ast.ArgumentDefinitionList) {
		for _, a := range list {
			keep(&a.Directives)
		}
	}
	for _, s := range append(slices.Clone(doc.Schema), doc.SchemaExtension...) {
		keep(&s.Directives)
	}
	for _, d := range doc.Directives {
		arguments(d.Arguments)
	}
	for _, def := range doc.Definitions {
		keep(&def.Directives)
		for _, f := range def.Fields {
			external := f.Directives.ForName("external") != nil
			keep(&f.Directives)
			if external { // the linter needs it, declared or not
				f.Directives = append(f.Directives, &ast.Directive{Name: externalMark, Position: f.Position})
			}
			arguments(f.Arguments)
		}
		for _, v := range def.EnumValues {
			keep(&v.Directives)
		}
	}
	doc.Directives = append(doc.Directives, &ast.DirectiveDefinition{
		Name: externalMark, Locations: []ast.DirectiveLocation{ast.LocationFieldDefinition}, Position: &ast.Position{Src: validator.Prelude}, IsRepeatable: true,
	})
}

// externalMark marks fields that another subgraph owns.
const externalMark = "cloakroom_external"

// validate returns the schema, or all its errors. The parser's validator stops at the first error, so the part with the error
// is removed or replaced, until there are no more errors.
func validate(doc *ast.SchemaDocument) (schema *ast.Schema, errs []error) {
	for range maxErrors {
		schema, err := validator.ValidateSchemaDocument(doc)
		if err == nil {
			return schema, errs
		}
		if errs = append(errs, located(err)); !mend(doc, err) {
			break
		}
	}
	return nil, errs
}

// located formats an error as compilers do: file:line:column: message.
func located(err error) error {
	var where *gqlerror.Error
	if !errors.As(err, &where) || len(where.Locations) == 0 {
		return err
	}
	file, _ := where.Extensions["file"].(string)
	return fmt.Errorf("%s:%d:%d: %s", file, where.Locations[0].Line, where.Locations[0].Column, where.Message)
}

func at(p *ast.Position) string { return fmt.Sprintf("%s:%d", p.Src.Name, p.Line) }
