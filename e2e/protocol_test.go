package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/gateway"
)

const asJSON = "application/json"

// Requests that are refused before an operation runs: malformed, too large, or requests that a page of another
// origin could send with a user's cookie.
func TestRequestsAreRefusedBeforeTheyRun(t *testing.T) {
	s := stack.Start(t)
	me := s.Session(t)
	const viewer = `{"query":"{ viewer { tenant } }"}`
	h := func(pairs ...string) http.Header {
		header := http.Header{"Authorization": {"Bearer " + me.JWT}}
		for i := 0; i < len(pairs); i += 2 {
			header.Add(pairs[i], pairs[i+1])
		}
		return header
	}
	post := func(contentType string) http.Header { return h("Content-Type", contentType) }
	get := "?query=" + url.QueryEscape(`{ viewer { tenant } }`)
	for _, test := range []struct {
		name, method, query string
		header              http.Header
		body                string
		status              int
		code                string
	}{
		{"an empty body", "POST", "", post(asJSON), "", 400, bad},
		{"truncated JSON", "POST", "", post(asJSON), viewer[:20], 400, bad},
		{"JSON and more", "POST", "", post(asJSON), viewer + "{}", 400, bad},
		{"a string", "POST", "", post(asJSON), `"{ viewer { tenant } }"`, 400, bad},
		{"null", "POST", "", post(asJSON), `null`, 400, bad},
		{"a number for the query", "POST", "", post(asJSON), `{"query":5}`, 400, bad},
		{"no query", "POST", "", post(asJSON), `{"variables":{}}`, 400, bad},
		{"variables in a list", "POST", "", post(asJSON), `{"query":"{ __typename }","variables":[]}`, 400, bad},
		{"extensions in a string", "POST", "", post(asJSON), `{"query":"{ __typename }","extensions":"x"}`, 400, bad},
		{"no UTF-8", "POST", "", post(asJSON), "{\"query\":\"{ viewer \xff }\"}", 200, bad},
		{"deep JSON", "POST", "", post(asJSON), `{"query":"{ __typename }","variables":` + nested(`{"a":`, `1`, `}`, 40_000) + `}`, 400, bad},
		{"10 MB", "POST", "", post(asJSON), `{"query":"{ __typename }","x":"` + strings.Repeat("x", 10<<20) + `"}`, 413, limit},
		{"a batch of operations", "POST", "", post(asJSON), `[` + viewer + `]`, 400, bad},
		{"a batch after blanks", "POST", "", post(asJSON), " \n[" + viewer + "," + viewer + "]", 400, bad},
		{"an operation that does not exist", "POST", "", post(asJSON), `{"query":"query A { __typename }","operationName":"B"}`, 200, bad},
		{"a form", "POST", "", post("application/x-www-form-urlencoded"), "query=" + url.QueryEscape(`{ __typename }`), 415, bad},
		{"multipart", "POST", "", post("multipart/form-data; boundary=x"), "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n" + viewer + "\r\n--x--", 415, bad},
		{"plain text", "POST", "", post("text/plain"), viewer, 415, bad},
		{"no type", "POST", "", h(), viewer, 415, bad},
		{"two types", "POST", "", h("Content-Type", asJSON, "Content-Type", "text/plain"), viewer, 415, bad},
		{"a type that only looks right", "POST", "", post("text/plain; application/json"), viewer, 415, bad},
		{"another charset", "POST", "", post(asJSON + "; charset=utf-16"), viewer, 415, bad},
		{"compressed", "POST", "", h("Content-Type", asJSON, "Content-Encoding", "gzip"), viewer, 415, bad},
		{"an answer as HTML", "POST", "", h("Content-Type", asJSON, "Accept", "text/html"), viewer, 406, bad},
		{"PUT", "PUT", "", post(asJSON), viewer, 405, bad},
		{"DELETE", "DELETE", "", post(asJSON), viewer, 405, bad},
		{"a mutation by GET", "GET", "?query=" + url.QueryEscape(`mutation { tokenize { token } }`), h(), "", 405, bad},
		{"GET without a query", "GET", "", h(), "", 400, bad},
		{"GET with two queries", "GET", get + "&query=x", h(), "", 400, bad},
		{"GET with malformed variables", "GET", get + "&variables={", h(), "", 400, bad},
		{"GET with a malformed query string", "GET", "?query=%zz", h(), "", 400, bad},
		{"GET with a cookie", "GET", get, h("Cookie", "a=b"), "", 403, "FORBIDDEN"},
		{"GET by a link from elsewhere", "GET", get, h("Sec-Fetch-Site", "cross-site"), "", 403, "FORBIDDEN"},
		{"GET by typing an address", "GET", get, h("Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"), "", 403, "FORBIDDEN"},
		{"a page of another origin", "POST", "", h("Content-Type", asJSON, "Origin", "https://evil.example"), viewer, 403, "FORBIDDEN"},
		{"a sandboxed page", "POST", "", h("Content-Type", asJSON, "Origin", "null"), viewer, 403, "FORBIDDEN"},
		{"an origin that only begins right", "POST", "", h("Content-Type", asJSON, "Origin", s.AppURL+".evil.example"), viewer, 403, "FORBIDDEN"},
		{"two origins", "POST", "", h("Content-Type", asJSON, "Origin", s.AppURL, "Origin", "https://evil.example"), viewer, 403, "FORBIDDEN"},
		{"two credentials", "POST", "", h("Content-Type", asJSON, "Authorization", "Bearer x"), viewer, 401, "UNAUTHENTICATED"},
		{"the same credential twice", "POST", "", h("Content-Type", asJSON, "Authorization", "Bearer "+me.JWT), viewer, 401, "UNAUTHENTICATED"},
		{"Basic", "POST", "", http.Header{"Content-Type": {asJSON}, "Authorization": {"Basic eDp5"}}, viewer, 401, "UNAUTHENTICATED"},
		{"an empty credential", "POST", "", http.Header{"Content-Type": {asJSON}, "Authorization": {""}}, viewer, 401, "UNAUTHENTICATED"},
		{"a credential of 20 KB", "POST", "", http.Header{"Content-Type": {asJSON}, "Authorization": {"Bearer " + strings.Repeat("x", 20_000)}}, viewer, 413, "LIMIT_EXCEEDED"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := metric(t, s, `cloakroom_presigned_total{method="PUT"}`)
			r := stack.Parse(t, s.Do(t, test.method, s.GatewayURL+"/graphql"+test.query, test.header, []byte(test.body)))
			assert.Equal(t, test.status, r.Status, "%s", r.Raw)
			assert.Equal(t, test.code, r.Code(), "%s", r.Raw)
			assert.NotContains(t, string(r.Raw), `"data"`)
			assert.Equal(t, "no-store", r.Header.Get("Cache-Control"))
			assert.Equal(t, before, metric(t, s, `cloakroom_presigned_total{method="PUT"}`), "it ran")
		})
	}
	t.Run("valid requests run", func(t *testing.T) {
		for _, header := range []http.Header{
			h("Content-Type", asJSON), h("Content-Type", "application/json; charset=UTF-8"),
			h("Content-Type", asJSON, "Origin", s.AppURL), h("Content-Type", asJSON, "Origin", s.GatewayURL),
		} {
			stack.Parse(t, s.Do(t, "POST", s.GatewayURL+"/graphql", header, []byte(viewer))).OK(t)
		}
		for _, header := range []http.Header{h(), h("Cookie", "a=b", "GraphQL-Require-Preflight", "1")} {
			stack.Parse(t, s.Do(t, "GET", s.GatewayURL+"/graphql"+get, header, nil)).OK(t)
		}
	})
}

// A JWT in a cookie is not a credential.
func TestACookieIsNoCredential(t *testing.T) {
	s := stack.Start(t)
	me := s.Session(t)
	header := http.Header{"Content-Type": {asJSON}, "Cookie": {"token=" + me.JWT + "; session=" + me.Cookie(t)}}
	r := stack.Parse(t, s.Do(t, "POST", s.GatewayURL+"/graphql", header, []byte(`{"query":"{ viewer { tenant } }"}`))).OK(t)
	assert.Nil(t, r.At("viewer"))
}

func TestOutsideDevelopmentTheSchemaIsHidden(t *testing.T) {
	s := stack.Start(t, stack.Configure(func(c *gateway.Config) { c.GraphQL.Introspection = false }))
	for _, query := range []string{
		`{ __schema { queryType { name } } }`, `{ __type(name: "Viewer") { name } }`,
		`query { ...F } fragment F on Query { __schema { types { name } } }`, `{ ... { x: __type(name: "Query") { name } } }`,
	} {
		r := s.Query(t, "", query, nil)
		assert.Equal(t, "FORBIDDEN", r.Code(), query)
		assert.Nil(t, r.Data)
	}
	// Each of these is one letter away from a name that exists.
	for query, secret := range map[string]string{
		`{ viewe { tenant } }`: "viewer", `{ viewer { tenan } }`: "tenant", `mutation { tokenise { token } }`: "tokenize",
		`query($i: VerifyGrantsInpu!) { viewer { tenant } }`:                                    "VerifyGrantsInput",
		`mutation { tokenize(inpu: {}) { token } }`:                                             `"input"`,
		`mutation { tokenize(input: {siz: 1}) { token } }`:                                      `"size"`,
		`{ verifyGrants(input: {sessionId: 1, checks: [{token: "x", kind: REED}]}) { valid } }`: "READ",
		`{ viewer { ... on Viewe { tenant } } }`:                                                "Viewer",
		`mutation($i: TokenizeInput) { tokenize(input: $i) { token @includ(if: 1) } }`:          "include",
		`{ viewer }`: "tenant",
	} {
		t.Run(query, func(t *testing.T) {
			r := s.Query(t, "", query, stack.Vars{})
			assert.Equal(t, bad, r.Code(), query)
			assert.NotContains(t, strings.ToLower(string(r.Raw)), "did you mean", query)
			assert.NotContains(t, strings.ReplaceAll(string(r.Raw), `\"`, `"`), secret, query)
		})
	}
	r := s.Query(t, "", stack.Tokenize, stack.Vars{"input": stack.Vars{"siz": 1}})
	assert.Equal(t, bad, r.Code())
	assert.NotContains(t, string(r.Raw), "size")
}

func TestAutomaticPersistedQueries(t *testing.T) {
	s := stack.Start(t)
	me := s.Session(t)
	ask := func(query, hash string, version any) stack.Response {
		body := stack.Vars{"extensions": stack.Vars{"persistedQuery": stack.Vars{"version": version, "sha256Hash": hash}}}
		if query != "" {
			body["query"] = query
		}
		b, err := json.Marshal(body)
		require.NoError(t, err)
		return s.Post(t, me.JWT, b)
	}
	const query = `{ viewer { tenant } }`
	right, wrong := hashOf(query), hashOf("another")
	assert.Equal(t, "PERSISTED_QUERY_NOT_FOUND", ask("", right, 1).Code())
	assert.Equal(t, bad, ask(query, wrong, 1).Code(), "a text must not be stored under another text's hash")
	assert.Equal(t, "PERSISTED_QUERY_NOT_FOUND", ask("", wrong, 1).Code())
	assert.Equal(t, "PERSISTED_QUERY_NOT_FOUND", ask("", right, 1).Code(), "a refused text is not stored")
	assert.Equal(t, bad, ask(query, right, 2).Code())
	assert.Equal(t, "clinic", ask(query, right, 1).OK(t).At("viewer", "tenant"))
	assert.Equal(t, "clinic", ask("", right, 1).OK(t).At("viewer", "tenant"))
	for _, extension := range []string{`"x"`, `{}`, `[]`, `5`, `{"version":"1","sha256Hash":5}`, `{"version":1}`, `{"version":1,"sha256Hash":{}}`} {
		r := s.Post(t, me.JWT, []byte(`{"extensions":{"persistedQuery":`+extension+`}}`))
		assert.Contains(t, []string{bad, "PERSISTED_QUERY_NOT_FOUND"}, r.Code(), "%s: %s", extension, r.Raw)
		assert.Less(t, r.Status, 500)
	}
}

func TestAnAllowListRunsKnownOperationsOnly(t *testing.T) {
	dir := t.TempDir()
	const known = "query Who { viewer { tenant } }"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "who.graphql"), []byte(known+"\n"), 0o600))
	s := stack.Start(t, stack.Configure(func(c *gateway.Config) { c.GraphQL.AllowList = dir }))
	me := s.Session(t)
	assert.Equal(t, "clinic", s.Query(t, me.JWT, known, nil).OK(t).At("viewer", "tenant"))
	byHash := func(hash, query string) stack.Response {
		return s.Post(t, me.JWT, []byte(`{`+query+`"extensions":{"persistedQuery":{"version":1,"sha256Hash":"`+hash+`"}}}`))
	}
	assert.Equal(t, "clinic", byHash(hashOf(known), "").OK(t).At("viewer", "tenant"))
	for _, other := range []string{`{ viewer { tenant } }`, known + " query B { __typename }", `{ __typename }`, stack.Tokenize} {
		r := s.Query(t, me.JWT, other, nil)
		assert.Equal(t, "FORBIDDEN", r.Code(), other)
		assert.Nil(t, r.Data)
		assert.Equal(t, "PERSISTED_QUERY_NOT_FOUND", byHash(hashOf(other), "").Code())
		quoted, err := json.Marshal(other)
		require.NoError(t, err)
		assert.Equal(t, "FORBIDDEN", byHash(hashOf(known), `"query":`+string(quoted)+`,`).Code(), "under the hash of a listed operation")
	}
}

func hashOf(query string) string {
	sum := sha256.Sum256([]byte(query))
	return hex.EncodeToString(sum[:])
}

// metric returns the value of the line of the metrics page with this name, or "".
func metric(t *testing.T, s *stack.Stack, name string) string {
	t.Helper()
	for line := range bytes.Lines(s.Get(t, s.GatewayURL+"/metrics").Body) {
		if rest, ok := strings.CutPrefix(string(line), name+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}
