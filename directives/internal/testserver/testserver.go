// Package testserver is a gqlgen server whose schema annotates every shape with @token. Only tests use it.
package testserver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"sync/atomic"

	"github.com/cloakroomhq/cloakroom/directives"
)

//go:generate go tool gqlgen generate --config gqlgen.yml

// Ref is the Go type of a custom scalar: its JSON form has a prefix that the Go value has not.
type Ref struct{ UUID string }

// RefPrefix is the prefix of a Ref's JSON form.
const RefPrefix = "tok-"

// MarshalGQL implements graphql.Marshaler.
func (r Ref) MarshalGQL(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote(RefPrefix+r.UUID)) }

// UnmarshalGQL implements graphql.Unmarshaler.
func (r *Ref) UnmarshalGQL(v any) error {
	s, ok := v.(string)
	if !ok || len(s) < len(RefPrefix) {
		return errors.New("a ref is a string")
	}
	r.UUID = s[len(RefPrefix):]
	return nil
}

// UnmarshalJSON reads a Ref in its JSON form.
func (r *Ref) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	return r.UnmarshalGQL(s)
}

// Code is a string whose String method hides it from logs; its JSON form is the string.
type Code string

// String implements fmt.Stringer.
func (Code) String() string { return "***" }

// Resolver has every resolver of the server. A resolver that a test does not set returns nothing.
type Resolver struct {
	// Ran counts the resolvers that ran.
	Ran atomic.Int64

	OnRecord  func(ctx context.Context) (*Record, error)
	OnRecords func(ctx context.Context) ([]*Record, error)
	OnNode    func(ctx context.Context) (Node, error)
	OnItems   func(ctx context.Context) ([]Item, error)
	OnRows    func(ctx context.Context) ([]*Row, error)
	OnSecret  func(ctx context.Context) (*string, error)
	OnJSON    func(ctx context.Context) (any, error)
	OnChild   func(ctx context.Context, of *Record) (*Record, error)
	OnSlow    func(ctx context.Context, of *Record, name string) (string, error)
	OnStrict  func(ctx context.Context) (string, error)
	OnStream  func(ctx context.Context) (<-chan *Record, error)
	OnTokens  func(ctx context.Context) (<-chan directives.TokenID, error)
	OnLists   func(ctx context.Context) (<-chan []string, error)
	OnFails   error
	Panicking any
}

func call[T any](ctx context.Context, r *Resolver, f func(context.Context) (T, error)) (value T, err error) {
	r.Ran.Add(1)
	if f == nil {
		return value, nil
	}
	return f(ctx)
}
