package directives_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/cloakroomhq/cloakroom/conformance"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/directives/internal/testserver"
)

// resolveShapes makes the server of shapes.graphqls return a case's values.
func resolveShapes(t *testing.T, r *testserver.Resolver, c *conformance.Case) {
	t.Helper()
	r.OnRecord = resolved[*testserver.Record](t, c, "Query.record")
	r.OnRecords = resolved[[]*testserver.Record](t, c, "Query.records")
	r.OnSecret = resolved[*string](t, c, "Query.secret")
	r.OnJSON = resolved[any](t, c, "Query.json")
	r.OnRows = resolved[[]*testserver.Row](t, c, "Query.rows")
	r.OnStrict = resolved[string](t, c, "Record.strict")
	r.OnStream = stream[*testserver.Record](t, c, "Subscription.records")
	r.OnTokens = stream[directives.TokenID](t, c, "Subscription.tokens")
	r.OnLists = stream[[]string](t, c, "Subscription.lists")
	r.OnChild = func(_ context.Context, of *testserver.Record) (*testserver.Record, error) { return of.Child, nil }
	if slow := resolved[string](t, c, "Record.slow"); slow != nil {
		r.OnSlow = func(ctx context.Context, _ *testserver.Record, _ string) (string, error) { return slow(ctx) }
	}
	if raw, ok := c.Resolved["Query.node"]; ok {
		r.OnNode = give(node(t, raw).(testserver.Node))
	}
	if raw, ok := c.Resolved["Query.items"]; ok {
		var list []json.RawMessage
		require.NoError(t, json.Unmarshal(raw, &list))
		var items []testserver.Item
		for _, raw := range list {
			items = append(items, node(t, raw).(testserver.Item))
		}
		r.OnItems = give(items)
	}
	if slices.Contains(c.Failing, "Record.fails") {
		r.OnFails = errBroken
	}
}

// resolved returns a resolver of a field that a case names, and nil for other fields.
func resolved[T any](t *testing.T, c *conformance.Case, coordinate string) func(context.Context) (T, error) {
	t.Helper()
	if slices.Contains(c.Failing, coordinate) {
		return func(context.Context) (value T, err error) { return value, errBroken }
	}
	raw, ok := c.Resolved[coordinate]
	if !ok {
		return nil
	}
	var value T
	require.NoError(t, json.Unmarshal(raw, &value), coordinate)
	switch v := any(value).(type) {
	case *testserver.Record:
		asGo(v)
	case []*testserver.Record:
		for _, r := range v {
			asGo(r)
		}
	}
	return give(value)
}

// stream returns a resolver whose channel holds the events that a case names, and ends after them.
func stream[T any](t *testing.T, c *conformance.Case, coordinate string) func(context.Context) (<-chan T, error) {
	t.Helper()
	raw, ok := c.Resolved[coordinate]
	if !ok {
		return nil
	}
	var events []T
	require.NoError(t, json.Unmarshal(raw, &events), coordinate)
	channel := make(chan T, len(events))
	for _, e := range events {
		if r, ok := any(e).(*testserver.Record); ok {
			asGo(r)
		}
		channel <- e
	}
	close(channel)
	return give((<-chan T)(channel))
}

// node reads an object by its __typename.
func node(t *testing.T, raw json.RawMessage) any {
	t.Helper()
	var named struct {
		Name string `json:"__typename"`
	}
	require.NoError(t, json.Unmarshal(raw, &named))
	if named.Name == "Note" {
		var n testserver.Note
		require.NoError(t, json.Unmarshal(raw, &n))
		return &n
	}
	require.Equal(t, "Record", named.Name)
	var r testserver.Record
	require.NoError(t, json.Unmarshal(raw, &r))
	return asGo(&r)
}

// asGo converts the lists of a type that is bound to a map to the types that gqlgen expects.
func asGo(r *testserver.Record) *testserver.Record {
	if r == nil {
		return nil
	}
	if list, ok := r.Mapped["tokens"].([]any); ok {
		texts := make([]string, len(list))
		for i, v := range list {
			texts[i], _ = v.(string)
		}
		r.Mapped["tokens"] = texts
	}
	asGo(r.Child)
	return r
}

func untilItEnds(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

// blankSchema is a server of any schema whose operations resolve to nothing. It counts those that run.
type blankSchema struct {
	schema *ast.Schema
	ran    atomic.Int64
}

func (b *blankSchema) Schema() *ast.Schema { return b.schema }

func (*blankSchema) Complexity(context.Context, string, string, int, map[string]any) (int, bool) {
	return 0, false
}

func (b *blankSchema) Exec(context.Context) graphql.ResponseHandler {
	b.ran.Add(1)
	return graphql.OneShot(&graphql.Response{Data: json.RawMessage("{}")})
}
