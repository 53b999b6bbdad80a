package httpd

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// selections bounds the fields and spreads that a document writes down, before it is validated:
// validation compares fields of one name pair by pair, so its cost grows with their square. Literals,
// which a batch needs many of, are not counted.
type selections struct {
	max, maxTokens int
	documents      graphql.Cache[*ast.QueryDocument] // what is there has passed
}

var _ graphql.OperationParameterMutator = (*selections)(nil)

// ExtensionName implements graphql.HandlerExtension.
func (*selections) ExtensionName() string { return "Selections" }

// Validate implements graphql.HandlerExtension.
func (*selections) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters implements graphql.OperationParameterMutator; it changes nothing. What does
// not parse is the executor's to refuse.
func (s *selections) MutateOperationParameters(ctx context.Context, p *graphql.RawParams) *gqlerror.Error {
	if _, ok := s.documents.Get(ctx, p.Query); ok {
		return nil
	}
	doc, _ := parser.ParseQueryWithTokenLimit(&ast.Source{Input: p.Query}, s.maxTokens)
	if doc == nil {
		return nil
	}
	n := 0
	for _, o := range doc.Operations {
		n += count(o.SelectionSet)
	}
	for _, f := range doc.Fragments {
		n += count(f.SelectionSet)
	}
	if n > s.max {
		return requestError(fault.LimitExceeded, "The document's number of selections is over the limit of %d.", s.max)
	}
	return nil
}

func count(set ast.SelectionSet) int {
	n := len(set)
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			n += count(s.SelectionSet)
		case *ast.InlineFragment:
			n += count(s.SelectionSet)
		}
	}
	return n
}
