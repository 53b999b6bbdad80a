package resolvers_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// TestPathsOfFaults: the error about an argument has the path of the contract's argument.
func TestPathsOfFaults(t *testing.T) {
	const token = `"old-2b58d9b2-83c1-4e9b-9692-b149112810c8"` // its prefix is not accepted
	user, app := session("s"), application()
	for name, test := range map[string]struct {
		ctx  context.Context
		text string
		want string
	}{
		"tokenize":           {user, `mutation { tokenize(input: {ttl: "1ms"}) { token } }`, "[input ttl]"},
		"tokenizeBatch":      {user, `mutation { tokenizeBatch(inputs: [{}, {size: -1}]) { token } }`, "[inputs 1 size]"},
		"no inputs":          {user, `mutation { tokenizeBatch(inputs: []) { token } }`, "[inputs]"},
		"detokenize":         {user, `mutation { detokenize(token: ` + token + `) { token } }`, "[token]"},
		"detokenizeBatch":    {user, `mutation { detokenizeBatch(tokens: [` + token + `]) { __typename } }`, "[tokens 0]"},
		"token":              {user, `{ token(id: ` + token + `) { id } }`, "[id]"},
		"deleteTokens":       {app, `mutation { deleteTokens(tokens: []) { deleted } }`, "[tokens]"},
		"createGrants":       {app, `mutation { createGrants(input: {sessionId: "", grants: []}) { grants { missing } } }`, "[input sessionId]"},
		"no grants":          {app, `mutation { createGrants(input: {sessionId: "s", grants: []}) { grants { missing } } }`, "[input grants]"},
		"a duration":         {app, `mutation { createGrants(input: {sessionId: "s", grants: [{tokens: [` + token + `], kinds: [READ], duration: "25h"}]}) { grants { missing } } }`, "[input grants 0 duration]"},
		"grants on nothing":  {app, `mutation { createGrants(input: {sessionId: "s", grants: [{tokens: [` + token + `]}, {tokens: []}]}) { grants { missing } } }`, "[input grants 1 tokens]"},
		"verifyGrants":       {app, `{ verifyGrants(input: {sessionId: "s", checks: []}) { valid } }`, "[input checks]"},
		"revokeGrants":       {app, `mutation { revokeGrants(input: {}) { revoked } }`, "[input]"},
		"revoke on none":     {app, `mutation { revokeGrants(input: {tokens: []}) { revoked } }`, "[input tokens]"},
		"carryGrants":        {app, `mutation { carryGrants(input: {fromSessionId: "", toSessionId: "t"}) { carried } }`, "[input fromSessionId]"},
		"carry to itself":    {app, `mutation { carryGrants(input: {fromSessionId: "t", toSessionId: "t"}) { carried } }`, "[input toSessionId]"},
		"endSession":         {app, `mutation { endSession(input: {sessionId: ""}) { revoked } }`, "[input sessionId]"},
		"beginUpload":        {user, `mutation { beginUpload(input: {size: -1}) { token } }`, "[input size]"},
		"uploadParts":        {user, `mutation { uploadParts(token: ` + token + `, parts: [{number: 1, size: 1}]) { number } }`, "[token]"},
		"a part":             {user, `mutation { uploadParts(token: ` + token + `, parts: [{number: 1, size: 0}]) { number } }`, "[parts 0 size]"},
		"completeUpload":     {user, `mutation { completeUpload(token: ` + token + `, size: -1) { token } }`, "[size]"},
		"complete another":   {user, `mutation { completeUpload(token: ` + token + `, size: 1) { token } }`, "[token]"},
		"abortUpload":        {user, `mutation { abortUpload(token: ` + token + `) { aborted } }`, "[token]"},
		"uploadStatus":       {user, `{ uploadStatus(token: ` + token + `) { uploadUntil } }`, "[token]"},
		"about no argument":  {app, `mutation { tokenize { token } }`, "[]"},
		"another's argument": {user, `mutation { endSession(input: {sessionId: ""}) { revoked } }`, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			ctx := graphql.StartOperationTrace(test.ctx)
			op, errs := g.exec.CreateOperationContext(ctx, &graphql.RawParams{Query: test.text})
			require.Empty(t, errs)
			var path []any
			g.exec.SetErrorPresenter(func(ctx context.Context, err error) *gqlerror.Error {
				path = fault.Public(err).Path
				return graphql.DefaultErrorPresenter(ctx, err)
			})
			responses, ctx := g.exec.DispatchOperation(ctx, op)
			require.NotEmpty(t, responses(ctx).Errors)
			require.Equal(t, test.want, fmt.Sprint(path))
			for _, step := range path {
				require.Contains(t, []string{"string", "int"}, fmt.Sprintf("%T", step))
			}
		})
	}
}
