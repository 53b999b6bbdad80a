package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/cloakroomhq/cloakroom/gateway"
)

// A Go service embeds the gateway in four lines: settings, New, Handle, Close. Here the settings name
// the embedded object store; its handler is served on another address.
func Example() {
	cfg, clean := exampleSettings()
	defer clean()
	mux := http.NewServeMux()

	g, err := gateway.New(context.Background(), cfg, nil)
	if err != nil {
		panic(err)
	}
	defer g.Close(context.Background())
	mux.Handle("/", g)

	server := httptest.NewServer(mux)
	defer server.Close()
	response, err := http.Post(server.URL+"/graphql", "application/json", strings.NewReader(`{"query":"{ viewer { tenant } }"}`))
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	fmt.Println(string(answer), err)
	fmt.Println("an object store to serve:", g.Objects() != nil)
	// Output:
	// {"data":{"viewer":null}} <nil>
	// an object store to serve: true
}

// exampleSettings returns the settings that a file or the environment would have; see LoadConfig.
func exampleSettings() (cfg *gateway.Config, clean func()) {
	dir, err := os.MkdirTemp("", "cloakroom-example-")
	if err != nil {
		panic(err)
	}
	cfg, err = gateway.LoadConfig("", []string{
		"CLOAKROOM_HTTP_PUBLIC_URL=https://gateway.example",
		"CLOAKROOM_DATABASE_PATH=" + dir + "/cloakroom.db",
		"CLOAKROOM_KEYS_FILE=" + dir + "/keyset.json",
		"CLOAKROOM_KEYS_CREATE=true",
		"CLOAKROOM_OBJECTS_STORE=embedded",
		"CLOAKROOM_OBJECTS_EMBEDDED_DIR=" + dir + "/objects",
		"CLOAKROOM_OBJECTS_EMBEDDED_LISTEN=127.0.0.1:8081",
		"CLOAKROOM_OBJECTS_EMBEDDED_PUBLIC_URL=https://values.example",
		`CLOAKROOM_ISSUERS=[{"name":"app","issuer":"https://app.example","jwks_url":"https://app.example/.cloakroom/jwks.json","trust_roles":true}]`,
	})
	if err != nil {
		panic(err)
	}
	return cfg, func() { _ = os.RemoveAll(dir) }
}
