package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/gateway"
)

const token = "tok-2b58d9b2-83c1-4e9b-9692-b149112810c8"

// seeds are bodies from which the fuzzer starts; TestConcurrentMalformedRequests sends mixtures of them.
var seeds = []string{
	`{"query":"{ viewer { tenant sessionHash roles } }"}`,
	`{"query":"mutation { tokenize(input: {size: 5, ttl: \"1h\", metadata: {filename: \"a.txt\", custom: {a: [1, {b: null}]}}}) { token upload { url headers { name value } } } }"}`,
	`{"query":"mutation($i: [TokenizeInput!]!) { tokenizeBatch(inputs: $i) { token } }","variables":{"i":[{"size":1},{"ttl":"90s"}]}}`,
	`{"query":"mutation($t: TokenID!) { detokenize(token: $t) { download { url } metadata { custom } } }","variables":{"t":"` + token + `"}}`,
	`{"query":"mutation { detokenizeBatch(tokens: [\"` + token + `\"]) { ... on TokenFailure { code message } ... on DetokenizePayload { token } } }"}`,
	`{"query":"mutation($i: CreateGrantsInput!) { createGrants(input: $i) { grants { expiresAt missing } } }","variables":{"i":{"sessionId":"s","grants":[{"tokens":["` + token + `"],"kinds":["READ","STORE"],"duration":"5m"}]}}}`,
	`{"query":"query { verifyGrants(input: {sessionId: \"s\", checks: [{token: \"` + token + `\", kind: READ}]}) { valid missing { token } } token(id: \"` + token + `\") { id } }"}`,
	`{"query":"mutation { carryGrants(input: {fromSessionId: \"s\", toSessionId: \"t\"}) { carried } }"}`,
	`{"query":"mutation { revokeGrants(input: {sessionId: \"s\", kinds: [READ]}) { revoked } deleteTokens(tokens: [\"` + token + `\"]) { deleted } }"}`,
	`{"query":"query A($x: Boolean = true) { a: viewer @include(if: $x) { ...F } } fragment F on Viewer { tenant ...G } fragment G on Viewer { subject }","operationName":"A"}`,
	`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"}},"query":"{__typename}"}`,
	`{"query":"{ __schema { types { name fields { args { defaultValue } } } } }"}`,
	`{"query":"fragment F on Viewer { tenant }"}`, `{"query":"# nothing"}`, `{"query":" "}`, `[]`, `null`, ``, `{"query":null,"variables":null,"operationName":null}`,
}

// FuzzGraphQL: for every body and every caller the answer is JSON with codes of the published enum, and never
// an internal error.
func FuzzGraphQL(f *testing.F) {
	for who := range uint8(3) {
		for _, seed := range seeds {
			f.Add([]byte(seed), who)
		}
	}
	send := newTarget(f)
	f.Fuzz(func(t *testing.T, body []byte, who uint8) { send(t, body, who) })
}

// TestConcurrentMalformedRequests sends mixtures of the seeds from many goroutines.
func TestConcurrentMalformedRequests(t *testing.T) {
	send := newTarget(t)
	var crowd sync.WaitGroup
	for n := range uint64(8) {
		crowd.Go(func() {
			r := rand.New(rand.NewPCG(1, n))
			for range 400 {
				send(t, mixture(r), uint8(n))
			}
		})
	}
	crowd.Wait()
}

// mixture cuts and joins two seeds, or repeats, drops or changes a piece of one.
func mixture(r *rand.Rand) []byte {
	a, b := []byte(seeds[r.IntN(len(seeds))]), seeds[r.IntN(len(seeds))]
	if len(a) == 0 {
		return a
	}
	cut := r.IntN(len(a))
	piece := a[cut:min(len(a), cut+1+r.IntN(20))]
	switch r.IntN(5) {
	case 0:
		return append(a[:cut:cut], b[r.IntN(len(b)+1):]...)
	case 1:
		return bytes.Replace(a, piece, bytes.Repeat(piece, 1+r.IntN(300)), 1)
	case 2:
		return bytes.Replace(a, piece, nil, 1)
	case 3:
		a[cut] = byte(r.Uint32())
		return a
	default:
		words := []string{`null`, `{}`, `[]`, `-1`, `""`, `1e999`, `$x`, `...`, `@skip(if: true)`, `\u0000`, `"` + token + `"`}
		return bytes.Replace(a, piece, []byte(words[r.IntN(len(words))]), 1)
	}
}

// newTarget returns a function that sends one body as an anonymous client, a session or the application, and checks the answer.
func newTarget(tb testing.TB) func(t testing.TB, body []byte, who uint8) {
	dir := tb.TempDir()
	tenant := stack.NewTenant(tb, "fuzz")
	cfg := gateway.DefaultConfig()
	cfg.HTTP.PublicURL = "https://gateway.example"
	cfg.GraphQL.Introspection = true
	cfg.Database.Path, cfg.Keys.File, cfg.Keys.Create = filepath.Join(dir, "db"), filepath.Join(dir, "keyset.json"), true
	cfg.Objects.Store, cfg.Objects.Embedded.Dir = "embedded", filepath.Join(dir, "objects")
	cfg.Objects.Embedded.PublicURL, cfg.Objects.Embedded.Listen = "https://values.example", "127.0.0.1:0"
	issuer := gateway.DefaultIssuer()
	issuer.Name, issuer.Issuer, issuer.JWKS = tenant.Name, tenant.Issuer, tenant.JWKS(tb)
	issuer.TrustRoles = true
	cfg.Issuers = []gateway.Issuer{issuer}
	logs := &stack.Buffer{}
	g, err := gateway.New(tb.Context(), cfg, slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := g.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	codes := publishedCodes(tb)
	return func(t testing.TB, body []byte, who uint8) {
		r := httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		switch who % 3 { // JWTs are short-lived, and fuzzing is not
		case 1:
			r.Header.Set("Authorization", "Bearer "+tenant.SessionJWT(t, cfg.HTTP.PublicURL, "s"))
		case 2:
			r.Header.Set("Authorization", "Bearer "+tenant.ApplicationJWT(t, cfg.HTTP.PublicURL))
		}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		check(t, w, codes)
		if logged := logs.String(); logged != "" {
			t.Errorf("the gateway failed on %q: %s", body, logged)
		}
	}
}

func check(t testing.TB, w *httptest.ResponseRecorder, codes map[string]bool) {
	t.Helper()
	if w.Code >= 500 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	var answer struct {
		Data   json.RawMessage
		Errors []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		t.Errorf("not JSON: %q", w.Body)
	}
	if answer.Data == nil && len(answer.Errors) == 0 {
		t.Errorf("neither data nor errors: %q", w.Body)
	}
	for _, e := range answer.Errors {
		if e.Message == "" || !codes[e.Extensions.Code] || e.Extensions.Code == "INTERNAL" {
			t.Errorf("an error that is not of the contract: %q", w.Body)
		}
	}
}

func publishedCodes(tb testing.TB) map[string]bool {
	b, err := os.ReadFile("../graph/schema/errors.graphqls")
	if err != nil {
		tb.Fatal(err)
	}
	document, err := parser.ParseSchema(&ast.Source{Input: string(b)})
	if err != nil {
		tb.Fatal(err)
	}
	codes := map[string]bool{}
	for _, v := range document.Definitions.ForName("ErrorCode").EnumValues {
		codes[v.Name] = true
	}
	return codes
}
