package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/settings"
)

// setting is one row of configuration.md.
type setting struct{ key, variable, preset, meaning string }

var code = regexp.MustCompile("`([^`]*)`")

func readSettings(t *testing.T) []setting {
	t.Helper()
	text, err := os.ReadFile("configuration.md")
	require.NoError(t, err)
	var rows []setting
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		s := setting{key: strings.Trim(cells[0], "`"), preset: cells[len(cells)-2], meaning: cells[len(cells)-1]}
		if len(cells) == 4 {
			s.variable = strings.Trim(cells[1], "`")
		}
		rows = append(rows, s)
	}
	return rows
}

func TestConfigurationPage(t *testing.T) {
	var keys []string
	for _, row := range readSettings(t) {
		keys = append(keys, row.key)
		require.NotEmpty(t, row.meaning, row.key)
		if strings.HasPrefix(row.key, "issuers[].") {
			require.Empty(t, row.variable, row.key)
			continue
		}
		require.Equal(t, "CLOAKROOM_"+strings.ToUpper(strings.ReplaceAll(row.key, ".", "_")), row.variable)
	}
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(keys))), len(keys), "a setting has two rows")
	for _, key := range settings.Keys() {
		if key != "issuers" { // its fields have rows
			require.Contains(t, keys, key, "docs/configuration.md lacks a setting")
		}
	}
	for _, key := range keys {
		require.Contains(t, settings.Keys(), key, "docs/configuration.md has a setting that does not exist")
	}
}

// TestConfigurationDefaults compares the page's defaults with the program's.
func TestConfigurationDefaults(t *testing.T) {
	cfg := config.Default()
	cfg.Issuers = []config.Issuer{config.DefaultIssuer()}
	text, err := settings.Print(cfg)
	require.NoError(t, err)
	var printed map[string]any
	err = yaml.Unmarshal(text, &printed)
	require.NoError(t, err)
	presets := map[string]any{}
	flatten(presets, "", printed)
	for _, row := range readSettings(t) {
		preset, ok := presets[row.key]
		require.True(t, ok, row.key)
		want := strings.Trim(fmt.Sprint(preset), "[]")
		if d, err := time.ParseDuration(want); err == nil && want != "0" {
			shown := code.FindStringSubmatch(row.preset)
			require.NotNil(t, shown, row.key)
			got, err := time.ParseDuration(shown[1])
			require.NoError(t, err, row.key)
			require.Equal(t, d, got, row.key)
			continue
		}
		if want == "" { // no default: the page has words instead
			require.Regexp(t, `^(none|required.*|this or .*|`+"`http.public_url`)$", row.preset, row.key)
			continue
		}
		var shown []string
		for _, match := range code.FindAllStringSubmatch(row.preset, -1) {
			shown = append(shown, match[1])
		}
		require.Equal(t, want, strings.Join(shown, " "), row.key)
	}
}

func flatten(into map[string]any, prefix string, tree map[string]any) {
	for name, v := range tree {
		if list, ok := v.([]any); ok && name == "issuers" {
			name, v = name+"[]", list[0]
		}
		if branch, ok := v.(map[string]any); ok {
			flatten(into, prefix+name+".", branch)
			continue
		}
		into[prefix+name] = v
	}
}

// TestConfigurationInGodoc: the comment of each field of the settings' types has the page's default in the same words, so that
// godoc is complete without the page.
func TestConfigurationInGodoc(t *testing.T) {
	comments := fieldComments(t, "../config")
	of := map[string]string{}
	collectComments(of, comments, "", reflect.TypeFor[config.Config]())
	collectComments(of, comments, "issuers[].", reflect.TypeFor[config.Issuer]())
	for _, row := range readSettings(t) {
		if strings.HasSuffix(row.key, ".per_second") || strings.HasSuffix(row.key, ".burst") {
			of[row.key] = of[strings.Join(strings.Split(row.key, ".")[:2], ".")] // the comment of the rate has all its numbers
			require.Contains(t, of[row.key], "Default: ", row.key)
			continue
		}
		preset := strings.ReplaceAll(row.preset, "`", "")
		switch {
		case strings.HasPrefix(preset, "required"):
			require.Contains(t, of[row.key], "Required"+strings.TrimPrefix(preset, "required")+".", row.key)
		case strings.HasPrefix(preset, "this or "):
			require.Contains(t, of[row.key], "Required: this, ", row.key)
		default:
			require.Contains(t, of[row.key], "Default: "+preset+".", row.key)
		}
	}
}

// fieldComments returns the comments of the fields of all structs of a package, by Type.Field, each as one line.
func fieldComments(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	comments := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					for _, field := range f.Names {
						comments[spec.Name.Name+"."+field.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
					}
				}
			}
			return false
		})
	}
	return comments
}

func collectComments(into, comments map[string]string, prefix string, of reflect.Type) {
	for i := range of.NumField() {
		f := of.Field(i)
		key := prefix + f.Tag.Get("yaml")
		into[key] = comments[of.Name()+"."+f.Name]
		if f.Type.Kind() == reflect.Struct {
			collectComments(into, comments, key+".", f.Type)
		}
	}
}
