package directives

import (
	"reflect"
)

// asList returns the elements of a list. A list that a client sent is []any; a list that gqlparser made of a variable's
// single value is a slice of that value's type: []string, [][]string, []map[string]any.
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

// coerceList returns the elements of a list; a single value is a list of one element (GraphQL, section 3.11).
func coerceList(v any) []any {
	if list, ok := asList(v); ok {
		return list
	}
	return []any{v}
}
