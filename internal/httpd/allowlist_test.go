package httpd

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// listing is the folder of an allow-list with the given files.
func listing(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func newListed(t testing.TB, r resolver, files map[string]string) *server {
	t.Helper()
	dir := listing(t, files)
	return newServer(t, r, func(o *Options) { o.GraphQL.AllowList = dir })
}

func byHash(hash string) string {
	return fmt.Sprintf(`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":%q}}}`, hash)
}

// TestAllowListIgnoresFormatting: formatting, and the `__typename`s that a client adds for its cache, make no difference;
// everything else does.
func TestAllowListIgnoresFormatting(t *testing.T) {
	s := newListed(t, resolver{}, map[string]string{
		"a.graphql": "\n{viewer{tenant}}\n",
		"b.graphql": `query B($s:ID!,$t:TokenID!){verifyGrants(input:{sessionId:$s,checks:[{token:$t,kind:READ}]}){valid missing{token}} viewer{...R x:subject}} fragment R on Viewer{roles}`,
		"c.gql":     "query C{viewer{roles}} query D{viewer{...E}} fragment E on Viewer{subject}",
		"d.txt":     "{viewer{expiresAt}}",
		"e.graphql": `query G { token(id: "tok-1") @include(if: true) { id __typename } }`,
	})
	vars := `{"s":"1","t":"` + someToken + `"}`
	const b = `($s:ID!,$t:TokenID!){verifyGrants(input:{sessionId:$s,checks:[{token:$t,kind:READ}]}){valid missing{token}} viewer{...R x:subject}} fragment R on Viewer{roles}`
	for name, doc := range map[string]string{
		"as listed": "{viewer{tenant}}", "white space": " query {\n viewer { tenant, }\n}\n", "a comment": "{viewer{tenant}}# mine\n", "an alias of the same name": "{viewer:viewer{tenant:tenant}}",
		"type names": "{__typename viewer{__typename tenant __typename}}", "a byte order mark": "\ufeff{viewer{tenant}}", "one operation of a file": "query C{viewer{roles}}",
		"another operation of the file, with its fragment": "fragment E on Viewer{__typename subject} query D{viewer{...E __typename}}",
		"b, as Apollo prints it":                           "query B($s: ID!, $t: TokenID!) {\n  verifyGrants(input: {sessionId: $s, checks: [{token: $t, kind: READ}]}) {\n    valid\n    missing {\n      token\n      __typename\n    }\n    __typename\n  }\n  viewer {\n    ...R\n    x: subject\n    __typename\n  }\n}\n\nfragment R on Viewer {\n  roles\n  __typename\n}",
		"b, fragments first":                               "fragment R on Viewer{roles} query B($s:ID!,$t:TokenID!){verifyGrants(input:{sessionId:$s,checks:[{token:$t,kind:READ}]}){valid missing{token}} viewer{...R x:subject}}",
		"b, in another order":                              "query B($t:TokenID!,$s:ID!){verifyGrants(input:{checks:[{kind:READ,token:$t}],sessionId:$s}){valid missing{token}} viewer{...R x:subject}} fragment R on Viewer{roles}",
	} {
		t.Run("runs "+name, func(t *testing.T) {
			require.Empty(t, s.query(t, doc, vars).Errors)
			require.Empty(t, s.query(t, doc, vars).Errors, "once more")
			require.NotEqual(t, "PERSISTED_QUERY_NOT_FOUND", s.post(t, byHash(hashOf(doc))).code(), "its hash is known then")
		})
	}
	for name, doc := range map[string]string{
		"another field": "{viewer{subject}}", "a further field": "{viewer{tenant subject}}", "a further root field": "{viewer{tenant} b:viewer{subject}}", "an alias": "{viewer{a:tenant}}",
		"an aliased type name": "{viewer{tenant a:__typename}}", "a type name under a directive": "{viewer{tenant __typename@skip(if:false)}}", "an inline fragment": "{viewer{tenant ...{__typename}}}",
		"a type name alone": "{viewer{__typename}}", "__typename alone": "{__typename}", "a name": "query A{viewer{tenant}}", "a directive": "{viewer{tenant@skip(if:false)}}",
		"a second operation": "{viewer{tenant}} query Z{viewer{tenant}}", "a listed second": "query C{viewer{roles}} query D{viewer{...E}} fragment E on Viewer{subject}", "a fragment more": "{viewer{tenant}} fragment F on Viewer{subject}",
		"what no .graphql file holds": "{viewer{expiresAt}}", "no document": "{", "an empty one": " ", "introspection": "{viewer{tenant} __schema{description}}",
		"b, another value": "query B" + strings.Replace(b, "READ", "STORE", 1), "b, another type": "query B" + strings.Replace(b, "$t:TokenID!", "$t:TokenID", 1), "b, a default": "query B" + strings.Replace(b, "ID!,", `ID!="x",`, 1),
		"b, another alias": "query B" + strings.Replace(b, "x:", "y:", 1), "b, another order": "query B" + strings.Replace(b, "valid missing", "missing valid", 1), "b, another fragment": "query B" + strings.Replace(b, "{roles}", "{tenant}", 1),
		"b, another order of roots": `query B($s:ID!,$t:TokenID!){viewer{...R x:subject} verifyGrants(input:{sessionId:$s,checks:[{token:$t,kind:READ}]}){valid missing{token}}} fragment R on Viewer{roles}`,
		"g, without its condition":  `query G{token(id:"tok-1"){id}}`, "g, another condition": `query G{token(id:"tok-1")@include(if:false){id}}`, "g, another token": `query G{token(id:"tok-2")@include(if:true){id}}`,
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			require.Equal(t, "FORBIDDEN", s.query(t, doc, vars).code())
			require.Equal(t, "PERSISTED_QUERY_NOT_FOUND", s.post(t, byHash(hashOf(doc))).code(), "nor is it known by its hash")
			require.Equal(t, "FORBIDDEN", s.post(t, strings.TrimSuffix(bodyOf(doc), "}")+`,`+byHash(hashOf("{viewer{tenant}}"))[1:]).code(), "nor under a listed one's hash")
		})
	}
}

// TestAllowListManifests: manifests of two operations that the clients' own tools wrote; testdata/allowlist names the tools.
func TestAllowListManifests(t *testing.T) {
	const codegen, relay, apollo = "77e42e6e2ffc305f5f61b2c810fdbc745f400659", "eebc2808bbd718bbe5ae6f84a1a211d04aad2d845ecd3471565c316e1d35b801", "de58d8d9862efa6fc7c87bfcc26cc49c64ef37d3a2539861043ed2492cdff58a"
	s := newServer(t, resolver{}, func(o *Options) { o.GraphQL.AllowList = "testdata/allowlist" })
	for name, body := range map[string]string{
		"Apollo, by hash": byHash(apollo), "codegen, by hash": byHash(codegen), "codegen, by documentId": `{"documentId":"` + codegen + `"}`, "Relay, by doc_id": `{"doc_id":"` + relay + `","variables":{}}`,
		"Relay, by id": `{"id":"` + relay + `","query":null}`, "the same id twice": `{"id":"` + relay + `","doc_id":"` + relay + `"}`, "by the draft's prefix": `{"documentId":"sha256:` + apollo + `"}`,
		"with its name": `{"documentId":"` + apollo + `","operationName":"Who"}`, "codegen's by text": bodyOf("query Who{viewer{tenant ...Roles}} fragment Roles on Viewer{roles}"),
		"Relay's by text": bodyOf("query appWhoQuery{viewer{tenant ...appRoles __typename}} fragment appRoles on Viewer{roles}"), "Apollo's text without type names": bodyOf("query Who{viewer{tenant ...Roles}} fragment Roles on Viewer{roles}"),
		"another member called id": `{"id":5,"query":"query Who{viewer{tenant ...Roles}} fragment Roles on Viewer{roles}"}`,
	} {
		t.Run(name, func(t *testing.T) {
			a := s.post(t, body)
			require.Empty(t, a.Errors, a.raw)
			require.Contains(t, string(a.Data), `"tenant":"clinic"`)
		})
	}
	t.Run("by GET", func(t *testing.T) {
		r := post("")
		r.Method, r.Body, r.ContentLength, r.URL.RawQuery = http.MethodGet, http.NoBody, 0, url.Values{"documentId": {apollo}}.Encode()
		require.Empty(t, s.do(t, r).Errors)
	})
	for name, test := range map[string]struct{ body, code string }{
		"unknown": {`{"documentId":"x"}`, "PERSISTED_QUERY_NOT_FOUND"}, "another prefix": {`{"documentId":"md5:` + apollo + `"}`, "PERSISTED_QUERY_NOT_FOUND"},
		"two that differ": {`{"documentId":"` + apollo + `","id":"` + relay + `"}`, "BAD_USER_INPUT"}, "no string": {`{"documentId":5}`, "BAD_USER_INPUT"}, "empty": {`{"doc_id":""}`, "BAD_USER_INPUT"},
		"an id and a hash":    {`{"documentId":"` + apollo + `","extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + relay + `"}}}`, "BAD_USER_INPUT"},
		"text of another":     {`{"documentId":"` + apollo + `","query":"{viewer{subject}}"}`, "FORBIDDEN"},
		"another name":        {`{"documentId":"` + apollo + `","operationName":"Make"}`, "BAD_USER_INPUT"},
		"extension is no map": {`{"extensions":{"persistedQuery":1}}`, "PERSISTED_QUERY_NOT_FOUND"}, "hash is a number": {`{"extensions":{"persistedQuery":{"sha256Hash":1}}}`, "PERSISTED_QUERY_NOT_FOUND"},
	} {
		t.Run("refuses: "+name, func(t *testing.T) { require.Equal(t, test.code, s.post(t, test.body).code()) })
	}
	open := newServer(t, resolver{}, nil)
	require.Equal(t, "BAD_USER_INPUT", open.post(t, `{"documentId":"`+apollo+`"}`).code(), "without a list there are no ids")
}

// TestAllowListAtStart: an operation that could never run, a file that is no manifest, and one id for two operations are
// refused, with the file's name.
func TestAllowListAtStart(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		says  string
	}{
		"nothing": {nil, "no operation"}, "a field that is not there": {map[string]string{"a.graphql": "{viewer{nothing}}"}, "a.graphql"}, "no document": {map[string]string{"a.graphql": "{"}, "a.graphql"},
		"an unused variable": {map[string]string{"a.graphql": "query A($a:Int){viewer{tenant}}"}, "a.graphql"}, "a JSON file that is none": {map[string]string{"package.json": `{"name":"x","private":true}`}, "package.json"},
		"no JSON": {map[string]string{"a.json": "x"}, "a.json"}, "a list": {map[string]string{"a.json": "[]"}, "a.json"}, "another version": {map[string]string{"a.json": `{"format":"apollo-persisted-query-manifest","version":2,"operations":[]}`}, "a.json"},
		"an entry without id": {map[string]string{"a.json": `{"format":"apollo-persisted-query-manifest","version":1,"operations":[{"body":"{viewer{tenant}}"}]}`}, "a.json"},
		"two under one id":    {map[string]string{"a.json": `{"x":"{viewer{tenant}}"}`, "b.json": `{"x":"{viewer{roles}}"}`}, `"x"`}, "two operations of one id": {map[string]string{"a.json": `{"x":"query A{viewer{tenant}} query B{viewer{roles}}"}`}, `"x"`},
		"an entry that is none": {map[string]string{"a.json": `{"x":"{nothing}"}`}, `"x"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Schema: newSchema(resolver{}), GraphQL: newOptions(listing(t, test.files))})
			require.ErrorContains(t, err, "graphql.allow_list")
			require.ErrorContains(t, err, test.says)
		})
	}
}

// run executes a document on a gateway and returns its answer without `__typename`s, and the calls of resolvers.
func (c *calls) run(t testing.TB, s *server, doc string) (string, []string) {
	t.Helper()
	c.list = nil
	a := s.query(t, doc, `{"s":"1","t":"`+someToken+`"}`)
	require.Empty(t, a.Errors, "%q: %s", doc, a.raw)
	var data any
	require.NoError(t, json.Unmarshal(a.Data, &data))
	b, err := json.Marshal(withoutTypes(data))
	require.NoError(t, err)
	return string(b), c.list
}

func withoutTypes(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 1 {
			delete(v, "__typename")
		}
		for k := range v {
			v[k] = withoutTypes(v[k])
		}
	case []any:
		for i := range v {
			v[i] = withoutTypes(v[i])
		}
	}
	return v
}

// calls records the calls of resolvers; those of one operation run concurrently.
type calls struct {
	mu   sync.Mutex
	list []string
}

func (c *calls) add(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, call)
}

func (c *calls) resolver() resolver {
	return resolver{
		token: func(_ context.Context, id ids.Token) (*model.Token, error) {
			c.add("token " + id.String())
			return &model.Token{ID: id, CreatedAt: time.Unix(0, 0)}, nil
		},
		viewer: func(context.Context) (*model.Viewer, error) {
			c.add("viewer")
			return &model.Viewer{Tenant: "clinic", Roles: []string{"x"}, ExpiresAt: time.Unix(0, 0)}, nil
		},
	}
}

// FuzzAllowList: an accepted text has the calls and the answer of a listed operation, and the same ones without the
// allow-list, apart from `__typename`s.
func FuzzAllowList(f *testing.F) {
	listed := []string{
		"{viewer{tenant}}", "query B{viewer{roles subject} token(id:\"" + someToken + "\"){id createdAt}}",
		"query C($t:TokenID!,$s:ID!){verifyGrants(input:{sessionId:$s,checks:{token:$t}}){valid} a:viewer{...F}} fragment F on Viewer{b:tenant ...on Viewer{roles}}",
	}
	files := map[string]string{}
	for i, doc := range listed {
		files[fmt.Sprint(i, ".graphql")] = doc
		f.Add(doc)
		f.Add(strings.ReplaceAll(strings.ReplaceAll(doc, "{", " {\n__typename "), "}", ",}"))
		f.Add(strings.Replace(doc, "viewer", "viewer:viewer", 1) + "# x")
		f.Add(strings.Replace(doc, "tenant", "tenant subject", 1))
		f.Add(strings.Replace(doc, "}", " ...{__typename}}", 1))
	}
	var c calls
	guarded, open := newListed(f, c.resolver(), files), newServer(f, c.resolver(), nil)
	type outcome struct {
		answer string
		calls  []string
	}
	known := map[string]outcome{}
	for _, doc := range listed {
		answer, list := c.run(f, open, doc)
		known[answer] = outcome{answer, slices.Clone(list)}
	}
	f.Fuzz(func(t *testing.T, doc string) {
		a := guarded.query(t, doc, `{"s":"1","t":"`+someToken+`"}`)
		if len(a.Errors) > 0 {
			return
		}
		answer, list := c.run(t, guarded, doc)
		want, ok := known[answer]
		require.True(t, ok, "%q got %s, which no listed operation gets (%v)", doc, answer, slices.Collect(maps.Keys(known)))
		require.ElementsMatch(t, want.calls, list, "resolvers of one operation may run in any order")
		parsed, err := parser.ParseQuery(&ast.Source{Input: doc})
		require.NoError(t, err)
		form, ok := normalForm(parsed)
		require.True(t, ok)
		again, err := parser.ParseQuery(&ast.Source{Input: strings.ReplaceAll(doc, "{", "{__typename ")})
		if err != nil || strings.Contains(doc, "input") || strings.ContainsAny(doc, `"#`) {
			return // the brace may be in a value, a string or a comment
		}
		same, _ := normalForm(again)
		require.Equal(t, form, same)
	})
}

// TestAllowListOfAnotherSchema: an operation that was validated against one schema may mean something else in another.
func TestAllowListOfAnotherSchema(t *testing.T) {
	own := newSchema(resolver{})
	l, err := loadAllowList(newOptions(listing(t, map[string]string{"a.graphql": "{viewer{tenant}}"})), own.Schema())
	require.NoError(t, err)
	require.NoError(t, l.Validate(own))
	require.ErrorContains(t, l.Validate(otherSchema{own}), "another schema")
}

type otherSchema struct{ graphql.ExecutableSchema }

func (otherSchema) Schema() *ast.Schema { return &ast.Schema{} }
