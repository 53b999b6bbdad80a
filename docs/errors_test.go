package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// publicPackages are the packages that other modules import.
var publicPackages = []string{"appkit", "client", "cloakroomtest", "config", "conformance", "directives", "directives/grantstest", "gateway", "grant", "models"}

// TestDocstringsSayTheErrors: the docstring of each exported function of a public package that returns an error says
// which errors, or where they come from.
func TestDocstringsSayTheErrors(t *testing.T) {
	says := regexp.MustCompile(`(?i)\berr`)
	for _, dir := range publicPackages {
		t.Run(dir, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
			require.NoError(t, err)
			require.NotEmpty(t, files)
			set := token.NewFileSet()
			for _, name := range files {
				if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".generated.go") {
					continue
				}
				file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
				require.NoError(t, err)
				for _, d := range file.Decls {
					f, ok := d.(*ast.FuncDecl)
					if !ok || !public(f) || !fails(f) || f.Name.Name == "Unwrap" {
						continue
					}
					// The docstring begins with the name, which may contain the word itself.
					if !says.MatchString(strings.TrimPrefix(f.Doc.Text(), f.Name.Name)) {
						t.Errorf("%s: the docstring of %s does not say which errors it returns", set.Position(f.Pos()), f.Name.Name)
					}
				}
			}
		})
	}
}

// public reports whether other packages can call a function: it is exported, and so is the type of its receiver.
func public(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return f.Name.IsExported()
	}
	receiver := f.Recv.List[0].Type
	if p, ok := receiver.(*ast.StarExpr); ok {
		receiver = p.X
	}
	name, ok := receiver.(*ast.Ident)
	return ok && name.IsExported() && f.Name.IsExported()
}

func fails(f *ast.FuncDecl) bool {
	if f.Type.Results == nil {
		return false
	}
	for _, r := range f.Type.Results.List {
		if name, ok := r.Type.(*ast.Ident); ok && name.Name == "error" {
			return true
		}
	}
	return false
}
