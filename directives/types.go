package directives

import (
	"errors"
	"io"
	"strconv"

	"github.com/99designs/gqlgen/graphql"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// GrantKind is the enum of token.graphqls. A backend binds it in gqlgen.yml, since gqlgen makes a type of its own otherwise.
type GrantKind string

// The kinds of grants.
const (
	GrantKindRead  GrantKind = "READ"  // the session may detokenize
	GrantKindStore GrantKind = "STORE" // the application may save the token for the session
)

// MarshalGQL implements graphql.Marshaler.
func (k GrantKind) MarshalGQL(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote(string(k))) }

// UnmarshalGQL implements graphql.Unmarshaler.
func (k *GrantKind) UnmarshalGQL(v any) error {
	s, _ := v.(string)
	switch *k = GrantKind(s); *k {
	case GrantKindRead, GrantKindStore:
		return nil
	}
	return errors.New("a grant's kind is READ or STORE")
}

// TokenID is the scalar of tokenid.graphqls: an opaque token. Its form is the gateway's to check.
type TokenID string

// Valid reports whether it has the form of a token. What has not is no token of any gateway, and a gateway
// refuses a whole list that holds it.
func (t TokenID) Valid() bool { return ids.ValidToken(string(t)) }

// MarshalGQL implements graphql.Marshaler.
func (t TokenID) MarshalGQL(w io.Writer) { graphql.MarshalString(string(t)).MarshalGQL(w) }

// UnmarshalGQL implements graphql.Unmarshaler.
func (t *TokenID) UnmarshalGQL(v any) error {
	s, ok := v.(string)
	if !ok {
		return errors.New("a token is a string")
	}
	*t = TokenID(s)
	return nil
}
