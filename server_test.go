package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/gateway"
)

// command runs one command line to its end, with its own environment. A serve that should have refused
// to start is stopped after a while, and then returns no error.
func command(t *testing.T, environ []string, args ...string) (out string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var stdout, stderr bytes.Buffer
	err = run(ctx, args, environ, &stdout, &stderr)
	return stdout.String(), err
}

// settings returns an environment in which serve starts: an embedded store and inline keys, on free ports.
func writeSettings(t *testing.T, tenant *stack.Tenant) map[string]string {
	t.Helper()
	dir := t.TempDir()
	keyset := filepath.Join(dir, "keyset.json")
	_, err := command(t, nil, "keys", "create", keyset)
	require.NoError(t, err)
	gatewayAddress, objectsAddress := freeAddress(t), freeAddress(t)
	issuers := fmt.Sprintf(`[{"name":%q,"issuer":%q,"jwks":%q,"trust_roles":true}]`, tenant.Name, tenant.Issuer, tenant.JWKS(t))
	return map[string]string{
		"HTTP_LISTEN": gatewayAddress, "HTTP_PUBLIC_URL": "http://" + gatewayAddress,
		"DATABASE_PATH": filepath.Join(dir, "cloakroom.db"), "KEYS_FILE": keyset, "ISSUERS": issuers,
		"OBJECTS_STORE": "embedded", "OBJECTS_EMBEDDED_DIR": filepath.Join(dir, "objects"),
		"OBJECTS_EMBEDDED_LISTEN": objectsAddress, "OBJECTS_EMBEDDED_PUBLIC_URL": "http://" + objectsAddress,
	}
}

func environ(settings map[string]string) (lines []string) {
	for name, value := range settings {
		lines = append(lines, "CLOAKROOM_"+name+"="+value)
	}
	return lines
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestConfigPrintsSettingsAndMasksSecrets(t *testing.T) {
	set := writeSettings(t, stack.NewTenant(t, "app"))
	set["OBJECTS_S3_SECRET_ACCESS_KEY"] = "very-secret-very-secret"
	set["GRANTS_DEFAULT_DURATION"] = "7m"
	out, err := command(t, environ(set), "config")
	require.NoError(t, err)
	assert.Contains(t, out, "default_duration: 7m0s")
	assert.Contains(t, out, "path: "+set["DATABASE_PATH"])
	assert.NotContains(t, out, "very-secret")
	assert.Contains(t, out, "secret_access_key: '[redacted]'")

	t.Run("the output can be used as a file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "cloakroom.yaml")
		require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(out, "'[redacted]'", "''")), 0o600))
		again, err := command(t, nil, "config", "--config", file)
		require.NoError(t, err)
		assert.Equal(t, strings.ReplaceAll(out, "'[redacted]'", `""`), again)
	})
	t.Run("with the problems", func(t *testing.T) {
		delete(set, "DATABASE_PATH")
		out, err := command(t, environ(set), "config")
		require.ErrorContains(t, err, "database.path")
		assert.Contains(t, out, "database:")
	})
}

func TestServeAnswersUntilItIsStopped(t *testing.T) {
	tenant := stack.NewTenant(t, "app")
	set := writeSettings(t, tenant)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	logs := &stack.Buffer{}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"serve"}, environ(set), logs, logs) }()
	s := &stack.Stack{GatewayURL: set["HTTP_PUBLIC_URL"], HTTP: &http.Client{}}
	defer s.HTTP.CloseIdleConnections()
	stack.Await(t, "readiness", func() bool {
		response, err := http.Get(s.GatewayURL + "/readyz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	jwt := tenant.SessionJWT(t, s.GatewayURL, "a session")
	token, _ := s.Store(t, jwt, []byte("served"), nil)
	assert.Equal(t, "served", string(s.Read(t, jwt, token)))
	assert.Equal(t, http.StatusNotFound, s.Get(t, s.GatewayURL+"/").Status, "the playground is for development")
	assert.Equal(t, "FORBIDDEN", s.Query(t, jwt, `{ __schema { queryType { name } } }`, nil).Code())
	stop()
	require.NoError(t, <-ended)
	assert.Contains(t, logs.String(), `"msg":"serving"`)
}

func TestServeRefusesSettingsByNameAndRemedy(t *testing.T) {
	for _, test := range []struct{ name, set, to, setting, remedy string }{
		{"no public URL", "HTTP_PUBLIC_URL", "", "http.public_url", "write https://"},
		{"public URL with a path", "HTTP_PUBLIC_URL", "https://x.example/gateway", "http.public_url", "without a path"},
		{"public URL in clear", "HTTP_PUBLIC_URL", "http://x.example", "http.public_url", "use https"},
		{"no address", "HTTP_LISTEN", "8080", "http.listen", "write host:port"},
		{"any origin", "HTTP_ALLOWED_ORIGINS", "*", "http.allowed_origins", "write https://host"},
		{"a duration without a unit", "HTTP_READ_TIMEOUT", "15", "read_timeout", "unit"},
		{"a body without bound", "HTTP_MAX_BODY", "99999999999", "http.max_body", "between"},
		{"no depth", "GRAPHQL_MAX_DEPTH", "0", "graphql.max_depth", "between"},
		{"a number that is none", "GRAPHQL_MAX_DEPTH", "deep", "max_depth", "whole number"},
		{"an allow-list that is not there", "GRAPHQL_ALLOW_LIST", "/nonexistent", "graphql.allow_list", "name one"},
		{"no issuer", "ISSUERS", "[]", "issuers", "name the application's issuer"},
		{"issuers that are no JSON", "ISSUERS", "app", "CLOAKROOM_ISSUERS", "JSON list"},
		{"an issuer without keys", "ISSUERS", `[{"name":"a","issuer":"b"}]`, "issuers[0].jwks_url", "set one of discovery, this and jwks"},
		{"an issuer with a symmetric algorithm", "ISSUERS", `[{"name":"a","issuer":"b","jwks":"{}","algorithms":["HS256"]}]`, "issuers[0].algorithms", "asymmetric"},
		{"an issuer with the algorithm none", "ISSUERS", `[{"name":"a","issuer":"b","jwks":"{}","algorithms":["none"]}]`, "issuers[0].algorithms", "asymmetric"},
		{"an issuer's keys in clear", "ISSUERS", `[{"name":"a","issuer":"b","jwks_url":"http://x.example/jwks"}]`, "issuers[0].jwks_url", "use https"},
		{"an issuer's unknown setting", "ISSUERS", `[{"name":"a","issuer":"b","jwks":"{}","algoritms":["ES256"]}]`, "issuers[0]", "algoritms"},
		{"keys that are none", "ISSUERS", `[{"name":"a","issuer":"b","jwks":"{}"}]`, "issuers[0].jwks", "JWKS"},
		{"a strange prefix", "TOKENS_PREFIX", "Tok-", "tokens.prefix", "lower-case letter"},
		{"grants over their maximum", "GRANTS_DEFAULT_DURATION", "48h", "grants.default_duration", "between"},
		{"no database", "DATABASE_PATH", "", "database.path", "name the SQLite file"},
		{"no keyset", "KEYS_FILE", "", "keys.file", "keys create"},
		{"a keyset that is not there", "KEYS_FILE", "/nonexistent/keyset.json", "keys.file", "keys create"},
		{"an unknown store", "OBJECTS_STORE", "ftp", "objects.store", "embedded nor s3"},
		{"a bucket without a name", "OBJECTS_STORE", "s3", "objects.s3.bucket", "name the bucket"},
		{"values on the gateway's origin", "OBJECTS_EMBEDDED_PUBLIC_URL", "SAME", "objects.embedded.public_url", "separate origin"},
		{"an unknown log level", "LOG_LEVEL", "loud", "log.level", "debug, info, warn, error"},
		{"traces in clear", "TRACING_ENDPOINT", "http://collector.example", "tracing.endpoint", "use https"},
		{"a playground for everybody", "PLAYGROUND_ENABLED", "true", "playground.enabled", "switch it off"},
		{"a variable that is no setting", "HTTP_LISTN", "x", "CLOAKROOM_HTTP_LISTN", "remove it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := writeSettings(t, stack.NewTenant(t, "app"))
			if set[test.set] = test.to; test.to == "SAME" {
				set[test.set] = set["HTTP_PUBLIC_URL"]
			}
			_, err := command(t, environ(set), "serve")
			require.ErrorContains(t, err, test.setting)
			assert.ErrorContains(t, err, test.remedy)
			assert.NoFileExists(t, set["OBJECTS_EMBEDDED_DIR"])
		})
	}
	t.Run("development beyond loopback", func(t *testing.T) {
		set := writeSettings(t, stack.NewTenant(t, "app"))
		set["DEVELOPMENT"], set["HTTP_LISTEN"] = "true", "0.0.0.0:8080"
		_, err := command(t, environ(set), "serve")
		require.ErrorContains(t, err, "development")
		assert.ErrorContains(t, err, "loopback")
	})
	t.Run("all at once", func(t *testing.T) {
		_, err := command(t, nil, "serve")
		for _, setting := range []string{"http.public_url", "issuers", "database.path", "keys.file", "objects.s3.bucket"} {
			assert.ErrorContains(t, err, setting)
		}
	})
	t.Run("a file with a typing error", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "cloakroom.yaml")
		require.NoError(t, os.WriteFile(file, []byte("http:\n  listn: 127.0.0.1:1\n"), 0o600))
		_, err := command(t, nil, "serve", "--config", file)
		assert.ErrorContains(t, err, "listn")
	})
}

func TestKeysetsAreGuarded(t *testing.T) {
	set := writeSettings(t, stack.NewTenant(t, "app"))
	info, err := os.Stat(set["KEYS_FILE"])
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	before, err := os.ReadFile(set["KEYS_FILE"])
	require.NoError(t, err)

	_, err = command(t, nil, "keys", "create", set["KEYS_FILE"])
	require.ErrorIs(t, err, os.ErrExist)
	after, err := os.ReadFile(set["KEYS_FILE"])
	require.NoError(t, err)
	assert.Equal(t, before, after, "never overwritten")

	// A gateway that has sealed its database with one keyset does not start with another.
	cfg, err := gateway.LoadConfig("", environ(set))
	require.NoError(t, err)
	g, err := gateway.New(t.Context(), cfg, nil)
	require.NoError(t, err)
	require.NoError(t, g.Close(t.Context()))
	other := filepath.Join(t.TempDir(), "other.json")
	_, err = command(t, nil, "keys", "create", other)
	require.NoError(t, err)
	right := set["KEYS_FILE"]
	set["KEYS_FILE"] = other
	_, err = command(t, environ(set), "serve")
	require.ErrorContains(t, err, "keys.file")
	require.ErrorContains(t, err, "database.path")

	set["KEYS_FILE"] = right
	require.NoError(t, os.Chmod(right, 0o644))
	_, err = command(t, environ(set), "serve")
	require.ErrorContains(t, err, "keys.file")
	assert.ErrorContains(t, err, "chmod 600")
}

// A store that accepts encryption headers and keeps plain text looks right to every client. The canary
// detects it before the gateway serves anything.
func TestServeRefusesAStoreThatIgnoresEncryption(t *testing.T) {
	values := map[string][]byte{}
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPut:
			var b bytes.Buffer
			_, _ = b.ReadFrom(r.Body)
			values[r.URL.Path] = b.Bytes()
			if strings.Contains(r.URL.Path, "/lying/") {
				w.Header().Set("X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256")
			}
		case http.MethodDelete:
			delete(values, r.URL.Path)
			w.WriteHeader(http.StatusNoContent)
		default:
			if b, ok := values[r.URL.Path]; ok && r.URL.RawQuery != "" { // the bucket is not public
				_, _ = w.Write(b)
				return
			}
			w.WriteHeader(http.StatusNotFound)
			_ = xml.NewEncoder(w).Encode(struct {
				XMLName xml.Name `xml:"Error"`
				Code    string
			}{Code: "NoSuchKey"})
		}
	}))
	defer store.Close()
	for _, bucket := range []string{"ignoring", "lying"} {
		set := writeSettings(t, stack.NewTenant(t, "app"))
		for name, value := range map[string]string{"OBJECTS_STORE": "s3", "OBJECTS_S3_ENDPOINT": store.URL, "OBJECTS_S3_REGION": "local",
			"OBJECTS_S3_BUCKET": bucket, "OBJECTS_S3_PATH_STYLE": "true", "OBJECTS_S3_ACCESS_KEY_ID": "id", "OBJECTS_S3_SECRET_ACCESS_KEY": "secret"} {
			set[name] = value
		}
		_, err := command(t, environ(set), "serve")
		require.ErrorContains(t, err, "config: objects", bucket)
		assert.ErrorContains(t, err, "use another store", bucket)
	}
}
