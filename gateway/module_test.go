package gateway_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// embedding is a program of another module: it sets the settings in Go, from values of its own types.
const embedding = `package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/gateway"
)

func main() {
	dir, secret := os.Args[1], "a secret that the program has read somewhere"
	cfg := gateway.DefaultConfig()
	cfg.HTTP.PublicURL = "https://gateway.example"
	cfg.Database.Path = filepath.Join(dir, "cloakroom.db")
	cfg.Keys = config.Keys{File: filepath.Join(dir, "keyset.json"), Create: true}
	cfg.Objects.Store = "embedded"
	cfg.Objects.Embedded.Dir = filepath.Join(dir, "objects")
	cfg.Objects.Embedded.Listen, cfg.Objects.Embedded.PublicURL = "127.0.0.1:8081", "https://values.example"
	cfg.Objects.S3.SecretAccessKey = config.Secret(secret)
	cfg.Grants.DefaultDuration = 5 * time.Minute
	issuer := gateway.DefaultIssuer()
	issuer.Name, issuer.Issuer, issuer.JWKSURL = "app", "https://app.example", "https://app.example/jwks.json"
	cfg.Issuers = []gateway.Issuer{issuer}
	g, err := gateway.New(context.Background(), cfg, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(cfg.Objects.S3.SecretAccessKey, g.Close(context.Background()))
}
`

// TestAnotherModule: a program of another module sets the fields of the settings, secrets too, and starts a gateway. Nothing
// is fetched.
func TestAnotherModule(t *testing.T) {
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		return string(text)
	}
	const ours = "module github.com/cloakroomhq/cloakroom\n"
	require.True(t, strings.HasPrefix(read("go.mod"), ours))
	write("main.go", embedding)
	write("go.sum", read("go.sum"))
	write("go.mod", "module example.org/embedding\n"+strings.TrimPrefix(read("go.mod"), ours)+
		"\nrequire github.com/cloakroomhq/cloakroom v0.0.0\n\nreplace github.com/cloakroomhq/cloakroom => "+root+"\n")
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", t.TempDir())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, "[redacted] <nil>\n", string(out))
}
