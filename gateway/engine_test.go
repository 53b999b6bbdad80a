package gateway

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheEngineIsOpenedAndNothingElse: the gateway only opens or inspects an engine; other packages use the rows.
func TestTheEngineIsOpenedAndNothingElse(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	opened := false
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if of, ok := s.X.(*ast.Ident); ok && of.Name == "sqlite" {
				require.Contains(t, []string{"Open", "Options", "Inspect"}, s.Sel.Name, name)
				opened = opened || s.Sel.Name == "Open"
			}
			return true
		})
	}
	require.True(t, opened)
}
