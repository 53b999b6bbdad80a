package directives_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheWalkOfAVariableInManyFieldsIsBounded: a small document can use the tokens of one variable only a bounded number
// of times, also without a session, and is refused before any call.
func TestTheWalkOfAVariableInManyFieldsIsBounded(t *testing.T) {
	w := newWorld(t)
	w.grants.all = true
	tokens := make([]string, 5000)
	for i := range tokens {
		tokens[i] = tok(i)
	}
	inLiteral := `["` + strings.Join(tokens, `" "`) + `"]`
	aliases := func(n int, list string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " a%d:take(list:%s)", i, list)
		}
		return b.String()
	}
	spread := "...A ...A"
	for range 7 {
		spread = strings.ReplaceAll("{...on Mutation{S} ...on Mutation{S}}", "S", spread)[1:]
		spread = spread[:len(spread)-1]
	}
	for name, query := range map[string]string{
		"aliases":   "mutation($t:[String!]){" + aliases(200, "$t") + "}",
		"fragments": "mutation($t:[String!]){" + spread + "} fragment A on Mutation{" + aliases(2, "$t") + "}",
		"literals":  "mutation{" + spread + "} fragment A on Mutation{" + aliases(1, inLiteral) + "}",
	} {
		t.Run(name, func(t *testing.T) {
			for _, session := range []string{"alice", ""} {
				r := request(t, query, map[string]any{"t": tokens})
				r.Header.Set("Session", session)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				a := w.send(t, r)
				runtime.ReadMemStats(&after)
				require.Equal(t, []string{"LIMIT_EXCEEDED "}, a.refused(), name)
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(200<<20), name)
			}
		})
	}
	_, verifies := w.grants.calls()
	require.Zero(t, verifies)
	require.Empty(t, w.ask(t, "mutation($t:[String!]){"+aliases(10, "$t")+"}", map[string]any{"t": tokens}).Errors)
}
