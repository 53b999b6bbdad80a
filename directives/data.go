package directives

import (
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// splitPresent parts the tokens that stand in a response's data from those that do not.
func splitPresent(response *graphql.Response, returned []pending, root string) (here, absent []pending) {
	var data any
	if err := json.Unmarshal(response.Data, &data); err != nil {
		return returned, nil // a scalar that writes no JSON; a grant too many opens nothing by itself
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

// hasValueAt reports whether something stands at a path of the response whose part below base data is.
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
