package httpd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// allowList lets only known documents run: by their text, which may differ from the file in white space
// at its ends only, or by the SHA-256 of that text as automatic persisted queries send it.
type allowList struct{ documents map[string]string } // by hash, in hex

var _ graphql.OperationParameterMutator = (*allowList)(nil)

// loadAllowList reads every *.graphql file of a folder, one document each.
func loadAllowList(dir string) (*allowList, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.graphql"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("config: graphql.allow_list: no *.graphql file in %s; put the operations of your clients there", dir)
	}
	l := &allowList{documents: map[string]string{}}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("config: graphql.allow_list: %w", err)
		}
		text := strings.TrimSpace(string(b))
		l.documents[hashOf(text)] = text
	}
	return l, nil
}

// ExtensionName implements graphql.HandlerExtension.
func (*allowList) ExtensionName() string { return "AllowList" }

// Validate refuses a list with a document that does not fit the schema.
func (l *allowList) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters implements graphql.OperationParameterMutator.
func (l *allowList) MutateOperationParameters(_ context.Context, p *graphql.RawParams) *gqlerror.Error {
	hash := hashOf(strings.TrimSpace(p.Query))
	if p.Query == "" {
		named, _ := p.Extensions["persistedQuery"].(map[string]any)
		hash, _ = named["sha256Hash"].(string)
	}
	text, ok := l.documents[hash]
	if !ok {
		return requestError(fault.Forbidden, "Only the operations of the allow-list run here.")
	}
	p.Query = text
	return nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
