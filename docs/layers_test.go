package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const ours = "github.com/cloakroomhq/cloakroom"

// layer is one rule of depguard.
type layer struct {
	Files []string `yaml:"files"`
	Allow []string `yaml:"allow"`
	Deny  []denial `yaml:"deny"`
}

type denial struct {
	Package string `yaml:"pkg"`
}

// layers returns the rules of .golangci.yml by their names.
func layers(t *testing.T) map[string]layer {
	t.Helper()
	text, err := os.ReadFile("../.golangci.yml")
	require.NoError(t, err)
	var settings struct {
		Linters struct {
			Settings struct {
				Depguard struct {
					Rules map[string]layer `yaml:"rules"`
				} `yaml:"depguard"`
			} `yaml:"settings"`
		} `yaml:"linters"`
	}
	require.NoError(t, yaml.Unmarshal(text, &settings))
	rules := settings.Linters.Settings.Depguard.Rules
	require.Greater(t, len(rules), 40)
	return rules
}

// globs converts a glob of depguard to a regular expression for paths from the repository's root, with a leading slash.
var globs = strings.NewReplacer("${config-path}/", "^/", ".", `\.`, "**", ".*", "*", "[^/]*", "{", "(?:", "}", ")", ",", "|")

// matches reports whether the rule applies to a file. If named is set, globs that match every file are ignored.
func (l layer) matches(path string, named bool) (ok bool) {
	for _, glob := range l.Files {
		glob, not := strings.CutPrefix(glob, "!")
		switch {
		case glob == "$test":
			if strings.HasSuffix(path, "_test.go") {
				return false
			}
		case glob == "**" && !not:
			ok = ok || !named
		case regexp.MustCompile("^" + globs.Replace(glob) + "$").MatchString("/" + path):
			if not {
				return false
			}
			ok = true
		}
	}
	return ok
}

// goFiles returns the Go files of the repository, without tests, by their paths from its root.
func goFiles(t *testing.T) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != ".." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata"):
			return filepath.SkipDir
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			files = append(files, filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator))))
		}
		return nil
	}))
	require.Greater(t, len(files), 300)
	return files
}

// TestEveryFileIsInALayer: a rule of .golangci.yml names each Go file's folder, and says which of our packages it may import.
func TestEveryFileIsInALayer(t *testing.T) {
	rules, used := layers(t), map[string]bool{}
	var without []string
	for _, file := range goFiles(t) {
		named := false
		for name, rule := range rules {
			if rule.matches(file, true) {
				used[name] = true
				named = named || slices.Contains(rule.Deny, denial{ours})
			}
		}
		if !named {
			without = append(without, file)
		}
	}
	require.Empty(t, without, "no rule of .golangci.yml says what of ours these may import")
	for name, rule := range rules {
		require.True(t, used[name] || slices.Contains(rule.Files, "**"), "rule %s is for files that do not exist", name)
	}
}

// TestEveryRuleIsBroken: for each package that a rule denies, scripts/check-layers has an import that the rule refuses.
func TestEveryRuleIsBroken(t *testing.T) {
	text, err := os.ReadFile("../scripts/check-layers")
	require.NoError(t, err)
	refused := pairs(t, string(text), "refused")
	for name, rule := range layers(t) {
		t.Run(name, func(t *testing.T) {
			for _, d := range rule.Deny {
				assert.True(t, slices.ContainsFunc(refused, func(p [2]string) bool {
					return rule.matches(p[0], false) && under(p[1], d.Package) && !slices.ContainsFunc(rule.Allow, func(a string) bool { return under(p[1], a) })
				}), "scripts/check-layers has no import of %s that rule %s refuses", d.Package, name)
			}
		})
	}
}

// under reports whether an import is a rule's package or below it; a rule that ends in $ matches only the package itself.
func under(path, rule string) bool {
	if exact, ok := strings.CutSuffix(rule, "$"); ok {
		return path == exact
	}
	return strings.HasPrefix(path, rule)
}

// pairs reads a list of scripts/check-layers: files, each with a package that it imports.
func pairs(t *testing.T, script, list string) (all [][2]string) {
	t.Helper()
	_, text, ok := strings.Cut(script, "\n"+list+"=\"\n")
	require.True(t, ok)
	text, _, _ = strings.Cut(text, "\"\n")
	for line := range strings.Lines(text) {
		folder, path, ok := strings.Cut(strings.TrimSpace(line), " ")
		require.True(t, ok, line)
		if below, ok := strings.CutPrefix(path, "./"); ok {
			path = ours + "/" + below
		}
		file := folder + "/stub.go"
		if folder == "." {
			file = "server.go"
		}
		all = append(all, [2]string{file, path})
	}
	require.NotEmpty(t, all)
	return all
}
