package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/browser"
	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/examples/clinic"
)

func requireClients(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("clients/node_modules/@urql/core"); err != nil {
		t.Fatal("the GraphQL clients are not installed: run make tools")
	}
}

// Each client, configured as in its documentation, stores and reads a value with gateway and clinic, and finds the contract's
// code in its errors.
func TestCommonGraphQLClients(t *testing.T) {
	requireClients(t)
	s := stack.Start(t)
	for _, client := range []string{"apollo4", "apollo3", "urql", "graphql-request"} {
		t.Run(client, func(t *testing.T) {
			runScript(t, clientCredentials(t, s), client+".mjs", s.GatewayURL, s.AppURL)
		})
	}
}

// clientCredentials returns a doctor's credentials: her session's JWT at the gateway, an expired one, and the clinic's cookies.
func clientCredentials(t *testing.T, s *stack.Stack) map[string]string {
	t.Helper()
	cookies, jwt := s.Login(t, clinic.DrAdams, clinic.DemoPassword)
	pairs := make([]string, len(cookies))
	for i, c := range cookies {
		pairs[i] = c.Name + "=" + c.Value
	}
	return map[string]string{"session": jwt, "expired": s.ExpiredJWT(t), "cookie": strings.Join(pairs, "; ")}
}

// typed is a folder beside node_modules, so that packages are found, with one program's source and graphql-codegen's types
// for it.
type typed struct{ dir string }

func generateTypes(t *testing.T, schema, program string) typed {
	t.Helper()
	dir := filepath.Join("clients", generatedFolder(t))
	text, err := os.ReadFile("clients/" + program)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, program), text, 0o600))
	runTool(t, []string{"SCHEMA=" + schema, "OUT=" + filepath.Base(dir)}, "graphql-codegen", "--config", "codegen.mjs")
	return typed{dir}
}

// compile checks a program of the folder with tsc, which writes it as JavaScript into the same folder.
func (d typed) compile(t *testing.T, program string) {
	t.Helper()
	runTool(t, nil, "tsc", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler",
		"--types", "", "--rootDir", filepath.Base(d.dir), "--outDir", filepath.Base(d.dir), filepath.Base(d.dir)+"/"+program)
}

// runTool runs a program that npm installed.
func runTool(t *testing.T, environ []string, name string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "node_modules/.bin/"+name, args...)
	command.Dir, command.Env = "clients", append(os.Environ(), environ...)
	said, err := command.CombinedOutput()
	require.NoError(t, err, "%s", said)
}

// runScript runs one of clients/*.mjs, which must print "story ok".
func runScript(t *testing.T, input any, script string, args ...string) {
	t.Helper()
	settings, err := json.Marshal(input)
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), "node", append([]string{script}, args...)...)
	command.Dir, command.Stdin = "clients", bytes.NewReader(settings)
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "story ok")
}

// graphql-codegen generates types from the gateway's introspection, and from the schema's files, with which typed operations
// compile; the manifest that it also writes is an allow-list without changes.
func TestTypesByGraphQLCodegen(t *testing.T) {
	requireClients(t)
	s := stack.Start(t)
	for name, schema := range map[string]string{"introspection": s.GatewayURL + "/graphql", "files": "../../graph/schema/*.graphqls"} {
		t.Run("gateway, "+name, func(t *testing.T) {
			made := generateTypes(t, schema, "operations.ts")
			made.compile(t, "operations.ts")
			if name == "files" {
				runsByID(t, filepath.Join(made.dir, "gql/persisted-documents.json"))
			}
		})
	}
	for name, schema := range map[string]string{"introspection": s.AppURL + "/graphql", "files": "../../examples/clinic/graph/schema/*.graphqls,../../directives/*.graphqls"} {
		t.Run("clinic, "+name, func(t *testing.T) {
			made := generateTypes(t, schema, "clinic-operations.ts")
			made.compile(t, "clinic-operations.ts")
			doctor := clientCredentials(t, s)
			ssn, _ := s.Store(t, doctor["session"], []byte("078-05-1120"), nil)
			body, _ := s.Store(t, doctor["session"], []byte("a note"), nil)
			foreign, _ := s.Store(t, s.Session(t).JWT, []byte("somebody else's"), nil)
			runScript(t, map[string]string{"cookie": doctor["cookie"], "ssn": ssn, "body": body, "foreign": foreign}, "clinic-run.mjs", filepath.Base(made.dir), s.AppURL)
		})
	}
}

func runsByID(t *testing.T, manifest string) {
	t.Helper()
	text, err := os.ReadFile(manifest)
	require.NoError(t, err)
	var documents map[string]string
	require.NoError(t, json.Unmarshal(text, &documents))
	require.Len(t, documents, 2)
	listed := listing(t, manifest)
	me := listed.Session(t)
	for id, document := range documents {
		variables := `{"tokens":["tok-2b58d9b2-83c1-4e9b-9692-b149112810c8"]}`
		if strings.Contains(document, "mutation Hand") {
			variables = `{"input":{"size":0}}`
		}
		listed.Post(t, me.JWT, []byte(fmt.Sprintf(`{"documentId":%q,"variables":%s}`, id, variables))).OK(t)
	}
	assert.Equal(t, "FORBIDDEN", listed.Query(t, me.JWT, stack.Viewer, nil).Code())
}

// A page of a sibling site, in a real browser: its GET with a bearer token and tracing headers passes the preflight and is
// answered.
func TestASiblingsPageMayTraceItsGETs(t *testing.T) {
	s := stack.Start(t)
	p := browser.Open(t, s.AppURL+"/try", "")
	me := s.Session(t)
	script := func(headers string) string {
		return fmt.Sprintf(`(window.told = '', fetch(%q, {headers: %s}).then(async r => { window.told = r.status + ' ' + r.headers.get('content-type') + ' ' + await r.text(); },
			() => { window.told = 'refused'; }), '')`, s.GatewayURL+"/graphql?query={viewer{tenant}}", headers)
	}
	tracing := `"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"a=b","baggage":"sentry-release=1","sentry-trace":"0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"`
	for _, test := range []struct{ name, headers, want string }{
		{"traced", `{"authorization":"Bearer ` + me.JWT + `",` + tracing + `}`, `200 application/json; charset=utf-8 {"data":{"viewer":{"tenant":"clinic"}}}`},
		{"expired", `{"accept":"application/graphql-response+json","authorization":"Bearer ` + s.ExpiredJWT(t) + `"}`, `401 application/graphql-response+json; charset=utf-8`},
		{"a header that is not allowed", `{"authorization":"Bearer ` + me.JWT + `","x-mine":"1"}`, `refused`},
		{"no credential", `{}`, fmt.Sprint(http.StatusForbidden)},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.Eval(script(test.headers))
			p.Await("the answer", `window.told !== ''`)
			assert.Contains(t, p.Eval(`window.told`), test.want)
		})
	}
}
