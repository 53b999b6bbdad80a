package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// dev refuses impossible flags and settings by name, before it creates anything.
func TestDevRefuses(t *testing.T) {
	settings := filepath.Join(t.TempDir(), "cloakroom.yaml")
	require.NoError(t, os.WriteFile(settings, []byte("database: {path: elsewhere.db}\n"), 0o600))
	for _, c := range []struct {
		name    string
		environ []string
		args    []string
		wants   []string
	}{
		{"two applications", nil, []string{"--app", "http://localhost:3000", "--app-listen", "127.0.0.1:0"}, []string{"--app-listen and --app can't be used together"}},
		{"an application that is no URL", nil, []string{"--app", "localhost:3000"}, []string{"--app=localhost:3000", "http://localhost:3000"}},
		{"a variable that a flag replaces", []string{"CLOAKROOM_HTTP_LISTEN=127.0.0.1:1"}, nil, []string{"http.listen", "CLOAKROOM_HTTP_LISTEN", "--listen"}},
		{"a file's setting that a flag replaces", nil, []string{"--config", settings}, []string{"database.path", settings, "--data"}},
		{"an issuer that is none", []string{`CLOAKROOM_ISSUERS=[{"name":"mine"}]`}, nil, []string{"issuers[1].issuer"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			args := []string{"dev", "--data", data, "--listen", "127.0.0.1:0", "--objects-listen", "127.0.0.1:0"}
			_, err := command(t, c.environ, append(args, c.args...)...)
			for _, want := range c.wants {
				require.ErrorContains(t, err, want)
			}
			require.NoFileExists(t, filepath.Join(data, "keyset.json"))
		})
	}
}
