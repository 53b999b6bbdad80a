package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	pathLike = regexp.MustCompile(`^[A-Za-z_.][^ ]*/[^ ]*$|^\./$|^[\w.-]+\.(go|md|yml|mod)$`)
	nameLike = regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)?$`)
	codeLike = regexp.MustCompile(`^[A-Z][A-Z_]+$`)
	itemLike = regexp.MustCompile(`^\s*([-*]|\d+\.|\|)\s`)
)

// TestNamesAreOfThisTree: each file that CONTRIBUTING.md and ARCHITECTURE.md name exists, and each name after a file in the same
// paragraph or item of a list is declared in that file. All other names are of settings, tables, GraphQL or packages.
func TestNamesAreOfThisTree(t *testing.T) {
	for _, page := range []string{"CONTRIBUTING.md", "ARCHITECTURE.md"} {
		t.Run(page, func(t *testing.T) {
			checked := 0
			for _, item := range items(t, page) {
				file := ""
				for _, m := range code.FindAllStringSubmatch(item, -1) {
					switch name := m[1]; {
					case name == ".tools/": // made by make
					case pathLike.MatchString(name):
						found, err := filepath.Glob(filepath.Join("..", name))
						require.NoError(t, err)
						assert.NotEmpty(t, found, "%s: no file %s", page, name)
						file = name
						checked++
					case codeLike.MatchString(name) || !nameLike.MatchString(name):
					default:
						assert.True(t, file != "" && declares(t, file, name) || known(t, name), "%s: no %s in %s: %s", page, name, file, item)
						checked++
					}
				}
			}
			require.Greater(t, checked, 100)
		})
	}
}

// items splits a page into paragraphs, items of lists and rows of tables, and leaves out fenced blocks.
func items(t *testing.T, page string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	require.NoError(t, err)
	fenced, fresh := false, true
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "```"):
			fenced, fresh = !fenced, true
		case fenced:
		case strings.TrimSpace(line) == "":
			fresh = true
		case fresh || itemLike.MatchString(line):
			all, fresh = append(all, line), false
		default:
			all[len(all)-1] += line
		}
	}
	return all
}

// declares reports whether a file, or a file of a folder, declares a name: a function, a type, a variable, a test, or as T.x
// a method or a field. In a file that is not Go, the name must occur as a word.
func declares(t *testing.T, path, name string) bool {
	t.Helper()
	path = filepath.Join("..", path)
	files := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		files, err = filepath.Glob(filepath.Join(path, "*.go"))
		require.NoError(t, err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f, ".go") {
			text, err := os.ReadFile(f)
			if err == nil && regexp.MustCompile(`\b`+regexp.QuoteMeta(name)+`\b`).Match(text) {
				return true
			}
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.SkipObjectResolution)
		if err == nil && slices.Contains(declared(parsed), name) {
			return true
		}
	}
	return false
}

// declared returns the names that a file declares.
func declared(file *ast.File) (names []string) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = receiver(d.Recv.List[0].Type) + "." + name
			}
			names = append(names, name)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					names = append(names, s.Name.Name)
					names = append(names, fieldsOf(s)...)
				case *ast.ValueSpec:
					for _, n := range s.Names {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// fieldsOf returns the names of the fields or methods of a type.
func fieldsOf(s *ast.TypeSpec) (names []string) {
	var list *ast.FieldList
	switch typ := s.Type.(type) {
	case *ast.StructType:
		list = typ.Fields
	case *ast.InterfaceType:
		list = typ.Methods
	default:
		return nil
	}
	for _, f := range list.List {
		for _, n := range f.Names {
			names = append(names, s.Name.Name+"."+n.Name)
		}
	}
	return names
}

// known reports whether a name is of a setting, a table, a field of the contract, a public package, or the standard
// library's package http.
func known(t *testing.T, name string) bool {
	t.Helper()
	isKey := func(s setting) bool { return s.key == name }
	if slices.ContainsFunc(readSettings(t), isKey) || strings.HasPrefix(name, "http.") {
		return true
	}
	if pkg, inside, ok := strings.Cut(name, "."); ok {
		return declares(t, pkg, inside)
	}
	word := regexp.MustCompile(`\b` + name + `\b`)
	for _, glob := range []string{"../models/sqlite/migrations/*.sql", "../graph/schema/*.graphqls"} {
		files, err := filepath.Glob(glob)
		require.NoError(t, err)
		for _, f := range files {
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			if word.Match(text) {
				return true
			}
		}
	}
	return false
}

// TestEachPackageHasOneRow: the table of packages in ARCHITECTURE.md has one row for each folder with Go files.
func TestEachPackageHasOneRow(t *testing.T) {
	text, err := os.ReadFile("../ARCHITECTURE.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(text), "\n## Packages\n\n| folder | what is in it |\n|---|---|\n")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n\n")
	var rows []string
	for row := range strings.Lines(table) {
		for _, m := range code.FindAllStringSubmatch(strings.Split(row, " | ")[0], -1) {
			rows = append(rows, filepath.Clean(m[1]))
		}
	}
	folders := map[string]bool{"docs": true, "e2e": true, "e2e/signin": true, "e2e/webclient": true} // only tests
	for _, file := range goFiles(t) {
		folders[filepath.Dir(file)] = true
	}
	var want []string
	for folder := range folders {
		want = append(want, folder)
	}
	require.ElementsMatch(t, want, rows)
}

// TestMakeTargets: the pages name targets that the Makefile has.
func TestMakeTargets(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	for _, page := range []string{"CONTRIBUTING.md", "README.md"} {
		text, err := os.ReadFile("../" + page)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z-]+)").FindAllStringSubmatch(string(text), -1) {
			require.Regexp(t, `(?m)^`+m[1]+`:`, string(makefile), page)
		}
	}
}
