package api

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// selectionLimit refuses operations that select more fields than the limit; a field counts as often as its fragment is
// spread. gqlgen's FixedComplexityLimit follows every spread, so thirty fragments that each spread the next one
// twice take minutes to measure, and it does not measure introspection.
type selectionLimit int

var _ graphql.OperationContextMutator = selectionLimit(0)

// ExtensionName implements graphql.HandlerExtension.
func (selectionLimit) ExtensionName() string { return "SelectionLimit" }

// Validate implements graphql.HandlerExtension.
func (selectionLimit) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext implements graphql.OperationContextMutator; it changes nothing.
func (l selectionLimit) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	m := measurer{most: int(l) + 1, fragments: map[*ast.FragmentDefinition]int{}}
	if m.fields(op.Operation.SelectionSet) <= int(l) {
		return nil
	}
	err := gqlerror.Errorf("The operation selects more than %d fields.", int(l))
	err.Extensions = map[string]any{"code": "LIMIT_EXCEEDED"}
	return err
}

// measurer measures each fragment once. Fragments of a validated document have no cycles.
type measurer struct {
	most      int // counting stops here
	fragments map[*ast.FragmentDefinition]int
}

func (m *measurer) fields(set ast.SelectionSet) (n int) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			n += 1 + m.fields(s.SelectionSet)
		case *ast.InlineFragment:
			n += m.fields(s.SelectionSet)
		case *ast.FragmentSpread:
			n += m.fragment(s.Definition)
		}
		n = min(n, m.most)
	}
	return n
}

func (m *measurer) fragment(f *ast.FragmentDefinition) int {
	n, ok := m.fragments[f]
	if !ok {
		n = m.fields(f.SelectionSet)
		m.fragments[f] = n
	}
	return n
}
