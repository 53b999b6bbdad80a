package httpd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// allowList lets only listed operations run: by a text that means the same as a listed one, or by the id of a listed one.
// The client's own text runs, so that the client gets the `__typename`s in it; its normal form is a listed one.
type allowList struct {
	schema    *ast.Schema // that the listed operations were validated against
	forms     map[string]bool
	texts     map[string]string // by SHA-256 in hex, and by the id in a manifest
	maxTokens int
	accepted  graphql.Cache[string] // texts in clients' own formatting, by SHA-256 in hex
}

var _ graphql.OperationParameterMutator = (*allowList)(nil)

// loadAllowList reads a folder's documents and manifests. It refuses operations that are not valid in the schema, because
// they could never run.
func loadAllowList(o config.GraphQL, schema *ast.Schema) (*allowList, error) {
	all, err := readListed(o.AllowList)
	if err != nil {
		return nil, fmt.Errorf("config: graphql.allow_list: %w", err)
	}
	l := &allowList{schema: schema, forms: map[string]bool{}, texts: map[string]string{}, maxTokens: o.MaxTokens}
	if l.accepted, err = newCache(o.PersistedCache, func(hash, text string) int { return len(hash) + len(text) }); err != nil {
		return nil, err
	}
	for _, entry := range all {
		if err := l.add(entry, schema); err != nil {
			return nil, fmt.Errorf("config: graphql.allow_list: %s: %w", entry.where, err)
		}
	}
	return l, nil
}

func (l *allowList) add(entry listed, schema *ast.Schema) error {
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: entry.text}, l.maxTokens)
	if err != nil {
		return err
	}
	for _, part := range parts(doc) {
		if errs := validator.ValidateWithRules(schema, part, rules.NewDefaultRules()); len(errs) > 0 {
			return errs
		}
		form, _ := normalForm(part)
		l.forms[form] = true
	}
	if len(doc.Operations) != 1 {
		if entry.id != "" {
			return fmt.Errorf("%d operations under one id", len(doc.Operations))
		}
		return nil // each runs by its text
	}
	for _, id := range []string{hashOf(entry.text), entry.id} {
		if text, ok := l.texts[id]; ok && text != entry.text {
			return fmt.Errorf("another operation has the same id %q", id)
		}
		if id != "" {
			l.texts[id] = entry.text
		}
	}
	return nil
}

// parts returns one document for each operation, with the fragments that it uses, as a client sends it.
func parts(doc *ast.QueryDocument) (all []*ast.QueryDocument) {
	for _, o := range doc.Operations {
		part := &ast.QueryDocument{Operations: ast.OperationList{o}, Position: doc.Position}
		addFragments(doc.Fragments, o.SelectionSet, part)
		all = append(all, part)
	}
	return all
}

func addFragments(from ast.FragmentDefinitionList, set ast.SelectionSet, into *ast.QueryDocument) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			addFragments(from, s.SelectionSet, into)
		case *ast.InlineFragment:
			addFragments(from, s.SelectionSet, into)
		case *ast.FragmentSpread:
			if f := from.ForName(s.Name); f != nil && into.Fragments.ForName(s.Name) == nil {
				into.Fragments = append(into.Fragments, f)
				addFragments(from, f.SelectionSet, into)
			}
		}
	}
}

// ExtensionName implements graphql.HandlerExtension.
func (*allowList) ExtensionName() string { return "AllowList" }

// Validate implements graphql.HandlerExtension: it refuses a server of another schema than the one that loadAllowList
// validated the listed operations against.
func (l *allowList) Validate(es graphql.ExecutableSchema) error {
	if es.Schema() != l.schema {
		return errors.New("httpd: the allow-list was validated against another schema than the server's")
	}
	return nil
}

// MutateOperationParameters implements graphql.OperationParameterMutator: it replaces an id by the listed text.
func (l *allowList) MutateOperationParameters(ctx context.Context, p *graphql.RawParams) *gqlerror.Error {
	if p.Query != "" {
		return l.check(ctx, p.Query)
	}
	named, _ := p.Extensions["persistedQuery"].(map[string]any)
	id, _ := named["sha256Hash"].(string)
	text, ok := l.find(ctx, id)
	if !ok {
		// A client of automatic persisted queries then sends its text, which may be a listed one in its own formatting.
		return requestError(fault.PersistedNotFound, "PersistedQueryNotFound")
	}
	p.Query = text
	return nil
}

// check refuses a text that does not mean the same as a listed one, or does not parse.
func (l *allowList) check(ctx context.Context, text string) *gqlerror.Error {
	hash := hashOf(text)
	if _, ok := l.find(ctx, hash); ok {
		return nil
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, l.maxTokens)
	if err == nil {
		if form, ok := normalForm(doc); ok && l.forms[form] {
			l.accepted.Add(ctx, hash, text)
			return nil
		}
	}
	return requestError(fault.Forbidden, "Only the operations of the allow-list run here.")
}

// find looks up an id of a manifest, or a SHA-256, with the prefix of GraphQL over HTTP's appendix on persisted documents or
// without it.
func (l *allowList) find(ctx context.Context, id string) (string, bool) {
	if text, ok := l.texts[id]; ok {
		return text, true
	}
	hash := strings.TrimPrefix(id, "sha256:")
	if text, ok := l.texts[hash]; ok {
		return text, true
	}
	return l.accepted.Get(ctx, hash)
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
