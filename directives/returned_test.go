package directives_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/directives/internal/testserver"
)

// selection draws a selection set of records: fields that hold tokens, fields that fail, lists of more records.
func selection(t *rapid.T, depth int) string {
	fields := []string{
		"id", "name", "token", "text", "required", "idToken", "ref", "refs", "code", "list", "grid", "mapped { token tokens }",
		`slow(name: "x")`, "... on Node { n: token }", "fails", "panics",
	}
	var b strings.Builder
	b.WriteString("{ __typename ")
	for i := range rapid.IntRange(0, 6).Draw(t, "fields") {
		f := rapid.SampledFrom(fields).Draw(t, "field")
		if strings.HasPrefix(f, "...") {
			f = fmt.Sprintf("... on Node { a%d_%d: token }", depth, i)
		} else {
			f = fmt.Sprintf("a%d_%d: %s", depth, i, f)
		}
		b.WriteString(f + " ")
	}
	if rapid.IntRange(0, 9).Draw(t, "strict") == 0 {
		b.WriteString("strict ")
	}
	if depth > 0 && rapid.Bool().Draw(t, "child") {
		b.WriteString("child " + selection(t, depth-1))
	}
	return b.String() + "}"
}

var tokens = regexp.MustCompile(`tok-[0-9a-f-]{36}`)

// The response is the reference: exactly the tokens in its data are granted.
func TestEveryTokenInTheDataIsGrantedAndNoOther(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		var n atomic.Int64
		next := func() *testserver.Record { return record(int(n.Add(20)) % 60) } // some tokens come again
		w.OnRecords = func(context.Context) ([]*testserver.Record, error) {
			return []*testserver.Record{next(), next(), next()}, nil
		}
		children := []*testserver.Record{record(100), nil, record(120)}
		w.OnChild = func(_ context.Context, of *testserver.Record) (*testserver.Record, error) {
			if *of.Text == tok(22) {
				return nil, errBroken
			}
			return children[int((*of.Text)[len(tok(0))-2]-'0')%3], nil
		}
		w.OnSlow = func(context.Context, *testserver.Record, string) (string, error) { return tok(77), nil }
		strict := rapid.IntRange(0, 1).Draw(rt, "strict")
		w.OnStrict = func(context.Context) (string, error) {
			if strict == 1 {
				return "", errBroken
			}
			return "", nil
		}
		w.OnFails, w.Panicking = errBroken, "boom"
		query := "{ nodes: records " + selection(rt, 2) + " more: records " + selection(rt, 1) + " node { ... on Record { text } } }"
		w.OnNode = give[testserver.Node](record(40))

		a := w.ask(rt, query, nil)
		want := slices.Compact(slices.Sorted(slices.Values(tokens.FindAllString(a.raw, -1))))
		creates := w.grants.creates
		require.LessOrEqual(rt, len(creates), 1)
		granted := map[string]bool{}
		for _, c := range creates {
			for _, g := range c {
				for _, token := range g.Tokens {
					granted[token] = granted[token] || slices.Contains(g.Kinds, directives.GrantKindRead)
				}
			}
		}
		have := []string{}
		for token, read := range granted {
			if read {
				have = append(have, token)
			}
		}
		slices.Sort(have)
		if !slices.Equal(want, have) {
			rt.Fatalf("in the data: %v\ngranted: %v\n%s\n%s", want, have, query, a.raw)
		}
	})
}
