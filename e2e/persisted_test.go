package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/gateway"
)

// generatedFolder makes a folder beside node_modules, so that packages are found, and returns its name in clients.
func generatedFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("clients", "generated-") //nolint:usetesting // beside node_modules
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Base(dir)
}

func writeJSON(t *testing.T, path string, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, b, 0o600))
}

// listing starts a gateway that runs only the operations of one manifest.
func listing(t *testing.T, manifest string) *stack.Stack {
	t.Helper()
	text, err := os.ReadFile(manifest)
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, filepath.Base(manifest)), text, 0o600))
	return stack.Start(t, stack.Configure(func(c *gateway.Config) { c.GraphQL.AllowList = folder }))
}

// Apollo Client, with persisted queries and without, runs the operations of its manifest, and is refused others.
func TestPersistedQueriesOfApollo(t *testing.T) {
	requireClients(t)
	out := generatedFolder(t)
	manifest := out + "/persisted-query-manifest.json"
	writeJSON(t, filepath.Join("clients", out, "config.json"), map[string]any{"documents": []string{"persisted/listed.js"}, "output": manifest})
	runTool(t, nil, "generate-persisted-query-manifest", "--config", out+"/config.json")
	s := listing(t, filepath.Join("clients", manifest))
	runScript(t, map[string]string{"session": s.Session(t).JWT}, "persisted-apollo.mjs", s.GatewayURL, manifest)
}

// Relay's runtime runs the operations that relay-compiler lists, by id and by text, and is refused others.
func TestPersistedQueriesOfRelay(t *testing.T) {
	requireClients(t)
	out := generatedFolder(t)
	dir := filepath.Join("clients", out)
	schema := exec.CommandContext(t.Context(), "node", "print-schema.mjs", stack.Start(t).GatewayURL+"/graphql")
	schema.Dir = "clients"
	text, err := schema.Output()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "schema.graphql"), text, 0o600))
	require.NoError(t, os.CopyFS(filepath.Join(dir, "persisted"), os.DirFS("clients/persisted")))

	compile := func(source, artifacts, manifest string) {
		settings := map[string]any{"src": "persisted/" + source, "schema": "schema.graphql", "language": "javascript", "artifactDirectory": artifacts}
		if manifest != "" {
			settings["persistConfig"] = map[string]string{"file": manifest, "algorithm": "SHA256"}
			require.NoError(t, os.WriteFile(filepath.Join(dir, manifest), []byte("{}"), 0o600))
		}
		require.NoError(t, os.Mkdir(filepath.Join(dir, artifacts), 0o700))
		writeJSON(t, filepath.Join(dir, artifacts+".json"), settings)
		compiler := exec.CommandContext(t.Context(), "../node_modules/.bin/relay-compiler", artifacts+".json")
		compiler.Dir = dir // its settings' paths are relative to it
		said, err := compiler.CombinedOutput()
		require.NoError(t, err, "%s", said)
	}
	compile("relay-listed", "listed", "persisted.json")
	compile("relay-listed", "texts", "")
	compile("relay-unlisted", "unlisted", "others.json")
	s := listing(t, filepath.Join(dir, "persisted.json"))
	runScript(t, map[string]string{"session": s.Session(t).JWT}, "persisted-relay.mjs", s.GatewayURL, out+"/listed", out+"/texts", out+"/unlisted")
}
