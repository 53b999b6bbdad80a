package directives

import (
	"bytes"
	"context"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/99designs/gqlgen/graphql"
)

// plainString returns a string, a TokenID or a pointer to one, without reflection: most tokens are of these types.
func plainString(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case TokenID:
		return string(v), true
	case *string:
		if v != nil {
			return *v, true
		}
	case *TokenID:
		if v != nil {
			return string(*v), true
		}
	}
	return "", false
}

// collector finds the tokens in a resolved value: strings and values with a string form, in lists of any depth.
type collector struct {
	template pending
	found    []pending
}

func (c *collector) add(token string, indexes []int) {
	p := c.template
	p.token, p.indexes = token, indexes
	c.found = append(c.found, p)
}

func (c *collector) collect(ctx context.Context, value any, indexes []int) error {
	if value == nil {
		return nil
	}
	if s, ok := plainString(value); ok {
		c.add(s, indexes)
		return nil
	}
	v := reflect.ValueOf(value)
	if (v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.IsNil() {
		return nil
	}
	if s, ok, err := stringForm(ctx, value); err != nil {
		return err
	} else if ok {
		if s != nil {
			c.add(*s, indexes)
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		return c.collect(ctx, v.Elem().Interface(), indexes)
	case reflect.Slice, reflect.Array:
		return c.list(ctx, v, indexes)
	}
	return notText(value)
}

func (c *collector) list(ctx context.Context, v reflect.Value, indexes []int) error {
	if c.found == nil {
		c.found = make([]pending, 0, v.Len())
	}
	depth := len(indexes) + 1
	steps := make([]int, 0, v.Len()*depth) // every element's indexes, in one allocation
	for i := range v.Len() {
		steps = append(append(steps, indexes...), i)
		if err := c.collect(ctx, v.Index(i).Interface(), steps[i*depth:len(steps):len(steps)]); err != nil {
			return err
		}
	}
	return nil
}

func notText(value any) error {
	return fail(codeInternal, fmt.Sprintf("A value of Go type %T has no string form, and can't be a token.", value), nil)
}

// stringForm returns a scalar's text in the response, nil for null, and whether its Go type defines one. For a Go
// string type that gqlgen casts, the text is the string and not the result of its String method.
func stringForm(ctx context.Context, value any) (*string, bool, error) {
	var b bytes.Buffer
	switch v := value.(type) {
	case graphql.ContextMarshaler:
		if err := v.MarshalGQLContext(ctx, &b); err != nil {
			return nil, false, err
		}
	case graphql.Marshaler:
		v.MarshalGQL(&b)
	default:
		return textForm(value)
	}
	var s *string
	if err := json.Unmarshal(b.Bytes(), &s); err != nil {
		return nil, false, notText(value)
	}
	return s, true, nil
}

func textForm(value any) (*string, bool, error) {
	v := reflect.Indirect(reflect.ValueOf(value))
	if v.Kind() == reflect.String {
		s := v.String()
		return &s, true, nil
	}
	switch v := value.(type) {
	case encoding.TextMarshaler:
		text, err := v.MarshalText()
		s := string(text)
		return &s, true, err
	case fmt.Stringer:
		s := v.String()
		return &s, true, nil
	}
	return nil, false, nil
}
