package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/lint"
)

// start runs the program and returns its exit code and what it printed.
func start(t *testing.T, args ...string) (exitCode int, out, stderr string) {
	t.Helper()
	var o, e bytes.Buffer
	err := run(context.Background(), args, nil, &o, &e)
	return code(err, &e), o.String(), e.String()
}

func TestLintsExitCodes(t *testing.T) {
	const clinic, clean, token = "internal/lint/testdata/clinic.graphqls", "internal/lint/testdata/clean.graphqls", "directives/token.graphqls"
	own := filepath.Join(t.TempDir(), "own.yaml")
	require.NoError(t, os.WriteFile(own, []byte("sensitive: [{id: own, what: ours, names: [name]}]"), 0o600))
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	require.NoError(t, os.WriteFile(broken, []byte("sensitive: 1"), 0o600))
	notes := filepath.Join(t.TempDir(), "notes.graphqls")
	require.NoError(t, os.WriteFile(notes, []byte("type Query { logIn(password: String): Boolean }"), 0o600))
	for _, c := range []struct {
		want int
		args []string
	}{
		{0, []string{clean, token}},
		{0, []string{"--print-rules"}},
		{0, []string{"--help"}},
		{1, []string{clinic}},
		{1, []string{clinic, "--format", "sarif"}},
		{1, []string{clean, token, "--rules", own}},
		{2, nil},
		{2, []string{"missing.graphqls"}},
		{2, []string{own}},
		{2, []string{clean, "--format", "xml"}},
		{2, []string{clean, "--rules", broken}},
		{2, []string{clean, "--rules", "missing.yaml"}},
		{2, []string{clean, clinic}},
		{0, []string{notes, token}},
	} {
		got, _, stderr := start(t, append([]string{"lint"}, c.args...)...)
		require.Equal(t, c.want, got, "%v: %s", c.args, stderr)
		require.Equal(t, c.want == 2, stderr != "", "%v: %s", c.args, stderr)
	}
}

func TestLintPrints(t *testing.T) {
	_, out, _ := start(t, "lint", "--print-rules")
	require.Equal(t, string(lint.DefaultRules), out)
	_, out, _ = start(t, "lint", "--format", "json", "internal/lint/testdata/clinic.graphqls")
	var report struct {
		Version  int
		Findings []lint.Finding
	}
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.Equal(t, 1, report.Version)
	require.NotEmpty(t, report.Findings)
}

func TestOtherCommandsFailWithOne(t *testing.T) {
	got, _, stderr := start(t, "keys", "create", "server.go")
	require.Equal(t, 1, got)
	require.Contains(t, stderr, "cloakroom:")
}
