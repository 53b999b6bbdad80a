package directives_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/directives/internal/testserver"
)

// noGrants allows everything without any work.
type noGrants struct{ expires time.Time }

func (g noGrants) CreateGrants(_ context.Context, _ string, grants []directives.Grant) ([]directives.Granted, error) {
	granted := make([]directives.Granted, len(grants))
	for i := range granted {
		granted[i].ExpiresAt = g.expires
	}
	return granted, nil
}

func (noGrants) VerifyGrants(context.Context, string, []directives.Check) ([]directives.Check, error) {
	return nil, nil
}

const benchRows = 1000

// BenchmarkList is a list of 1,000 rows of seven fields. In "plain" the last field is a string; otherwise it has
// @token, and its grants are remembered ("warm") or not ("cold").
func BenchmarkList(b *testing.B) {
	rows := make([]*testserver.Row, benchRows)
	for i := range rows {
		n := strconv.Itoa(i)
		rows[i] = &testserver.Row{ID: n, Name: "Ada " + n, Email: "ada" + n + "@example.org", City: "London", Visits: i, Plain: tok(i), Token: tok(i)}
	}
	const others = `id name email city visits `
	for _, c := range []struct {
		name, last string
		remember   time.Duration
	}{{"plain", "plain", 0}, {"warm", "token", time.Hour}, {"cold", "token", -1}} {
		b.Run(c.name, func(b *testing.B) {
			tokens, err := directives.New(directives.Options{
				Grants:   noGrants{time.Now().Add(24 * time.Hour)},
				Session:  func(context.Context) (string, bool) { return "alice", true },
				Remember: c.remember,
			})
			require.NoError(b, err)
			exec := executor.New(testserver.NewExecutableSchema(testserver.Config{
				Resolvers:  &testserver.Resolver{OnRows: give(rows)},
				Directives: testserver.DirectiveRoot{Token: tokens.Directive},
			}))
			exec.SetQueryCache(graphql.MapCache[*ast.QueryDocument]{})
			exec.Use(tokens)
			run := func() {
				ctx := graphql.StartOperationTrace(context.Background())
				oc, errs := exec.CreateOperationContext(ctx, &graphql.RawParams{Query: `{ rows { ` + others + c.last + ` } }`})
				if len(errs) > 0 {
					b.Fatal(errs)
				}
				responses, ctx := exec.DispatchOperation(ctx, oc)
				if r := responses(ctx); len(r.Errors) > 0 {
					b.Fatal(r.Errors)
				}
			}
			run()
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
		})
	}
}

// BenchmarkInputs is an operation with 100 inputs of three tokens each, at two depths.
func BenchmarkInputs(b *testing.B) {
	deeps := make([]any, 100)
	for i := range deeps {
		deeps[i] = v("token", tok(3*i), "plain", "x", "deep", v("tokens", []any{tok(3*i + 1), tok(3*i + 2)}, "plain", "y"))
	}
	tokens, err := directives.New(directives.Options{
		Grants: noGrants{time.Now().Add(time.Hour)}, Session: func(context.Context) (string, bool) { return "alice", true },
	})
	require.NoError(b, err)
	exec := executor.New(testserver.NewExecutableSchema(testserver.Config{
		Resolvers: &testserver.Resolver{}, Directives: testserver.DirectiveRoot{Token: tokens.Directive},
	}))
	exec.SetQueryCache(graphql.MapCache[*ast.QueryDocument]{})
	exec.Use(tokens)
	b.ReportAllocs()
	for b.Loop() {
		ctx := graphql.StartOperationTrace(context.Background())
		oc, errs := exec.CreateOperationContext(ctx, &graphql.RawParams{Query: `mutation($d: [Deep!]) { take(deeps: $d) }`, Variables: v("d", deeps)})
		if len(errs) > 0 {
			b.Fatal(errs)
		}
		responses, ctx := exec.DispatchOperation(ctx, oc)
		if r := responses(ctx); len(r.Errors) > 0 {
			b.Fatal(r.Errors)
		}
	}
}
