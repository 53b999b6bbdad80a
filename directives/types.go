package directives

import (
	"errors"
	"io"

	"github.com/99designs/gqlgen/graphql"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// TokenID is the scalar of tokenid.graphqls: an opaque token. The gateway checks its form.
type TokenID string

// Valid reports whether it has the form of a token. No gateway issues tokens of another form, and a gateway refuses a
// whole list that holds one.
func (t TokenID) Valid() bool { return ids.ValidToken(string(t)) }

// MarshalGQL implements graphql.Marshaler.
func (t TokenID) MarshalGQL(w io.Writer) { graphql.MarshalString(string(t)).MarshalGQL(w) }

// UnmarshalGQL implements graphql.Unmarshaler. It returns an error, which has no sentinel and does not hold the value, for a
// value that is not a string.
func (t *TokenID) UnmarshalGQL(v any) error {
	s, ok := v.(string)
	if !ok {
		return errors.New("a token is a string")
	}
	*t = TokenID(s)
	return nil
}
