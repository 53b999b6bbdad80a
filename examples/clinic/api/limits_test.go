package api_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/examples/clinic/api"
	"github.com/cloakroomhq/cloakroom/examples/clinic/store"
)

// doubling returns a small operation that selects a field 2^n times.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("{...F0}")
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on Query{...F%d ...F%d}", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on Query{__typename}", n)
	return b.String()
}

// wide returns an introspection query for n times n names of each type.
func wide(n int) string {
	var a, b strings.Builder
	for i := range n {
		fmt.Fprintf(&a, " a%d:fields{type{...F}}", i)
		fmt.Fprintf(&b, " b%d:fields{name}", i)
	}
	return "{__schema{types{" + a.String() + "}}} fragment F on __Type{" + b.String() + "}"
}

// TestExpensiveOperationsAreRefusedEarly: an anonymous client's expensive operation is refused before it runs.
func TestExpensiveOperationsAreRefusedEarly(t *testing.T) {
	rows, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "clinic.db"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = rows.Close() })
	a, err := api.New(api.Options{
		Store: rows, Grants: struct{ directives.Grants }{}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	require.NoError(t, err)
	t.Cleanup(a.Stop)
	ask := func(query string) string {
		body, err := json.Marshal(map[string]string{"query": query})
		require.NoError(t, err)
		r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		w, answered := httptest.NewRecorder(), make(chan struct{})
		go func() {
			defer close(answered)
			a.ServeHTTP(w, r)
		}()
		select {
		case <-answered:
		case <-time.After(30 * time.Second):
			require.Fail(t, "no answer")
		}
		return w.Body.String()
	}
	for name, query := range map[string]string{"fragments that double": doubling(40), "introspection": wide(30), "fields": doubling(9)} {
		t.Run(name, func(t *testing.T) {
			answer := ask(query)
			require.Contains(t, answer, "LIMIT_EXCEEDED", name)
			require.Less(t, len(answer), 1000, name)
		})
	}
	require.JSONEq(t, `{"data":{"__typename":"Query"}}`, ask(doubling(8)))
	require.NotContains(t, ask(introspection), "errors", "tools can still read the schema")
}

// introspection is the query that tools send.
const introspection = `query IntrospectionQuery {
  __schema {
    queryType { name } mutationType { name } subscriptionType { name }
    types { ...FullType }
    directives { name description locations args { ...InputValue } }
  }
}
fragment FullType on __Type {
  kind name description
  fields(includeDeprecated: true) { name description args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
  inputFields { ...InputValue } interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
  possibleTypes { ...TypeRef }
}
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
fragment TypeRef on __Type {
  kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType {
    kind name ofType { kind name ofType { kind name } } } } } } } }
}`
