package resolvers_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/require"
)

// TestRevocations: the first event has the unreadable tokens; when the context ends, the stream does.
func TestRevocations(t *testing.T) {
	g := newGateway(t)
	data, code := g.run(t, session("s"), `mutation { tokenize { token } }`, nil)
	require.Empty(t, code)
	token := in(data, "tokenize", "token").(string)
	const unknown = "tok-00000000-0000-4000-8000-000000000001"
	ctx, cancel := context.WithCancel(graphql.StartOperationTrace(session("s")))
	op, errs := g.exec.CreateOperationContext(ctx, &graphql.RawParams{
		Query: `subscription($t: [TokenID!]!) { revocations(tokens: $t) { tokens all sessionEnded } }`, Variables: map[string]any{"t": []any{token, unknown}},
	})
	require.Empty(t, errs)
	responses, ctx := g.exec.DispatchOperation(ctx, op)
	var first map[string]any
	require.NoError(t, json.Unmarshal(responses(ctx).Data, &first))
	require.Equal(t, map[string]any{"tokens": []any{unknown}, "all": false, "sessionEnded": false}, first["revocations"])
	cancel()
	require.Nil(t, responses(ctx))
}
