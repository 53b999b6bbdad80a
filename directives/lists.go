package directives

import (
	"reflect"
)

// asList returns the elements of a list. One that a client wrote is []any; where gqlparser coerced a variable's
// single value to a list, it is a slice of that value's type: []string, [][]string, []map[string]any.
func asList(v any) ([]any, bool) {
	if list, ok := v.([]any); ok {
		return list, true
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Slice {
		return nil, false
	}
	list := make([]any, r.Len())
	for i := range list {
		list[i] = r.Index(i).Interface()
	}
	return list, true
}

// coerceList returns the elements of a list, of which a single value is one (GraphQL, section 3.11).
func coerceList(v any) []any {
	if list, ok := asList(v); ok {
		return list
	}
	return []any{v}
}
