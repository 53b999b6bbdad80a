package models_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// edit is one step of the recipe: it replaces text, which occurs once in the file. Without text it creates the file.
type edit struct{ file, text, with string }

// column returns the edits of the recipe for the column note, which reads return.
func column(migration string) []edit {
	return []edit{
		{"models/sqlite/migrations/" + migration, "", "-- +goose Up\nALTER TABLE tokens ADD COLUMN note BIGINT NOT NULL DEFAULT 0;\n\n-- +goose Down\nALTER TABLE tokens DROP COLUMN note;\n"},
		{"models/tables.go", "// nil: the sweeper never looks at the row\n", "// nil: the sweeper never looks at the row\n\tNote        int64  // 0: none\n"},
		{"models/sqlite/insert.go", "purge_at, master_key)\nVALUES (?, ", "purge_at, master_key, note)\nVALUES (?, ?, "},
		{"models/sqlite/insert.go", "int64(t.MasterKey))", "int64(t.MasterKey), t.Note)"},
		{"models/sqlite/tokens.go", "t.created_at, t.expires_at`", "t.created_at, t.expires_at, t.note`"},
		{"models/sqlite/tokens.go", "&t.CreatedAt, &expires)", "&t.CreatedAt, &expires, &t.Note)"},
		{"models/rows.go", "Its duration does not reveal whether a token without a grant exists. Only ID, Object, Sealed,\n\t// CreatedAt and ExpiresAt are set.", "Its duration does not reveal whether a token without a grant exists. Only ID, Object, Sealed,\n\t// CreatedAt, ExpiresAt and Note are set."},
		{"models/modelstest/fixture.go", "UploadUntil: noon + 1000,\n", "UploadUntil: noon + 1000, Note: 7,\n"},
		{"models/modelstest/run.go", `Sealed: []byte("sealed a"), CreatedAt: noon}`, `Sealed: []byte("sealed a"), CreatedAt: noon, Note: 7}`},
		{"models/modelstest/run.go", `Sealed: []byte("sealed b"), CreatedAt: noon, `, `Sealed: []byte("sealed b"), CreatedAt: noon, Note: 7, `},
		{"internal/vault/tokenize.go", "row.ID, row.Tenant, row.Object = t.Token.ID(), c.Tenant, up.Object\n", "row.ID, row.Tenant, row.Object, row.Note = t.Token.ID(), c.Tenant, up.Object, 1\n"},
		{"bench/filler.go", `purge_at, master_key)", 9, n`, `purge_at, master_key, note)", 10, n`},
		{"bench/filler.go", "nil, fillerKey)", "nil, fillerKey, 1)"},
	}
}

// TestTheRecipeForAColumn follows CONTRIBUTING.md in a copy of the module. Its steps are those of the page, in the same order,
// and afterwards the engine passes the contract suite, which expects the column. Nothing is fetched. With the tag full the
// benchmarks' rows have the column too, which needs a build of the whole gateway.
func TestTheRecipeForAColumn(t *testing.T) {
	migrations, err := filepath.Glob("sqlite/migrations/*.sql")
	require.NoError(t, err)
	edits := column(fmt.Sprintf("%05d_note.sql", len(migrations)+1))
	var followed []string
	for _, e := range edits {
		file := e.file
		if e.text == "" {
			file = filepath.ToSlash(filepath.Dir(file)) + "/"
		}
		if len(followed) == 0 || followed[len(followed)-1] != file {
			followed = append(followed, file)
		}
	}
	require.Equal(t, steps(t), followed, "the steps of the recipe")

	dir := t.TempDir()
	copyModule(t, dir)
	for _, e := range edits {
		path := filepath.Join(dir, filepath.FromSlash(e.file))
		if e.text == "" {
			require.NoFileExists(t, path)
			require.NoError(t, os.WriteFile(path, []byte(e.with), 0o600))
			continue
		}
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(b), e.text), "%s: %s", e.file, e.text)
		require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(b), e.text, e.with, 1)), 0o600))
	}
	inCopy(t, dir, "go", "test", "-count=1", "-run", "^TestRows$", "./models/sqlite")
	inCopy(t, dir, "go", "build", "./internal/vault")
	if full {
		inCopy(t, dir, "go", "test", "-count=1", "-run", "^TestFiller$", "./bench")
	}
}

// steps lists the files that the recipe's steps begin with.
func steps(t *testing.T) (files []string) {
	t.Helper()
	text, err := os.ReadFile("../CONTRIBUTING.md")
	require.NoError(t, err)
	_, recipe, ok := strings.Cut(string(text), "### Adding a column to tokens\n")
	require.True(t, ok)
	recipe, _, _ = strings.Cut(recipe, "\n###")
	for _, m := range regexp.MustCompile("(?m)^\\d+\\. `([^`]+)`").FindAllStringSubmatch(recipe, -1) {
		files = append(files, m[1])
	}
	return files
}

// copyModule copies the module's source files.
func copyModule(t *testing.T, to string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("..", path)
		if err != nil {
			return err
		}
		switch name := entry.Name(); {
		case entry.IsDir() && rel != "." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata"):
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		case !entry.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	}))
}

func inCopy(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %s:\n%s", name, strings.Join(args, " "), out)
}
