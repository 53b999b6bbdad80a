package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	bindKind  = "  GrantKind: { model: [github.com/cloakroomhq/cloakroom/directives.GrantKind] }\n"
	bindToken = "  TokenID: { model: [github.com/cloakroomhq/cloakroom/directives.TokenID] }\n"
)

// backend writes a gqlgen.yml above a schema, and returns its path.
func backend(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"gqlgen.yml":              config,
		"graph/token.graphqls":    "directive @token on FIELD_DEFINITION\nenum GrantKind { READ STORE }\n",
		"graph/deep/a.graphqls":   "scalar TokenID\n",
		"graph/deep/b/c.graphqls": "type Query { id: TokenID }\n",
		"graph/deep/b/d.txt":      "no schema",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return filepath.Join(dir, "gqlgen.yml")
}

func TestGqlgen(t *testing.T) {
	const schema = "schema: ['graph/**/*.graphqls']\n"
	for name, c := range map[string]struct {
		config string
		finds  []string // rule, line, and a part of the message
	}{
		"nothing is missing":      {schema + "models:\n" + bindKind + bindToken, nil},
		"a model as a string":     {schema + "models: {GrantKind: {model: github.com/cloakroomhq/cloakroom/directives.GrantKind}, TokenID: {model: github.com/99designs/gqlgen/graphql.String}}\n", nil},
		"no models":               {schema, []string{"gqlgen-binding", bindKind, "gqlgen-binding", bindToken}},
		"GrantKind forgotten":     {schema + "models:\n" + bindToken, []string{"gqlgen-binding", bindKind}},
		"TokenID forgotten":       {schema + "models:\n" + bindKind, []string{"gqlgen-binding", bindToken}},
		"TokenID is not declared": {"schema: graph/*.graphqls\nmodels:\n" + bindKind, nil},
		"another GrantKind":       {schema + "models:\n  GrantKind: {model: example.org/app.GrantKind}\n" + bindToken, []string{"gqlgen-binding", bindKind}},
		"autobind":                {schema + "autobind:\n  - example.org/app\n  - github.com/cloakroomhq/cloakroom/directives\nmodels:\n" + bindKind + bindToken, []string{"gqlgen-autobind", "remove the line"}},
		"autobind as a string":    {schema + "autobind: github.com/cloakroomhq/cloakroom/directives\nmodels:\n" + bindKind + bindToken, []string{"gqlgen-autobind", "Tokens, Grant, Check, Options"}},
		"the runtime skipped":     {schema + "directives: {token: {skip_runtime: true}}\nmodels:\n" + bindKind + bindToken, []string{"gqlgen-runtime", "remove the settings of token"}},
		"another implementation":  {schema + "directives:\n  token:\n    implementation: |\n      return next(ctx)\nmodels:\n" + bindKind + bindToken, []string{"gqlgen-runtime", "remove the settings of token"}},
	} {
		t.Run(name, func(t *testing.T) {
			found, _, err := Gqlgen(backend(t, c.config))
			require.NoError(t, err)
			require.Len(t, found, len(c.finds)/2)
			for i, f := range found {
				require.Equal(t, c.finds[2*i], f.Rule)
				require.Equal(t, LevelError, f.Level)
				require.Contains(t, f.Message, strings.TrimSpace(c.finds[2*i+1]))
				require.Positive(t, f.Line)
				require.Equal(t, "gqlgen.yml", filepath.Base(f.File))
			}
		})
	}
	t.Run("position", func(t *testing.T) {
		found, _, err := Gqlgen(backend(t, schema+"autobind:\n  - github.com/cloakroomhq/cloakroom/directives\nmodels:\n"+bindToken))
		require.NoError(t, err)
		require.Equal(t, []int{3, 5, 5, 3}, []int{found[0].Line, found[0].Column, found[1].Line, found[1].Column})
	})
}

func TestTheSchemaOfAGqlgenConfig(t *testing.T) {
	for pattern, want := range map[string][]string{
		"schema: graph/*.graphqls":                         {"graph/token.graphqls"},
		"schema: [graph/**/*.graphqls]":                    {"graph/deep/a.graphqls", "graph/deep/b/c.graphqls", "graph/token.graphqls"},
		"schema: ['graph/**/b/*.graphqls']":                {"graph/deep/b/c.graphqls"},
		"schema: [graph/token.graphqls, missing.graphqls]": {"graph/token.graphqls", "missing.graphqls"},
		"models: {}": {"schema.graphql"},
	} {
		t.Run(pattern, func(t *testing.T) {
			file := backend(t, pattern)
			_, schema, err := Gqlgen(file)
			require.NoError(t, err)
			for i := range schema {
				schema[i], err = filepath.Rel(filepath.Dir(file), schema[i])
				require.NoError(t, err)
			}
			require.ElementsMatch(t, want, schema)
		})
	}
	for name, config := range map[string]string{"no YAML": "schema: [", "another form": "schema: {a: b}", "a list": "- a", "models": "models: [a]", "a pattern": "schema: ['graph/**/[']"} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Gqlgen(backend(t, config))
			require.Error(t, err)
		})
	}
	t.Run("no file", func(t *testing.T) {
		_, _, err := Gqlgen(filepath.Join(t.TempDir(), "gqlgen.yml"))
		require.ErrorIs(t, err, os.ErrNotExist)
	})
}

func FuzzGqlgen(f *testing.F) {
	f.Add("schema: [a, '**/b']\nautobind: x\nmodels: {GrantKind: {model: a}}\ndirectives: {token: {skip_runtime: true}}")
	f.Add("schema: &a [*a]\nmodels: {TokenID: null}\n")
	f.Fuzz(func(t *testing.T, config string) {
		if strings.Contains(config, "..") {
			return // it would search the whole machine
		}
		file := filepath.Join(t.TempDir(), "gqlgen.yml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, _ = Gqlgen(file)
	})
}
