package scalar

import (
	"github.com/99designs/gqlgen/graphql"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// MarshalTokenID encodes a token.
func MarshalTokenID(t ids.Token) graphql.Marshaler { return graphql.MarshalString(t.String()) }

// UnmarshalTokenID decodes a token, with the id of its row. The vault checks whether the gateway accepts its prefix.
func UnmarshalTokenID(v any) (ids.Token, error) {
	s, _ := v.(string)
	t, ok := ids.ParseToken(s)
	if !ok {
		return t, bad("Expected a token: a prefix and a random UUID.")
	}
	return t, nil
}
