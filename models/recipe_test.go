package models_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var quoted = regexp.MustCompile("`([^`]+)`")

// TestTheRecipeIsOfThisTree: each step that CONTRIBUTING.md has for a column of tokens names files that exist, and what it
// names in them is there.
func TestTheRecipeIsOfThisTree(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "CONTRIBUTING.md"))
	require.NoError(t, err)
	_, recipe, ok := strings.Cut(string(text), "## Adding a column to tokens\n")
	require.True(t, ok)
	recipe, _, ok = strings.Cut(recipe, "\n## ")
	require.True(t, ok)
	steps := regexp.MustCompile(`(?m)^(\d\. |A new kind)`).Split(recipe, -1)[1:]
	require.Len(t, steps, 8)
	for _, step := range steps {
		source := ""
		var names []string
		for _, m := range quoted.FindAllStringSubmatch(step, -1) {
			switch name := m[1]; {
			case strings.Contains(name, " "): // SQL
			case strings.Contains(name, "/"):
				path := filepath.Join("..", name)
				info, err := os.Stat(path)
				require.NoError(t, err)
				if !info.IsDir() {
					b, err := os.ReadFile(path)
					require.NoError(t, err)
					source += string(b)
				}
			default:
				names = append(names, strings.TrimPrefix(name, "models."))
			}
		}
		for _, name := range names {
			require.Regexp(t, `\b`+name+`\b`, source, "named in: %s", step)
		}
	}
}
