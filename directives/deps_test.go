package directives_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func goIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local")
	var failed strings.Builder
	cmd.Stderr = &failed
	out, err := cmd.Output()
	require.NoError(t, err, failed.String())
	return strings.TrimSpace(string(out))
}

// modules returns the modules, other than this one, whose packages a package links.
func modules(t *testing.T, pkg string) []string {
	t.Helper()
	out := goIn(t, "..", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", pkg)
	return slices.Compact(slices.Sorted(slices.Values(strings.Fields(out))))
}

func TestTheRuntimeLinksNothingThatGqlgenDoesNot(t *testing.T) {
	require.Subset(t, append(modules(t, "github.com/99designs/gqlgen/graphql"), "github.com/99designs/gqlgen"), modules(t, "./directives"))
	packages := strings.Fields(goIn(t, "..", "list", "-deps", "./directives"))
	gqlgen := strings.Fields(goIn(t, "..", "list", "-deps", "github.com/99designs/gqlgen/graphql"))
	for _, p := range packages {
		switch {
		case strings.HasPrefix(p, "github.com/cloakroomhq/cloakroom/"):
			require.Contains(t, []string{"github.com/cloakroomhq/cloakroom/directives", "github.com/cloakroomhq/cloakroom/grant", "github.com/cloakroomhq/cloakroom/internal/ids"}, p)
		case strings.HasPrefix(p, "github.com/vektah/gqlparser/v2/"):
		case strings.Contains(strings.Split(p, "/")[0], "."): // not the standard library's
			require.Contains(t, gqlgen, p)
		}
	}
}

// required returns the requirements in the tidy go.mod of a temporary module with this program.
func required(t *testing.T, imports ...string) []string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	program := "package main\n\nimport (\n"
	for _, p := range imports {
		program += "\t_ \"" + p + "\"\n"
	}
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	version := strings.Fields(goIn(t, "..", "list", "-m", "github.com/99designs/gqlgen"))[1]
	write("main.go", program+")\n\nfunc main() {}\n")
	write("go.mod", "module example.org/backend\n\ngo 1.26.0\n\nrequire github.com/99designs/gqlgen "+version+
		"\n\nreplace github.com/cloakroomhq/cloakroom => "+root+"\n")
	goIn(t, dir, "mod", "tidy")
	edit := goIn(t, dir, "mod", "edit", "-json")
	var paths []string
	for line := range strings.Lines(edit[strings.Index(edit, `"Require"`):]) {
		if _, path, ok := strings.Cut(line, `"Path": "`); ok {
			paths = append(paths, strings.TrimRight(path, "\",\n"))
		}
		if strings.TrimSpace(line) == "]," {
			break
		}
	}
	return slices.Sorted(slices.Values(paths))
}

func TestABackendsModuleGainsNoOtherDependency(t *testing.T) {
	gqlgen := []string{"github.com/99designs/gqlgen/graphql", "github.com/99designs/gqlgen/graphql/handler", "github.com/vektah/gqlparser/v2"}
	with := required(t, append(gqlgen, "github.com/cloakroomhq/cloakroom/directives")...)
	without := required(t, gqlgen...)
	require.Equal(t, slices.Sorted(slices.Values(append(without, "github.com/cloakroomhq/cloakroom"))), with)
}
