package lint

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"go.yaml.in/yaml/v3"
)

// Ids of findings in a gqlgen.yml.
const (
	ruleBinding  = "gqlgen-binding"
	ruleAutobind = "gqlgen-autobind"
	ruleRuntime  = "gqlgen-runtime"
)

const directivesPackage = "github.com/cloakroomhq/cloakroom/directives"

// stringList is a list of strings as gqlgen reads it: also a single string.
type stringList []yaml.Node

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *stringList) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*s = stringList{*n}
		return nil
	}
	return n.Decode((*[]yaml.Node)(s))
}

// gqlgenConfig is the part of a gqlgen.yml that matters to @token.
type gqlgenConfig struct {
	Schema     stringList `yaml:"schema"`
	Autobind   stringList `yaml:"autobind"`
	Models     yaml.Node  `yaml:"models"`
	Directives map[string]struct {
		SkipRuntime    yaml.Node `yaml:"skip_runtime"`
		Implementation yaml.Node `yaml:"implementation"`
	} `yaml:"directives"`
}

// Gqlgen reports the settings with which gqlgen would generate a server in which @token does not work, and returns the
// schema's files, as the configuration names them. An error means that the configuration can't be read.
func Gqlgen(file string) (found []Finding, schema []string, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	var c gqlgenConfig
	if err := yaml.Unmarshal(b, &c); err != nil {
		return nil, nil, fmt.Errorf("%s is no configuration of gqlgen: %w", file, err)
	}
	for _, pattern := range c.Schema {
		files, err := gqlgenFiles(filepath.Dir(file), pattern.Value)
		if err != nil {
			return nil, nil, err
		}
		schema = append(schema, files...)
	}
	if len(c.Schema) == 0 {
		schema = []string{filepath.Join(filepath.Dir(file), "schema.graphql")} // as gqlgen does
	}
	add := func(rule, coordinate string, at yaml.Node, format string, args ...any) {
		found = append(found, Finding{
			Rule: rule, Level: LevelError, Coordinate: coordinate, Message: fmt.Sprintf(format, args...),
			File: filepath.ToSlash(file), Line: max(at.Line, 1), Column: max(at.Column, 1),
		})
	}
	for _, p := range c.Autobind {
		if p.Value == directivesPackage {
			add(ruleAutobind, "autobind", p, "gqlgen binds each of your types to the type of the same name in this package (Tokens, Grant, Check, Options, …): "+
				"remove the line, and name GrantKind and TokenID below models")
		}
	}
	if use := c.Directives["token"]; use.SkipRuntime.Value == "true" || use.Implementation.Kind != 0 {
		at := use.SkipRuntime
		if use.Implementation.Kind != 0 {
			at = use.Implementation
		}
		add(ruleRuntime, "directives.token", at, "gqlgen leaves Cloakroom's runtime out of the fields that return tokens: remove the settings of token below directives")
	}
	if err := checkBindings(c.Models, schema, add); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return found, schema, nil
}

// checkBindings reports the lines that are missing below models.
func checkBindings(models yaml.Node, schema []string, add func(rule, coordinate string, at yaml.Node, format string, args ...any)) error {
	bound := map[string]struct {
		Model stringList `yaml:"model"`
	}{}
	if models.Kind != 0 {
		if err := models.Decode(&bound); err != nil {
			return fmt.Errorf("models: %w", err)
		}
	}
	line := func(name string) string { return fmt.Sprintf("%s: { model: [%s.%[1]s] }", name, directivesPackage) }
	switch kind := bound["GrantKind"].Model; {
	case len(kind) == 0:
		add(ruleBinding, "GrantKind", models, "gqlgen makes a type of its own for it, to which tokens.Directive can't be assigned: add the line `%s` below models", line("GrantKind"))
	case kind[0].Value != directivesPackage+".GrantKind":
		add(ruleBinding, "GrantKind", kind[0], "tokens.Directive takes the type of Cloakroom: write the line `%s` below models", line("GrantKind"))
	}
	if len(bound["TokenID"].Model) == 0 && declares(schema, "TokenID") {
		add(ruleBinding, "TokenID", models, "gqlgen makes it a plain string: add the line `%s` below models, or name the Go type that you want", line("TokenID"))
	}
	return nil
}

// declares reports whether a scalar is declared in the files. Files that can't be read are reported when the schema is read.
func declares(schema []string, scalar string) bool {
	for _, name := range schema {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		doc, err := parser.ParseSchema(&ast.Source{Name: name, Input: string(b)})
		if err != nil {
			continue
		}
		if d := doc.Definitions.ForName(scalar); d != nil && d.Kind == ast.Scalar {
			return true
		}
	}
	return false
}

// gqlgenFiles returns the files of a pattern, which is below the configuration's folder; ** stands for any folders. A pattern
// without files is returned as it is, so that reading the schema reports it.
func gqlgenFiles(dir, pattern string) (files []string, err error) {
	pattern = filepath.Join(dir, filepath.FromSlash(pattern))
	root, rest, deep := strings.Cut(pattern, "**")
	if !deep {
		if files, err = filepath.Glob(pattern); len(files) == 0 {
			files = []string{pattern}
		}
		return files, err
	}
	rest = strings.TrimPrefix(filepath.ToSlash(rest), "/")
	if _, err := path.Match(rest, ""); err != nil {
		return nil, err
	}
	err = filepath.WalkDir(filepath.Clean(root), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		steps := strings.Split(filepath.ToSlash(strings.TrimPrefix(name, root)), "/")
		for i := range steps {
			if ok, _ := path.Match(rest, strings.Join(steps[i:], "/")); ok && !slices.Contains(files, name) {
				files = append(files, name)
			}
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		files = []string{pattern}
	}
	return files, err
}
