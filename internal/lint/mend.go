package lint

import (
	"errors"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// place is the position of an error.
type place struct {
	file         string
	line, column int
}

func (p place) is(at *ast.Position) bool {
	return at != nil && at.Src != nil && at.Src.Name == p.file && at.Line == p.line && at.Column == p.column
}

// in reports whether the error is about a field or an argument: its name, its type or a directive on it.
func (p place) in(at *ast.Position, typ *ast.Type, used ast.DirectiveList) bool {
	for ; typ != nil; typ = typ.Elem {
		if p.is(typ.Position) {
			return true
		}
	}
	return p.is(at) || slices.ContainsFunc(used, func(d *ast.Directive) bool {
		return p.is(d.Position) || slices.ContainsFunc(d.Arguments, func(a *ast.Argument) bool { return p.is(a.Position) || p.is(a.Value.Position) })
	})
}

// mend removes from a document the smallest part at the position of an error, and reports whether there was one.
func mend(doc *ast.SchemaDocument, err error) bool {
	var where *gqlerror.Error
	if !errors.As(err, &where) || len(where.Locations) == 0 {
		return false
	}
	p := place{line: where.Locations[0].Line, column: where.Locations[0].Column}
	p.file, _ = where.Extensions["file"].(string)
	for i, def := range doc.Definitions {
		if def.BuiltIn {
			continue
		}
		if p.mendIn(def) {
			return true
		}
		if p.in(def.Position, nil, def.Directives) {
			stub := &ast.Definition{Kind: def.Kind, Name: def.Name, Position: def.Position, BuiltIn: true}
			harmless(stub)
			doc.Definitions[i] = stub
			return true
		}
	}
	return false
}

// mendIn removes from a type the field or the argument at the position of an error.
func (p place) mendIn(def *ast.Definition) bool {
	for i := len(def.Fields) - 1; i >= 0; i-- { // of a repeated field the last one is removed
		f := def.Fields[i]
		if p.in(f.Position, f.Type, f.Directives) {
			def.Fields = slices.Delete(slices.Clone(def.Fields), i, i+1)
			harmless(def)
			return true
		}
		for j, a := range f.Arguments {
			if p.in(a.Position, a.Type, a.Directives) {
				f.Arguments = slices.Delete(slices.Clone(f.Arguments), j, j+1)
				return true
			}
		}
	}
	return false
}

// harmless gives an empty type the field or value that its kind requires.
func harmless(def *ast.Definition) {
	switch {
	case len(def.Fields) == 0 && (def.Kind == ast.Object || def.Kind == ast.Interface || def.Kind == ast.InputObject):
		def.Fields = ast.FieldList{{Name: "nothing", Type: ast.NamedType("String", def.Position), Position: def.Position}}
	case len(def.EnumValues) == 0 && def.Kind == ast.Enum:
		def.EnumValues = ast.EnumValueList{{Name: "NOTHING", Position: def.Position}}
	}
}
