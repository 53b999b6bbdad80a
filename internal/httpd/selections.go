package httpd

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// selections limits the number of fields and spreads in a document, before validation: validation compares fields of one
// name pair by pair, so its cost grows with their square. Literals are not counted, because a batch needs many.
type selections struct {
	max, maxTokens int
	documents      graphql.Cache[*ast.QueryDocument] // cached documents have passed
}

var _ graphql.OperationParameterMutator = (*selections)(nil)

// ExtensionName implements graphql.HandlerExtension.
func (*selections) ExtensionName() string { return "Selections" }

// Validate implements graphql.HandlerExtension.
func (*selections) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters implements graphql.OperationParameterMutator; it changes nothing. The executor refuses
// documents that do not parse.
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
