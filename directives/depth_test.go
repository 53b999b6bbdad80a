package directives

import (
	"runtime"
	"slices"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// TestTheWalkOfADeepValueIsBounded: output types are nearly always recursive, and gqlgen does not limit the depth of
// representations. Each token's path is as long as its depth, so without the limit a small request would need gigabytes.
func TestTheWalkOfADeepValueIsBounded(t *testing.T) {
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "deep", Input: Declaration + `
scalar _Any
type Case { next: Case files: [ID!] @token }
input Link { next: Link files: [ID!] @token }
type Query { _entities(representations: [_Any!]!): [Case]! open(link: Link): Int }`})
	require.NoError(t, err)
	tokens := &Tokens{}
	tokens.learn(schema)
	nested := func(depth, files int) map[string]any {
		inner := map[string]any{"files": slices.Repeat([]any{"a"}, files)}
		for range depth {
			inner = map[string]any{"next": inner}
		}
		inner[typename] = "Case"
		return inner
	}
	walk := func(t *testing.T, query string, v any) (found int, allocated uint64, code any) {
		doc, errs := gqlparser.LoadQuery(schema, query) //nolint:staticcheck // the rules are not what is tested
		require.Empty(t, errs)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		all, refused := tokens.walk(&graphql.OperationContext{Operation: doc.Operations[0], Variables: map[string]any{"v": v}})
		runtime.ReadMemStats(&after)
		if refused != nil {
			code = refused.Extensions["code"]
		}
		return len(all), after.TotalAlloc - before.TotalAlloc, code
	}
	for name, query := range map[string]string{
		"representation": `query($v: [_Any!]!) { _entities(representations: $v) { __typename } }`,
		"input":          `query($v: Link) { open(link: $v) }`,
	} {
		value := func(depth, files int) any {
			if name == "input" {
				return nested(depth, files)
			}
			return []any{nested(depth, files)}
		}
		t.Run(name, func(t *testing.T) {
			for _, depth := range []int{500, 5000} {
				_, allocated, code := walk(t, query, value(depth, 20_000))
				require.Equal(t, codeLimitExceeded, code)
				require.Less(t, allocated, uint64(64<<20))
			}
			found, _, code := walk(t, query, value(40, 5000))
			require.Nil(t, code)
			require.Equal(t, 5000, found)
		})
	}
}
