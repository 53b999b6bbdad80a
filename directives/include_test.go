package directives_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/cloakroomhq/cloakroom/directives"
)

// ownNames is the schema of an application whose types have the names of the package's types.
const ownNames = `
scalar Duration
type Tokens { id: ID! owner: String text: String @token(duration: "5m") refreshed: Duration }
type Grant { id: ID! purpose: String }
type Granted { id: ID! }
type Check { passed: Boolean! at: Duration }
input Options { color: String token: ID @token }
interface Grants { id: ID! }
type Observer implements Grants { id: ID! eyes: Int }
type Revoker { name: String }
type SchemaError { line: Int }
enum TokenID { FRONT BACK }
type Query { tokens: [Tokens!]! grant: Grant granted: Granted check(options: Options): Check grants: [Grants!]
  observer: Observer revoker: Revoker error: SchemaError token: TokenID }
`

// useOfOwnNames compiles only if each of these types is the application's.
const useOfOwnNames = `package graph

import "github.com/cloakroomhq/cloakroom/directives"

var (
	owner   = "me"
	_       = Tokens{ID: "1", Owner: &owner, Text: &owner, Refreshed: &owner}
	_       = Grant{ID: "1", Purpose: &owner}
	_       = Granted{ID: "1"}
	_       = Check{Passed: true, At: &owner}
	_       = Options{Color: &owner}
	_ Grants = Observer{ID: "1"}
	_       = Revoker{Name: &owner}
	_       = SchemaError{}
	_       = TokenIDFront
)

func config(tokens *directives.Tokens) Config {
	var c Config
	c.Directives.Token = tokens.Directive
	return c
}
`

const ownConfig = `
schema: [graph/*.graphqls]
exec: { filename: graph/generated.go, package: graph }
model: { filename: graph/models_gen.go, package: graph }
skip_mod_tidy: true
`

// generated runs gqlgen and returns an application's folder: in this module, so that no dependency has to be resolved.
func generated(t *testing.T, config string) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("testdata", "include-") //nolint:usetesting // in this module, so that nothing has to be resolved
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Mkdir(filepath.Join(dir, "graph"), 0o700))
	for name, text := range map[string]string{
		"gqlgen.yml": config, "graph/token.graphqls": directives.Declaration, "graph/own.graphqls": ownNames, "graph/use.go": useOfOwnNames,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	out, err := goOffline(t, dir, "tool", "gqlgen", "generate")
	require.NoError(t, err, out)
	return dir
}

func goOffline(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestTheDeclarationTakesNoTypeNameOfTheApplication(t *testing.T) {
	require.NoError(t, os.MkdirAll("testdata", 0o700))
	t.Run("the schema has a type with the name of every exported type", func(t *testing.T) {
		out, err := goOffline(t, ".", "doc", "-short", ".")
		require.NoError(t, err, out)
		doc, err := parser.ParseSchema(&ast.Source{Input: ownNames})
		require.NoError(t, err)
		for line := range strings.Lines(out) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), "type "); ok {
				name, _, _ = strings.Cut(name, " ")
				require.True(t, name == "GrantKind" || doc.Definitions.ForName(name) != nil, name)
			}
		}
	})
	t.Run("with GrantKind bound by name, the application compiles with its own types", func(t *testing.T) {
		dir := generated(t, ownConfig+"models: { GrantKind: { model: [github.com/cloakroomhq/cloakroom/directives.GrantKind] } }\n")
		out, err := goOffline(t, dir, "vet", "./graph")
		require.NoError(t, err, out)
	})
	t.Run("a forgotten binding does not compile, and the error names both types", func(t *testing.T) {
		dir := generated(t, ownConfig)
		out, err := goOffline(t, dir, "vet", "./graph")
		require.Error(t, err)
		require.Contains(t, out, "tokens.Directive")
		require.Contains(t, out, "grants []directives.GrantKind")
		require.Contains(t, out, "grants []GrantKind")
	})
}
