package directives

import (
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// splitPresent separates the tokens that are in a response's data from those that are not.
func splitPresent(response *graphql.Response, returned []pending, root string) (here, absent []pending) {
	var data any
	if err := json.Unmarshal(response.Data, &data); err != nil {
		return returned, nil // a scalar wrote invalid JSON: create all grants, since an unused grant reveals nothing
	}
	for _, p := range returned {
		if hasValueAt(data, response.Path, p.path(root)) {
			here = append(here, p)
		} else {
			absent = append(absent, p)
		}
	}
	return here, absent
}

// hasValueAt reports whether the response has a non-null value at path; data is the subtree at base.
func hasValueAt(data any, base, path ast.Path) bool {
	if len(path) < len(base) {
		return false
	}
	for i, step := range path {
		if i < len(base) {
			if base[i] != step {
				return false
			}
			continue
		}
		switch step := step.(type) {
		case ast.PathName:
			object, _ := data.(map[string]any)
			data = object[string(step)]
		case ast.PathIndex:
			list, _ := data.([]any)
			if int(step) >= len(list) {
				return false
			}
			data = list[step]
		}
	}
	return data != nil
}
