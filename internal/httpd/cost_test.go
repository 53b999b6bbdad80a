package httpd

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/costtest"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// adversarial documents, each of a size that is made as large as the limits let it be.
var adversarial = map[string]func(size int) string{
	"the same field over and over":       func(n int) string { return "{" + strings.Repeat(" __typename", n) + "}" },
	"the same field with an argument":    func(n int) string { return "{" + strings.Repeat(` token(id:"x"){id}`, n) + "}" },
	"one response name, other arguments": func(n int) string { return "{" + repeat(n, ` a:token(id:"%d"){id}`) + "}" },
	"two names, nested":                  func(n int) string { return "{viewer{" + strings.Repeat(" tenant roles", n) + "}}" },
	"many aliases":                       func(n int) string { return "{" + repeat(n, " a%d:__typename") + "}" },
	"each fragment spreads all before":   spreadAllBefore,
	"a chain of fragments":               chain,
	"a bomb of fragments":                bomb,
	"many fragments, one use":            func(n int) string { return "{viewer{...F0}}" + repeat(n, " fragment F%d on Viewer{tenant}") },
	"many spreads of one fragment": func(n int) string {
		return "{viewer{" + strings.Repeat("...F ", n) + "}} fragment F on Viewer{tenant roles}"
	},
	"inline fragments side by side": func(n int) string { return "{" + strings.Repeat("...{viewer{tenant}}", n) + "}" },
	"inline fragments, nested": func(n int) string {
		return "{" + strings.Repeat("...{", n) + "__typename" + strings.Repeat("}", n) + "}"
	},
	"fields, nested":           func(n int) string { return "{" + strings.Repeat("a{", n) + "a" + strings.Repeat("}", n) + "}" },
	"twins, nested and merged": twins,
	"nested lists":             func(n int) string { return deletion(strings.Repeat("[", n) + strings.Repeat("]", n)) },
	"nested objects": func(n int) string {
		return tokenization("metadata:{custom:" + strings.Repeat("{a:", n) + "1" + strings.Repeat("}", n) + "}")
	},
	"a long list":              func(n int) string { return deletion(strings.Repeat(`"x" `, n)) },
	"a list of wrong types":    func(n int) string { return deletion(strings.Repeat(`1 `, n)) },
	"unknown fields":           func(n int) string { return "{" + repeat(n, " tokn%d") + "}" },
	"unknown arguments":        func(n int) string { return "{token(" + repeat(n, " i%d:1") + "){id}}" },
	"unknown input fields":     func(n int) string { return tokenization(repeat(n, " siz%d:1")) },
	"one input field repeated": func(n int) string { return tokenization(strings.Repeat(" size:1", n)) },
	"unknown types":            func(n int) string { return "query(" + repeat(n, " $v%d:TokenI") + "){__typename}" },
	"variables, unused":        func(n int) string { return "query(" + repeat(n, " $v%d:Int") + "){__typename}" },
	"variables, undefined":     func(n int) string { return deletion(repeat(n, " $v%d")) },
	"a variable in each fragment": func(n int) string {
		return "query(" + repeat(n, " $v%d:TokenID!") + "){" + repeat(n, " ...F%d") + "}" + repeat(n, " fragment F%d on Query{token(id:$v%[1]d){id}}")
	},
	"directives":             func(n int) string { return "{__typename" + strings.Repeat(" @skip(if:false)", n) + "}" },
	"unknown directives":     func(n int) string { return "{__typename" + repeat(n, " @d%d") + "}" },
	"operations":             func(n int) string { return repeat(n, " query Q%d{__typename}") },
	"operations of one name": func(n int) string { return strings.Repeat("query Q{__typename}", n) },
	"one long name, unknown": func(n int) string { return "{" + strings.Repeat("x", n) + "}" },
	"long names, unknown":    func(n int) string { return "{" + repeat(n, " "+strings.Repeat("x", 1000)+"%d") + "}" },
	"long names of types": func(n int) string {
		return "query(" + repeat(n, " $v%d:"+strings.Repeat("T", 4000)+"%[1]d") + "){__typename}"
	},
	"one long string":  func(n int) string { return `{token(id:"` + strings.Repeat("x", n) + `"){id}}` },
	"a block string":   func(n int) string { return `{token(id:"""` + strings.Repeat(" x\n", n) + `"""){id}}` },
	"escapes":          func(n int) string { return `{token(id:"` + strings.Repeat(`\u0041`, n) + `"){id}}` },
	"blanks":           func(n int) string { return strings.Repeat(" ", n) + "{__typename}" },
	"comments":         func(n int) string { return strings.Repeat("#\n", n) + "{__typename}" },
	"commas":           func(n int) string { return "{" + strings.Repeat(",", n) + "__typename}" },
	"a comment behind": func(n int) string { return "{__typename}#" + strings.Repeat("x", n) },
	"brackets":         func(n int) string { return strings.Repeat("{a", n) },
}

// variables of the largest size, for the operations beside them.
var heavyVariables = map[string][2]string{
	"a list of wrong tokens": {"mutation($t:[TokenID!]!){deleteTokens(tokens:$t){deleted}}", `{"t":[` + strings.Repeat(`"x",`, 60_000) + `"x"]}`},
	"a list of numbers":      {"mutation($t:[TokenID!]!){deleteTokens(tokens:$t){deleted}}", `{"t":[` + strings.Repeat(`1,`, 120_000) + `1]}`},
	"a list of nulls":        {"mutation($t:[TokenID!]!){deleteTokens(tokens:$t){deleted}}", `{"t":[` + strings.Repeat(`null,`, 50_000) + `1]}`},
	"a list for one":         {"query($t:TokenID!){token(id:$t){id}}", `{"t":[` + strings.Repeat(`1,`, 120_000) + `1]}`},
	"empty inputs":           {"mutation($t:[TokenizeInput!]!){tokenizeBatch(inputs:$t){token}}", `{"t":[` + strings.Repeat(`{},`, 85_000) + `1]}`},
	"unknown input fields":   {"mutation($t:TokenizeInput!){tokenize(input:$t){token}}", `{"t":{` + repeat(15_000, `"field%d":1,`) + `"x":1}}`},
	"unknown variables":      {"{__typename}", `{` + repeat(15_000, `"field%d":1,`) + `"x":1}`},
	"nested lists":           {"{__typename}", `{"x":` + strings.Repeat("[", 120_000) + strings.Repeat("]", 120_000) + `}`},
	"lists within depth":     {"{__typename}", `{"x":[` + strings.Repeat(strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+",", 25) + `1]}`},
	"a long number":          {"mutation($n:Int){tokenize(input:{size:$n}){token}}", `{"n":1` + strings.Repeat("0", 250_000) + `}`},
	"a large exponent":       {"mutation($n:Int){tokenize(input:{size:$n}){token}}", `{"n":1e999999999}`},
	"custom metadata":        {"mutation($m:Map){tokenize(input:{metadata:{custom:$m}}){token}}", `{"m":{` + repeat(15_000, `"field%d":1,`) + `"x":1}}`},
}

func deletion(tokens string) string {
	return "mutation{deleteTokens(tokens:[" + tokens + "]){deleted}}"
}
func tokenization(input string) string { return "mutation{tokenize(input:{" + input + "}){token}}" }

func repeat(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func chain(k int) string {
	var b strings.Builder
	b.WriteString("{...F0}")
	for i := range k {
		fmt.Fprintf(&b, " fragment F%d on Query{__typename ...F%d}", i, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on Query{__typename}", k)
	return b.String()
}

// bomb doubles with every fragment.
func bomb(k int) string {
	var b strings.Builder
	b.WriteString("{__schema{...F0}}")
	for i := range k {
		fmt.Fprintf(&b, " fragment F%d on __Schema{...F%d ...F%d description queryType{name}}", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on __Schema{description}", k)
	return b.String()
}

func spreadAllBefore(k int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{viewer{...F%d}}", k-1)
	for i := range k {
		fmt.Fprintf(&b, " fragment F%d on Viewer{tenant", i)
		for j := range i {
			fmt.Fprintf(&b, " ...F%d", j)
		}
		b.WriteString("}")
	}
	return b.String()
}

// twins nests fields that merge with their twin at every level.
func twins(n int) string {
	inner := "{name}"
	for range 4 {
		inner = "{" + strings.Repeat(" ofType"+inner, 2) + "}"
	}
	return "{__schema{types{fields{" + strings.Repeat(" type"+inner, n) + "}}}}"
}

// largest returns the largest document that the limits on bytes and lexical tokens let pass.
func largest(make func(int) string, tokens, body int) string {
	fits := func(n int) bool {
		doc := make(n)
		if len(bodyOf(doc)) > body {
			return false
		}
		_, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: doc}, tokens)
		return err == nil || !strings.Contains(err.Error(), "exceeded token limit")
	}
	bound := 1
	for fits(bound) {
		bound *= 2
	}
	low := bound / 2
	for bound-low > low/50+1 { // near enough
		if mid := (low + bound) / 2; fits(mid) {
			low = mid
		} else {
			bound = mid
		}
	}
	return make(low)
}

// TestWorstCase: every request within the default limits takes at most 100 ms of processor time, with the rules of
// production and of development.
func TestWorstCase(t *testing.T) {
	r := resolver{
		token: func(context.Context, ids.Token) (*model.Token, error) { return nil, nil },
		tokenize: func(context.Context, *model.TokenizeInput) (*model.TokenizePayload, error) {
			return nil, fault.New(fault.Unavailable, "x")
		},
	}
	cfg := config.Default()
	bodies := map[string]string{}
	for name, make := range adversarial {
		bodies[name] = bodyOf(largest(make, cfg.GraphQL.MaxTokens, int(cfg.HTTP.MaxBody)))
	}
	for name, pair := range heavyVariables {
		bodies["variables: "+name] = bodyOf(pair[0], pair[1])
	}
	for _, development := range []bool{false, true} {
		s := newServer(t, r, func(o *Options) {
			o.GraphQL.Introspection = development
			o.GraphQL.DocumentCache = 0
			o.Logger = slog.New(slog.DiscardHandler)
		})
		for name, body := range bodies {
			t.Run(name, func(t *testing.T) {
				var a *answer
				took := costtest.Of(func() { a = s.post(t, body) })
				t.Logf("%9s development=%v %s (%d bytes)", took.Round(100*time.Microsecond), development, name, len(body))
				require.LessOrEqual(t, len(body), int(cfg.HTTP.MaxBody), name)
				require.Less(t, took, costtest.Most, name)
				require.Less(t, len(a.raw), 16<<10, name)
				require.NotEqual(t, "INTERNAL", a.code(), "%s: %s", name, a.raw)
			})
		}
	}
}
