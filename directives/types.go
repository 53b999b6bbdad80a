package directives

import (
	"errors"
	"io"

	"github.com/99designs/gqlgen/graphql"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// TokenID is the scalar of tokenid.graphqls: an opaque token. Its form is the gateway's to check.
type TokenID string

// Valid reports whether it has the form of a token. What has not is no token of any gateway, and a gateway
// refuses a whole list that holds it.
func (t TokenID) Valid() bool { return ids.ValidToken(string(t)) }

// MarshalGQL implements graphql.Marshaler.
func (t TokenID) MarshalGQL(w io.Writer) { graphql.MarshalString(string(t)).MarshalGQL(w) }

// UnmarshalGQL implements graphql.Unmarshaler. What has not the form of a token is an error without the text, and without a sentinel.
func (t *TokenID) UnmarshalGQL(v any) error {
	s, ok := v.(string)
	if !ok {
		return errors.New("a token is a string")
	}
	*t = TokenID(s)
	return nil
}
