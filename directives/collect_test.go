package directives

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
)

type (
	textual    struct{ err error }
	stringer   struct{}
	contextual struct{ err error }
	opaque     struct{}
	hidden     string
)

func (t textual) MarshalText() ([]byte, error) { return []byte("text"), t.err }
func (stringer) String() string                { return "string" }
func (hidden) String() string                  { return "***" }
func (c contextual) MarshalGQLContext(_ context.Context, w io.Writer) error {
	_, _ = io.WriteString(w, `"context"`)
	return c.err
}

func TestStringForms(t *testing.T) {
	h := hidden("shown")
	for _, c := range []struct {
		value any
		want  []string
	}{
		{textual{}, []string{"text"}},
		{&textual{}, []string{"text"}},
		{[]textual{{}, {}}, []string{"text", "text"}},
		{stringer{}, []string{"string"}},
		{contextual{}, []string{"context"}},
		{h, []string{"shown"}},
		{&h, []string{"shown"}},
		{graphql.MarshalString("a \"b\""), []string{`a "b"`}},
		{graphql.Null, nil},
		{(*textual)(nil), nil},
		{[]*string{nil}, nil},
	} {
		var col collector
		require.NoError(t, col.collect(context.Background(), c.value, nil), "%T", c.value)
		var have []string
		for _, p := range col.found {
			have = append(have, p.token)
		}
		require.Equal(t, c.want, have, "%T", c.value)
	}
}

func TestValuesWithoutAStringFormAreRefused(t *testing.T) {
	broken := errors.New("broken")
	for _, v := range []any{
		7, true, opaque{}, &opaque{}, map[string]string{"a": "b"}, []byte("bytes"), [][]any{{"tok", 1}}, graphql.MarshalInt(7), textual{broken}, contextual{broken},
	} {
		require.Error(t, new(collector).collect(context.Background(), v, nil), "%T", v)
	}
}

func TestTypes(t *testing.T) {
	for _, m := range []struct {
		value graphql.Marshaler
		want  string
	}{
		{GrantKindRead, `"READ"`}, {TokenID(`a"b`), `"a\"b"`},
	} {
		var b bytes.Buffer
		m.value.MarshalGQL(&b)
		require.Equal(t, m.want, b.String())
	}
	var (
		k GrantKind
		i TokenID
	)
	for _, bad := range []any{nil, 7, "", "read", "soon"} {
		require.Error(t, k.UnmarshalGQL(bad), bad)
	}
	require.Error(t, i.UnmarshalGQL(7))
	require.NoError(t, k.UnmarshalGQL("STORE"))
	require.NoError(t, i.UnmarshalGQL("tok"))
	require.Equal(t, "STORE tok", fmt.Sprintf("%s %s", k, i))
}

func TestAWalkThatPanicsRefuses(t *testing.T) {
	field := &ast.FieldDefinition{Name: "f", Arguments: ast.ArgumentDefinitionList{{Name: "a", Type: ast.NamedType("ID", nil)}}}
	tokens := &Tokens{fields: map[*ast.FieldDefinition][]position{field: {{name: "a"}}}}
	number := &ast.Value{Kind: ast.IntValue, Raw: "999999999999999999999999999999"}
	_, refused := tokens.walk(&graphql.OperationContext{Operation: &ast.OperationDefinition{SelectionSet: ast.SelectionSet{
		&ast.Field{Alias: "f", Definition: field, Arguments: ast.ArgumentList{{Name: "a", Value: number}}},
	}}})
	require.Equal(t, codeBadUserInput, refused.Extensions["code"])
}

func TestHasValueAt(t *testing.T) {
	data := map[string]any{"a": []any{map[string]any{"b": "x", "c": nil}}}
	path := func(steps ...ast.PathElement) ast.Path { return steps }
	n, i := func(s string) ast.PathElement { return ast.PathName(s) }, func(i int) ast.PathElement { return ast.PathIndex(i) }
	require.True(t, hasValueAt(data, nil, path(n("a"), i(0), n("b"))))
	require.True(t, hasValueAt(data, path(n("r")), path(n("r"), n("a"), i(0), n("b"))))
	for _, absent := range []ast.Path{
		path(n("a"), i(0), n("c")), path(n("a"), i(1), n("b")), path(n("a"), n("b")), path(n("z")), path(n("a"), i(0), n("b"), i(0)),
	} {
		require.False(t, hasValueAt(data, nil, absent), absent.String())
	}
	require.False(t, hasValueAt(data, path(n("r"), n("s")), path(n("r"))))
	require.False(t, hasValueAt(data, path(n("q")), path(n("r"), n("a"))))
	here, absent := splitPresent(&graphql.Response{Data: []byte("{")}, []pending{{token: "t"}}, "")
	require.Len(t, here, 1, "with unreadable data, every token counts as present")
	require.Empty(t, absent)
}
