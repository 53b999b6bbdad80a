// Package grant has an application's types of grants: package client sends them to a gateway, and package directives
// makes them from a schema's annotations. It imports nothing but the standard library, so that a program that calls
// the gateway links no GraphQL server.
package grant

import (
	"errors"
	"io"
	"strconv"
	"time"
)

// Kind is a kind of grant: the enum GrantKind of token.graphqls.
type Kind string

// The kinds of grants.
const (
	Read  Kind = "READ"  // the session may detokenize
	Store Kind = "STORE" // the application may save the token for the session
)

// Valid reports whether it is one of the kinds.
func (k Kind) Valid() bool { return k == Read || k == Store }

// MarshalGQL implements gqlgen's graphql.Marshaler.
func (k Kind) MarshalGQL(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote(string(k))) }

// UnmarshalGQL implements gqlgen's graphql.Unmarshaler. It returns an error, which has no sentinel, for a value that
// is not a kind.
func (k *Kind) UnmarshalGQL(v any) error {
	s, _ := v.(string)
	if *k = Kind(s); !k.Valid() {
		return errors.New("a grant's kind is READ or STORE")
	}
	return nil
}

// Request asks for the same grants on each of several tokens.
type Request struct {
	Tokens   []string
	Kinds    []Kind
	Duration time.Duration // 0: the gateway's default
}

// Granted is the result of one Request: a grant of each of its kinds exists on each of its tokens, except the missing ones.
type Granted struct {
	ExpiresAt time.Time // the earliest end of these grants: until then the session holds them all; zero: every token is missing
	Missing   []string  // the request's tokens without a grant, in the request's order
}

// Check asks whether a session holds a grant.
type Check struct {
	Token string
	Kind  Kind
}
