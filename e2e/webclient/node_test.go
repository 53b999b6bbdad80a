// Package webclient_test runs the tests of web/client: by themselves, against a real gateway, and in Chromium.
package webclient_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const clientFolder = "../../web/client"

// compiled compiles the client and its tests, once.
var compiled = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("npm", "run", "--prefix", clientFolder, "compile").CombinedOutput()
})

// built builds the package as it is published, once.
var built = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("npm", "run", "--prefix", clientFolder, "build").CombinedOutput()
})

func requireWeb(t *testing.T, step func() ([]byte, error)) {
	t.Helper()
	if _, err := os.Stat("../../web/node_modules/typescript"); err != nil {
		t.Fatal("the packages of web/ are not installed: run make tools")
	}
	said, err := step()
	require.NoError(t, err, "%s", said)
}

func node(t *testing.T, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	requireWeb(t, compiled)
	command := exec.CommandContext(t.Context(), "node", args...)
	command.Dir, command.Env = clientFolder, append(os.Environ(), environ...)
	return command
}

// nodeTests runs one file of the client's tests.
func nodeTests(t *testing.T, environ []string, file string) {
	t.Helper()
	said, err := node(t, environ, "--test", "--test-reporter=spec", ".test/test/"+file).CombinedOutput()
	require.NoError(t, err, "%s", said)
}

// runScript runs a program of the client's tests, and returns what it prints.
func runScript(t *testing.T, file string, input []byte) []byte {
	t.Helper()
	command := node(t, nil, ".test/test/"+file)
	var out, problems bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(input), &out, &problems
	require.NoError(t, command.Run(), "%s", problems.String())
	return out.Bytes()
}

// The client's tests that need no gateway, each file as a subtest.
func TestClient(t *testing.T) {
	requireWeb(t, compiled)
	files, err := filepath.Glob(clientFolder + "/.test/test/*.test.js")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) { nodeTests(t, nil, name) })
	}
}
