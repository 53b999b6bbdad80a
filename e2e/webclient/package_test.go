package webclient_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const program = `import { Cloakroom, GrantRequiredError, type Metadata, type Tokenized } from '@cloakroom/client';
import { ciphertextSize } from '@cloakroom/client/crypto';

const cloakroom = new Cloakroom({ url: 'https://vault.example.com', authorization: () => 'jwt' });
export const store = (value: Blob, metadata: Metadata): Promise<Tokenized> => cloakroom.tokenize(value, { metadata, ttl: '1h' });
export const read = async (token: string): Promise<string> => {
  try {
    return await (await cloakroom.reveal(token)).text();
  } catch (error) {
    if (error instanceof GrantRequiredError && error.code === 'GRANT_REQUIRED') return '';
    throw error;
  }
};
// @ts-expect-error: a number is no value
cloakroom.tokenize(1).catch(() => undefined);
console.log(ciphertextSize(0));
`

// npm pack makes a tarball that installs without a network, loads without a window, and has types.
func TestPackage(t *testing.T) {
	requireWeb(t, built)
	dir := t.TempDir()
	in := func(folder, name string, args ...string) []byte {
		t.Helper()
		command := exec.CommandContext(t.Context(), name, args...)
		command.Dir = folder
		said, err := command.CombinedOutput()
		require.NoError(t, err, "%s", said)
		return said
	}
	in(clientFolder, "npm", "pack", "--ignore-scripts", "--pack-destination", dir)
	tarballs, err := filepath.Glob(dir + "/*.tgz")
	require.NoError(t, err)
	require.Len(t, tarballs, 1)
	require.NoError(t, os.WriteFile(dir+"/package.json", []byte(`{"type": "module", "private": true}`), 0o600))
	require.NoError(t, os.WriteFile(dir+"/program.ts", []byte(program), 0o600))
	in(dir, "npm", "install", "--offline", "--no-audit", "--no-fund", tarballs[0])

	tsc, err := filepath.Abs("../../web/node_modules/.bin/tsc")
	require.NoError(t, err)
	in(dir, tsc, "--strict", "--target", "es2022", "--lib", "es2023,dom,dom.iterable", "--module", "nodenext", "--types", "", "program.ts")
	assert.Equal(t, "56\n", string(in(dir, "node", "program.js")))

	installed := dir + "/node_modules/@cloakroom/client/"
	for _, name := range []string{"LICENSE", "README.md", "operations.graphql", "dist/cloakroom.min.js", "dist/index.d.ts"} {
		assert.FileExists(t, installed+name)
	}
	for _, name := range []string{"src", "test", "build", ".test"} {
		assert.NoDirExists(t, installed+name)
	}
	text, err := os.ReadFile(installed + "package.json")
	require.NoError(t, err)
	var manifest map[string]any
	require.NoError(t, json.Unmarshal(text, &manifest))
	assert.NotContains(t, manifest, "dependencies")
	assert.Equal(t, "Apache-2.0", manifest["license"])
	assert.Equal(t, false, manifest["sideEffects"])
}
