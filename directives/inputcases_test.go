package directives_test

import (
	"fmt"

	"github.com/cloakroomhq/cloakroom/directives"
)

// inputCase is an operation with tokens; wants names for each path the token's number and its kinds.
type inputCase struct {
	name, query string
	variables   map[string]any
	wants       map[string]string // path -> token
	kinds       []directives.GrantKind
}

const deepVariables = `mutation($deep: Deep, $deeps: [Deep!]) { take(deep: $deep, deeps: $deeps) }`

// dflt returns a token that is a default in the schema.
func dflt(n int) string { return fmt.Sprintf("tok-00000000-0000-4000-8000-0000000000d%d", n) }

// v makes variables of alternating names and values.
func v(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

// inputCases returns an operation for each shape of input.
func inputCases() []inputCase {
	all := []inputCase{
		{name: "literals", query: fmt.Sprintf(`mutation { take(token: %q, id: %q, ref: %q, list: [%q, %q], grid: [[%q, null], null]) }`,
			tok(1), tok(2), tok(3), tok(4), tok(5), tok(6)),
			wants: map[string]string{"take.token": tok(1), "take.id": tok(2), "take.ref": tok(3), "take.list.0": tok(4),
				"take.list.1": tok(5), "take.grid.0.0": tok(6)}},
		{name: "block string", query: `mutation { take(token: """` + tok(1) + `""") }`, wants: map[string]string{"take.token": tok(1)}},
		{name: "variables", query: `mutation($a: String, $b: [String!], $c: [[String]]) { take(token: $a, list: $b, grid: $c) }`,
			variables: v("a", tok(1), "b", []any{tok(2), tok(3)}, "c", []any{nil, []any{nil, tok(4)}}),
			wants:     map[string]string{"take.token": tok(1), "take.list.0": tok(2), "take.list.1": tok(3), "take.grid.1.1": tok(4)}},
		{name: "one variable in several places", query: `mutation($a: String!) { x: take(token: $a, list: [$a]) y: take(token: $a, deep: {grid: [[$a]]}) }`,
			variables: v("a", tok(1)),
			wants:     map[string]string{"x.token": tok(1), "x.list.0": tok(1), "y.token": tok(1), "y.deep.grid.0.0": tok(1)}},
		{name: "single literals for lists", query: fmt.Sprintf(`mutation { take(list: %q, grid: %q, deeps: {tokens: %q}) }`, tok(1), tok(2), tok(3)),
			wants: map[string]string{"take.list.0": tok(1), "take.grid.0.0": tok(2), "take.deeps.0.tokens.0": tok(3)}},
		{name: "single variables for lists", query: `mutation($a: [String!], $b: [[String]], $c: [Deep!]) { take(list: $a, grid: $b, deeps: $c) }`,
			variables: v("a", tok(1), "b", tok(2), "c", v("tokens", tok(3), "nest", v("token", tok(4)))),
			wants: map[string]string{"take.list.0": tok(1), "take.grid.0.0": tok(2), "take.deeps.0.tokens.0": tok(3),
				"take.deeps.0.nest.0.0.token": tok(4)}},
		{name: "nested inputs", query: deepVariables,
			variables: v("deep", v("token", tok(1), "plain", "x", "deep", v("ref", tok(2), "deeps", []any{v("id", tok(3)), v("grid", []any{[]any{tok(4)}})}))),
			wants: map[string]string{"take.deep.token": tok(1), "take.deep.deep.ref": tok(2), "take.deep.deep.deeps.0.id": tok(3),
				"take.deep.deep.deeps.1.grid.0.0": tok(4)}},
		{name: "lists of inputs", query: deepVariables,
			variables: v("deeps", []any{v(), v("tokens", []any{tok(1)}), v("nest", []any{nil, []any{nil, v("token", tok(2))}})}),
			wants:     map[string]string{"take.deeps.1.tokens.0": tok(1), "take.deeps.2.nest.1.1.token": tok(2)}},
		{name: "literal objects with variables inside", query: `mutation($a: TokenID!, $gone: ID) { take(deep: {token: $a, id: $gone, deep: {tokens: [$a]}}) }`,
			variables: v("a", tok(1)), wants: map[string]string{"take.deep.token": tok(1), "take.deep.deep.tokens.0": tok(1)}},
		{name: "one of", query: `mutation($c: Choice) { a: take(choice: {token: "` + tok(1) + `"}) b: take(choice: $c) }`,
			variables: v("c", v("deep", v("token", tok(2)))), wants: map[string]string{"a.choice.token": tok(1), "b.choice.deep.token": tok(2)}},
	}
	all = append(all, moreInputCases()...)
	for i := range all {
		all[i].kinds = []directives.GrantKind{store}
	}
	return append(all, inputCase{name: "kinds", query: `mutation { take(read: "` + tok(1) + `") }`, kinds: []directives.GrantKind{read},
		wants: map[string]string{"take.read": tok(1)}},
		inputCase{name: "both kinds", query: `mutation { take(deep: {both: "` + tok(1) + `"}) }`, kinds: []directives.GrantKind{read, store},
			wants: map[string]string{"take.deep.both": tok(1)}})
}

func moreInputCases() []inputCase {
	return []inputCase{
		{name: "map-bound input", query: `mutation { take(mapped: {token: "` + tok(1) + `"}) }`, wants: map[string]string{"take.mapped.token": tok(1)}},
		{name: "argument default", query: `mutation { defaults }`, wants: map[string]string{"defaults.token": dflt(0)}},
		{name: "defaults of an unset variable and of an input", query: `mutation($t: String, $d: [Defaults!]) { defaults(token: $t, defaults: $d) }`,
			variables: v("d", v()), wants: map[string]string{"defaults.token": dflt(0), "defaults.defaults.0.token": dflt(1),
				"defaults.defaults.0.tokens.0": dflt(2), "defaults.defaults.0.deep.token": dflt(3)}},
		{name: "null beats defaults", query: `mutation { defaults(token: null, defaults: [{token: null, tokens: null, deep: {token: "` + tok(9) + `"}}]) }`,
			wants: map[string]string{"defaults.defaults.0.deep.token": tok(9)}},
		{name: "default of a variable", query: `mutation($a: String = "` + tok(1) + `") { take(token: $a) }`, wants: map[string]string{"take.token": tok(1)}},
		{name: "not null", query: `mutation($a: TokenID!) { must(token: $a, list: [$a], deep: {token: $a}) }`, variables: v("a", tok(1)),
			wants: map[string]string{"must.token": tok(1), "must.list.0": tok(1), "must.deep.token": tok(1)}},
		{name: "fragments and aliases", query: `mutation { ...M ... on Mutation { two: take(token: "` + tok(2) + `") } } fragment M on Mutation { one: take(token: "` + tok(1) + `") }`,
			wants: map[string]string{"one.token": tok(1), "two.token": tok(2)}},
		{name: "skip and include", query: `mutation($no: Boolean!) { take(token: "` + tok(1) + `") a: take(token: "x") @skip(if: true) ...M @include(if: $no)
			... @skip(if: true) { b: take(token: "x") } c: take(list: ["` + tok(2) + `"]) @skip(if: $no) } fragment M on Mutation { d: take(token: "x") }`,
			variables: v("no", false), wants: map[string]string{"take.token": tok(1), "c.list.0": tok(2)}},
	}
}
