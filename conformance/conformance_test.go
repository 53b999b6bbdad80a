package conformance_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/cloakroomhq/cloakroom/conformance"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// minCases is the minimum number of cases, so that a case lost in an edit is noticed.
const minCases = 380

func TestCasesAreWellFormed(t *testing.T) {
	suites, err := conformance.Load()
	require.NoError(t, err)
	n := 0
	for _, s := range suites {
		require.NotEmpty(t, s.About, s.Name)
		names := map[string]bool{}
		for _, c := range s.Cases {
			n++
			t.Run(s.Name+"/"+c.Name, func(t *testing.T) {
				require.NotEmpty(t, c.Name)
				require.False(t, names[c.Name], "two cases have this name")
				names[c.Name] = true
				schema := schemaOf(t, s.Schema, c.Schema)
				if c.Refused != nil {
					require.Nil(t, c.Expect)
					return
				}
				require.NotEqual(t, c.Steps != nil, c.Expect != nil, "either steps or one operation")
				require.Contains(t, []string{conformance.Answers, conformance.Fails, conformance.Hangs}, c.Gateway)
				durations(t, c.Remember)
				for token, kinds := range c.Held {
					require.True(t, ids.ValidToken(token), token)
					require.Subset(t, []string{"READ", "STORE"}, kinds)
				}
				coordinates(t, schema, &c)
				for _, step := range c.Sequence() {
					checkStep(t, schema, &step)
				}
			})
		}
	}
	require.GreaterOrEqual(t, n, minCases)
}

func schemaOf(t *testing.T, file, text string) *ast.Schema {
	t.Helper()
	sources := []*ast.Source{{Name: "token", Input: directives.Declaration}, {Name: "tokenid", Input: directives.TokenIDDeclaration}}
	if text != "" {
		sources = append(sources, &ast.Source{Name: "case", Input: text})
	} else {
		names := []string{file}
		if file == "subgraph.graphqls" {
			names = append(names, "federation.graphqls")
		}
		for _, name := range names {
			text, err := conformance.Schema(name)
			require.NoError(t, err)
			sources = append(sources, &ast.Source{Name: name, Input: text})
		}
	}
	schema, err := gqlparser.LoadSchema(sources...)
	require.NoError(t, err)
	return schema
}

func durations(t *testing.T, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if s != "" {
			_, err := time.ParseDuration(s)
			require.NoError(t, err)
		}
	}
}

// coordinates requires that the schema has every field that a case names.
func coordinates(t *testing.T, schema *ast.Schema, c *conformance.Case) {
	t.Helper()
	names := append([]string{}, c.Failing...)
	for name := range c.Resolved {
		names = append(names, name)
	}
	for _, name := range names {
		typ, field, _ := strings.Cut(name, ".")
		require.NotNil(t, schema.Types[typ], name)
		require.NotNil(t, schema.Types[typ].Fields.ForName(field), name)
	}
}

func checkStep(t *testing.T, schema *ast.Schema, step *conformance.Step) {
	t.Helper()
	durations(t, step.After)
	doc, errs := gqlparser.LoadQueryWithRules(schema, step.Operation, rules.NewDefaultRules())
	require.Empty(t, errs)
	require.Len(t, doc.Operations, 1)
	var variables map[string]any
	if step.Variables != nil {
		require.NoError(t, json.Unmarshal(step.Variables, &variables))
	}
	_, err := validator.VariableValues(schema, doc.Operations[0], variables)
	require.NoError(t, err)
	require.NotNil(t, step.Expect)
	for _, line := range step.Expect.Verified {
		grant(t, line, 2)
	}
	for _, r := range step.Expect.All() {
		for _, line := range r.Created {
			grant(t, line, 2, 3)
		}
		for _, e := range r.Errors {
			require.Contains(t, []string{"", "GRANT_REQUIRED", "UNAUTHENTICATED", "UNAVAILABLE", "LIMIT_EXCEEDED", "BAD_USER_INPUT", "INTERNAL"}, e.Code)
		}
	}
}

// grant reads a line "TOKEN KIND[+KIND] [LIFE]".
func grant(t *testing.T, line string, parts ...int) {
	t.Helper()
	fields := strings.Fields(line)
	require.Contains(t, parts, len(fields), line)
	require.True(t, strings.HasPrefix(fields[0], "tok-"), line)
	require.Contains(t, []string{"READ", "STORE", "READ+STORE"}, fields[1], line)
	durations(t, append([]string{""}, fields[2:]...)...)
}
