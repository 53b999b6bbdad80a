package claimpath

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/jmespath-community/go-jmespath"
	"github.com/jmespath-community/go-jmespath/pkg/functions"
	"github.com/jmespath-community/go-jmespath/pkg/parsing"
	"github.com/stretchr/testify/require"
)

// TestLibraryIsReviewed: additions and changes of a new version are reviewed before it is used
// (docs/adr/0036).
func TestLibraryIsReviewed(t *testing.T) {
	t.Run("its functions are supported or refused here", func(t *testing.T) {
		known := slices.Collect(maps.Keys(allowed))
		known = append(known, "abs", "avg", "ceil", "find_first", "find_last", "floor", "from_items", "group_by", "items", "max", "max_by", "merge", "min",
			"min_by", "pad_left", "pad_right", "replace", "reverse", "sort", "sort_by", "sum", "to_number", "trim_left", "trim_right", "zip")
		var has []string
		for _, f := range functions.GetDefaultFunctions() {
			has = append(has, f.Name)
		}
		require.ElementsMatch(t, known, has)
	})
	t.Run("its nodes are those that check knows", func(t *testing.T) {
		require.Equal(t, "astNodeType(30)", (parsing.ASTBinding + 1).String())
		require.Error(t, check(parsing.ASTNode{NodeType: parsing.ASTBinding + 1}))
		require.Error(t, check(parsing.ASTNode{}))
	})
	t.Run("its parts are children, where check sees them", func(t *testing.T) {
		for _, text := range []string{
			"abs(a)", "a.abs(b)", "a[?abs(b)]", "a[*].abs(b)", "a[].abs(b)", "a.*.abs(b)", "[abs(a)]", "{x: abs(a)}", "a | abs(b)", "a || abs(b)", "a && abs(b)", "!abs(a)",
			"a == abs(b)", "map(&abs(@), a)", "length(abs(a))", "a[1:2].abs(b)", "a[0].abs(b)", "(abs(a))", "a + abs(b)", "-abs(a)", "a.{x: abs(b)}", "a.[abs(b)]",
		} {
			root, err := jmespath.NewParser().Parse(text)
			require.NoError(t, err, text)
			require.ErrorContains(t, check(root), "abs", text)
		}
	})
	t.Run("our to_string replaces its own", func(t *testing.T) {
		e, err := parse("to_string(a)")
		require.NoError(t, err)
		_, err = e.search(map[string]any{})
		require.Error(t, err, "its own returns null")
	})
	for _, c := range []struct{ name, text, want string }{
		{"a field", "o.a", `1`},
		{"an absent claim", "none.x[0]", `null`},
		{"an index from the end", "l[-1]", `3`},
		{"a slice", "l[::2]", `[1,3]`},
		{"a projection leaves out null", "p[*].x", `["u"]`},
		{"a field of a list", "l.a", `null`},
		{"a filter", "p[?x=='u'].y | [0]", `"v"`},
		{"a filter of another type", "l[?@=='1']", `[]`},
		{"flattening", "n[]", `[1,2]`},
		{"or skips false", "f || e || s", `"a b"`},
		{"and", "s && l[0]", `1`},
		{"not", "!e", `true`},
		{"a comparison of order with text", "s > `1`", `null`},
		{"a list", "[s, none]", `["a b",null]`},
		{"an object", "{x: s}", `{"x":"a b"}`},
		{"nothing of an absent object", "none.{x: s}", `null`},
		{"a pipe ends a projection", "p[*].x | [0]", `"u"`},
		{"splitting", "split(s, ' ')", `["a","b"]`},
		{"joining", "join('-', ['x', s])", `"x-a b"`},
		{"the first that is there", "not_null(none, s)", `"a b"`},
		{"a list of one", "to_array(s)", `["a b"]`},
		{"a number is no text", "contains(l, '1')", `false`},
	} {
		t.Run("its answer: "+c.name, func(t *testing.T) {
			var claims map[string]any
			require.NoError(t, json.Unmarshal([]byte(`{"o":{"a":1},"l":[1,2,3],"p":[{"x":"u","y":"v"},{"y":"w"}],"n":[[1],[2]],"f":false,"e":[],"s":"a b"}`), &claims))
			e, err := parse(c.text)
			require.NoError(t, err)
			v, err := e.search(claims)
			require.NoError(t, err)
			got, err := json.Marshal(v)
			require.NoError(t, err)
			require.JSONEq(t, c.want, string(got))
		})
	}
}
