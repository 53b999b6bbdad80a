package httpd

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLimits: an operation at a limit passes; one above it is refused, with the limit's name.
func TestLimits(t *testing.T) {
	introspect := func(o *Options) { o.GraphQL.Introspection, o.GraphQL.MaxDepth, o.GraphQL.MaxComplexity = true, 6, 100 }
	s := newServer(t, resolver{}, introspect)
	aliases := func(n int) string { return "{viewer{" + repeat(n, " a%d:tenant") + "}}" }
	directives := func(n int) string { return "{viewer{" + strings.Repeat(" tenant@skip(if:false)", n) + "}}" }
	fields := func(n int) string { return "{viewer{" + strings.Repeat(" tenant", n) + "}}" }
	spreads := func(n int) string { return "{viewer{" + strings.Repeat(" ...F", n) + "}} fragment F on Viewer{tenant}" }
	for name, test := range map[string]struct{ pass, refuse, limit string }{
		"depth":                {"{__schema{types{fields{type{name}}}}}", "{__schema{types{fields{type{ofType{ofType{name}}}}}}}", "depth"},
		"depth by fragments":   {"{__schema{...A}} fragment A on __Schema{types{...B}} fragment B on __Type{kind}", "{__schema{...A}} fragment A on __Schema{types{...B}} fragment B on __Type{ofType{ofType{ofType{ofType{name}}}}}", "depth"},
		"aliases":              {aliases(30), aliases(31), "aliases"},
		"directives":           {directives(50), directives(51), "directives"},
		"complexity":           {fields(90), fields(91), "complexity"},
		"complexity by spread": {spreads(90), spreads(91), "complexity"},
		"aliases by fragments": {"{...F} fragment F on Query{viewer{" + repeat(30, " a%d:tenant") + "}}", "{viewer{...F ...F}} fragment F on Viewer{" + repeat(16, " a%d:tenant") + "}", "aliases"},
		"tokens":               {"{viewer{tenant}}" + strings.Repeat(" ", 5000), `{__type(name: [` + strings.Repeat(`"x" `, 5000) + `]){name}}`, "token limit"},
		"selections":           {fields(90), fields(501), "selections"},
		"selections, spread":   {spreads(90), spreads(501), "selections"},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.query(t, test.pass)
			require.Empty(t, a.Errors, name)
			a = s.query(t, test.refuse)
			require.Equal(t, "LIMIT_EXCEEDED", a.code(), "%s: %s", name, a.raw)
			require.Contains(t, a.Errors[0].Message, test.limit, name)
			require.Nil(t, a.Data, name)
		})
	}
}

// TestRootFieldsInFragments: a root field costs the same in a fragment.
func TestRootFieldsInFragments(t *testing.T) {
	s := newServer(t, resolver{}, func(o *Options) { o.GraphQL.MaxComplexity = 100 })
	roots := repeat(12, " a%d:viewer{tenant}")
	for name, doc := range map[string]string{
		"plain": "{" + roots + "}", "inline fragment": "{...{" + roots + "}}", "fragment": "{...F} fragment F on Query{" + roots + "}",
		"nested": "{...F} fragment F on Query{...{...G}} fragment G on Query{" + roots + "}",
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, "LIMIT_EXCEEDED", s.query(t, doc).code(), name)
		})
	}
}

func TestBodyLimit(t *testing.T) {
	s := newServer(t, resolver{}, func(o *Options) { o.HTTP.MaxBody = 2000 })
	body := func(n int) string { b := bodyOf("{viewer{tenant}}"); return b + strings.Repeat(" ", n-len(b)) }
	require.Equal(t, http.StatusOK, s.post(t, body(2000)).status)
	a := s.post(t, body(2001))
	require.Equal(t, http.StatusRequestEntityTooLarge, a.status)
	require.Equal(t, "LIMIT_EXCEEDED", a.code())
	r := post("")
	r.Method, r.Body, r.ContentLength, r.URL.RawQuery = http.MethodGet, http.NoBody, 0, "query="+strings.Repeat("a", 2000)
	require.Equal(t, "LIMIT_EXCEEDED", s.do(t, r).code())
}

func TestIntrospectionAndSuggestions(t *testing.T) {
	wrong := []string{"{viewr{tenant}}", "{viewer{tenan}}", "{token(i:1){id}}", "{token(id:1,idd:2){id}}", "mutation{tokenize(input:{siz:1}){token}}",
		"query($t:TokenI){__typename}", "{viewer}", "{...F} fragment F on Quer{__typename}", "{verifyGrants(input:{sessionId:1,checks:[{token:\"x\",kind:REA}]}){valid}}", "{viewer @skp(if:true){tenant}}"}
	production, development := newServer(t, resolver{}, nil), newServer(t, resolver{}, func(o *Options) { o.GraphQL.Introspection = true })
	for _, doc := range []string{"{__schema{queryType{name}}}", `{__type(name:"Query"){name}}`, "{...F} fragment F on Query{a:__schema{description}}"} {
		require.Equal(t, "FORBIDDEN", production.query(t, doc).code(), doc)
		require.Empty(t, development.query(t, doc).Errors, doc)
	}
	require.Empty(t, production.query(t, "{__typename}").Errors)
	suggested := 0
	for _, doc := range wrong {
		a := production.query(t, doc)
		require.Equal(t, "BAD_USER_INPUT", a.code(), doc)
		require.NotContains(t, a.raw, "Did you mean", doc)
		suggested += strings.Count(development.query(t, doc).raw, "Did you mean")
	}
	require.Greater(t, suggested, 4)
}

func TestErrorFlood(t *testing.T) {
	s := newServer(t, resolver{}, nil)
	a := s.query(t, "{"+repeat(400, " tokn%d")+"}")
	require.Len(t, a.Errors, 20)
	a = s.query(t, "{"+repeat(30, " "+strings.Repeat("ä", 20)+strings.Repeat("x", 6000)+"%d")+"}")
	require.Less(t, len(a.raw), 20<<10)
	for _, e := range a.Errors {
		require.Less(t, len(e.Message), 310)
		require.Equal(t, "BAD_USER_INPUT", e.Extensions["code"])
	}
}

func TestPersistedQueries(t *testing.T) {
	doc := "{viewer{tenant}}"
	ext := `"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + hashOf(doc) + `"}}`
	s := newServer(t, resolver{}, nil)
	a := s.post(t, `{`+ext+`}`)
	require.Equal(t, "PERSISTED_QUERY_NOT_FOUND", a.code())
	require.Equal(t, http.StatusOK, a.status)
	require.Equal(t, "BAD_USER_INPUT", s.post(t, `{"query":"{__typename}",`+ext+`}`).code(), "another text under the hash")
	require.Equal(t, "PERSISTED_QUERY_NOT_FOUND", s.post(t, `{`+ext+`}`).code(), "it was not kept")
	require.Empty(t, s.post(t, `{"query":"`+doc+`",`+ext+`}`).Errors)
	require.Empty(t, s.post(t, `{`+ext+`}`).Errors)
	off := newServer(t, resolver{}, func(o *Options) { o.GraphQL.PersistedQueries = false })
	require.Equal(t, "BAD_USER_INPUT", off.post(t, `{`+ext+`}`).code())
}
