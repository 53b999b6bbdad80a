// Package federation runs a router, npm @apollo/gateway, in front of subgraphs that use @token.
package federation

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// StartRouter runs a router until the test ends, in front of subgraphs by their names. It returns its URL.
func StartRouter(t testing.TB, subgraphs map[string]string) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	dir := filepath.Dir(here)
	if _, err := os.Stat(filepath.Join(dir, "node_modules/@apollo/gateway")); err != nil {
		t.Fatal("the router is not installed: run make tools")
	}
	arguments := []string{"router.mjs"}
	for name, url := range subgraphs {
		arguments = append(arguments, name+"="+url)
	}
	command := exec.Command("node", arguments...)
	command.Dir, command.Stderr = dir, os.Stderr
	command.Env = append(os.Environ(), "APOLLO_TELEMETRY_DISABLED=true", "NODE_ENV=production")
	input, err := command.StdinPipe()
	require.NoError(t, err)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = input.Close() // it ends with its standard input
		_ = command.Wait()
	})
	line, err := bufio.NewReader(output).ReadBytes('\n')
	require.NoError(t, err, "the router did not start")
	var started struct{ URL string }
	require.NoError(t, json.Unmarshal(line, &started))
	return started.URL
}
