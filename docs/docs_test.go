// Package docs_test runs the examples of the documentation; README.md says how they are marked.
package docs_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/gateway"
)

func TestPages(t *testing.T) {
	for _, page := range pages(t) {
		t.Run(strings.TrimPrefix(page, "../"), func(t *testing.T) {
			t.Parallel()
			blocks, err := readBlocks(page)
			require.NoError(t, err)
			require.NoError(t, run(t, blocks))
		})
	}
}

// pages returns the pages at the top of the repository, and all below docs/, including the fixture.
func pages(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("../*.md")
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			all = append(all, path)
		}
		return err
	}))
	require.Contains(t, all, "testdata/page.md")
	return all
}

// run handles each block according to its marker.
func run(t *testing.T, blocks []block) error {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	schema, err := gatewaySchema()
	if err != nil {
		return err
	}
	var problems []error
	needsStack, ownServers := false, false
	for _, b := range blocks {
		var err error
		switch b.kind {
		case "graphql", "graphql test":
			err = checkOperation(schema, b.text)
		case "graphql schema":
			err = checkSchema(b.text)
		case "yaml config":
			err = checkConfig(t.TempDir(), b.text, true)
		case "yaml settings":
			err = checkConfig(t.TempDir(), b.text, false)
		case "go compile":
			err = compile(ctx, t.TempDir(), b.text)
		}
		ownServers = ownServers || b.kind == "sh server"
		needsStack = needsStack || b.kind == "sh test" || b.kind == "graphql test"
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %s: %w", b.at(), b.kind, err))
		}
	}
	if ownServers && len(problems) == 0 {
		return runShell(ctx, t.TempDir(), blocks, freePorts(t))
	}
	if needsStack && len(problems) == 0 {
		s := startStack(t)
		problems = append(problems, runShell(ctx, t.TempDir(), blocks, s.local), s.runOperations(ctx, blocks))
	}
	return errors.Join(problems...)
}

func gatewaySchema() (*ast.Schema, error) {
	files, err := filepath.Glob("../graph/schema/*.graphqls")
	if err != nil {
		return nil, err
	}
	var sources []*ast.Source
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		sources = append(sources, &ast.Source{Name: f, Input: string(text)})
	}
	return gqlparser.LoadSchema(sources...)
}

func checkOperation(schema *ast.Schema, text string) error {
	if _, errs := gqlparser.LoadQueryWithRules(schema, text, rules.NewDefaultRules()); len(errs) > 0 {
		return errs
	}
	return nil
}

// checkSchema loads an application's schema together with the declarations that applications include.
func checkSchema(text string) error {
	sources := []*ast.Source{
		{Name: "token.graphqls", Input: directives.Declaration},
		{Name: "tokenid.graphqls", Input: directives.TokenIDDeclaration},
		{Name: "page", Input: text},
	}
	if !strings.Contains(text, "type Query") {
		sources = append(sources, &ast.Source{Name: "query", Input: "type Query { ok: Boolean }"})
	}
	_, err := gqlparser.LoadSchema(sources...)
	return err
}

func checkConfig(dir, text string, whole bool) error {
	file := filepath.Join(dir, "cloakroom.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	cfg, err := gateway.LoadConfig(file, nil)
	if err != nil || !whole {
		return err
	}
	return cfg.Verify()
}

// compile vets one file outside of the module's folders, so that it can't import internal packages, like other modules.
func compile(ctx context.Context, dir, text string) error {
	file := filepath.Join(dir, "page.go")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "vet", file)
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "GOPROXY=off", "GOTOOLCHAIN=local")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// TestWrongBlocks: an invalid block of each kind is refused.
func TestWrongBlocks(t *testing.T) {
	t.Parallel()
	for _, wrong := range []struct{ kind, text, says string }{
		{"graphql", "{ nothing }", "Cannot query field"},
		{"graphql test", "{ viewer { nothing } }", "Cannot query field"},
		{"graphql test", `mutation { detokenize(token: "tok-00000000-0000-4000-8000-000000000000") { token } }`, "GRANT_REQUIRED"},
		{"graphql schema", "type Patient { ssn: String @tokn }", "tokn"},
		{"yaml config", "development: true", "http.public_url"},
		{"yaml settings", "htp: {}", "htp"},
		{"yaml settings", "http: {read_timeout: 5}", "unit"},
		{"go compile", "package main\n\nfunc main() { missing() }\n", "undefined: missing"},
		{"go compile", "package main\n\nimport _ \"github.com/cloakroomhq/cloakroom/internal/vault\"\n\nfunc main() {}\n", "internal"},
		{"sh test", "true\nfalse\ntrue", "page.md:7"},
		{"sh test", "curl -sf 127.0.0.1:8080/nothing", "page.md:7"},
	} {
		t.Run(wrong.kind, func(t *testing.T) {
			t.Parallel()
			require.ErrorContains(t, run(t, []block{{page: "page.md", line: 7, kind: wrong.kind, text: wrong.text}}), wrong.says)
		})
	}
	t.Run("text output", func(t *testing.T) {
		t.Parallel()
		err := run(t, []block{{kind: "sh test", text: "echo one"}, {page: "page.md", line: 9, kind: "text output", text: "t…o\n"}})
		require.ErrorContains(t, err, "page.md:9")
	})
}
