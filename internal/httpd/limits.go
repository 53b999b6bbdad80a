package httpd

import (
	"context"
	"math"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// rootFieldCost is the complexity of a root field: each runs at least one statement of the database. Every other field adds
// 1, each time its fragment is spread. So does every entry of a list in an argument; a list in a variable counts for each
// field that uses the variable. Ten entries of an application's lists add 1: they are only rows, with nothing to seal or
// sign.
const rootFieldCost = 10

var cheapEntries = map[string]int{"createGrants": 10, "verifyGrants": 10, "revokeGrants": 10, "deleteTokens": 10}

// limits refuses operations that are over a limit. Each fragment is measured once, so that measuring fragments that spread
// each other takes no longer than reading them.
type limits struct {
	config.GraphQL
	schema *ast.Schema
}

var _ graphql.OperationContextMutator = (*limits)(nil)

// ExtensionName implements graphql.HandlerExtension.
func (*limits) ExtensionName() string { return "Limits" }

// Validate implements graphql.HandlerExtension.
func (l *limits) Validate(s graphql.ExecutableSchema) error {
	l.schema = s.Schema()
	return nil
}

// MutateOperationContext implements graphql.OperationContextMutator; it changes nothing.
func (l *limits) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	m := measurer{schema: l.schema, variables: op.Variables, fragments: map[string]measure{}}
	total := m.selection(op.Operation.SelectionSet)
	total.directives = sum(total.directives, len(op.Operation.Directives))
	for _, limit := range []struct {
		name     string
		have, at int
	}{
		{"depth", total.depth, l.MaxDepth},
		{"number of aliases", total.aliases, l.MaxAliases},
		{"number of directives", total.directives, l.MaxDirectives},
		{"complexity", total.fields, l.MaxComplexity},
	} {
		if limit.have > limit.at {
			return requestError(fault.LimitExceeded, "The operation's %s is over the limit of %d.", limit.name, limit.at)
		}
	}
	if m.malformed != "" {
		return requestError(fault.BadUserInput, "The number %s is out of range.", m.malformed)
	}
	if m.introspects && !l.Introspection {
		return requestError(fault.Forbidden, "Introspection is switched off.")
	}
	if op.Operation.Operation == ast.Subscription && streams(op) != 1 {
		return requestError(fault.BadUserInput, "A subscription has exactly one field.")
	}
	return nil
}

// streams counts the root fields of a subscription. The validation counts an aliased field once, and those that @skip leaves out.
func streams(op *graphql.OperationContext) int {
	return len(graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Subscription"}))
}

func requestError(code fault.Code, format string, args ...any) *gqlerror.Error {
	err := gqlerror.Errorf(format, args...)
	err.Extensions = map[string]any{"code": string(code)}
	return err
}

type measure struct{ depth, aliases, directives, fields int }

func (m *measure) add(o measure, deeper int) {
	m.depth = max(m.depth, o.depth+deeper)
	m.aliases = sum(m.aliases, o.aliases)
	m.directives = sum(m.directives, o.directives)
	m.fields = sum(m.fields, o.fields)
}

// sum stops at a number that is over every limit.
func sum(a, b int) int { return min(a+b, math.MaxInt32) }

type measurer struct {
	schema      *ast.Schema
	variables   map[string]any
	fragments   map[string]measure
	introspects bool
	malformed   string // a number that no type holds; gqlparser would panic on it while executing
}

func (m *measurer) selection(set ast.SelectionSet) (total measure) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			one := measure{fields: 1, depth: 1, directives: len(s.Directives)}
			if s.ObjectDefinition == m.schema.Query || s.ObjectDefinition == m.schema.Mutation || s.ObjectDefinition == m.schema.Subscription {
				one.fields = rootFieldCost
			}
			for _, a := range s.Arguments {
				one.fields = sum(one.fields, m.entries(a.Value)/max(1, cheapEntries[s.Name]))
			}
			if s.Alias != s.Name {
				one.aliases = 1
			}
			if s.Name == "__schema" || s.Name == "__type" {
				m.introspects = true
			}
			one.add(m.selection(s.SelectionSet), 1)
			total.add(one, 0)
		case *ast.InlineFragment:
			inner := m.selection(s.SelectionSet)
			inner.directives = sum(inner.directives, len(s.Directives))
			total.add(inner, 0)
		case *ast.FragmentSpread:
			inner := m.fragment(s.Definition)
			inner.directives = sum(inner.directives, len(s.Directives))
			total.add(inner, 0)
		}
	}
	return total
}

// fragment is only called for validated documents, in which fragments have no cycles.
func (m *measurer) fragment(f *ast.FragmentDefinition) measure {
	if f == nil {
		return measure{}
	}
	known, ok := m.fragments[f.Name]
	if !ok {
		known = m.selection(f.SelectionSet)
		m.fragments[f.Name] = known
	}
	return known
}

// entries counts the members of all lists in a literal, and in the variables that it names.
func (m *measurer) entries(v *ast.Value) (n int) {
	if v.Kind == ast.Variable {
		return members(m.variables[v.Raw])
	}
	switch v.Kind {
	case ast.ListValue:
		n = len(v.Children)
	case ast.IntValue, ast.FloatValue:
		if _, err := v.Value(nil); err != nil {
			m.malformed = v.Raw
		}
	}
	for _, c := range v.Children {
		n = sum(n, m.entries(c.Value))
	}
	return n
}

// members counts the members of all lists in a coerced value.
func members(v any) (n int) {
	switch v := v.(type) {
	case []any:
		n = len(v)
		for _, e := range v {
			n = sum(n, members(e))
		}
	case map[string]any:
		for _, e := range v {
			n = sum(n, members(e))
		}
	}
	return n
}
