package scalar

import (
	"github.com/99designs/gqlgen/graphql"

	"github.com/cloakroomhq/cloakroom/internal/tokenid"
)

// MarshalTokenID encodes a token.
func MarshalTokenID(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalTokenID decodes a token. Whether its prefix is one that the gateway accepts is the
// domain's to say.
func UnmarshalTokenID(v any) (string, error) {
	s, ok := v.(string)
	if !ok || !tokenid.Valid(s) {
		return "", bad("Expected a token: a prefix and a random UUID.")
	}
	return s, nil
}
