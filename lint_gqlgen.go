package main

import "github.com/cloakroomhq/cloakroom/internal/lint"

// bindings reports on --gqlgen. Its schema is checked if no other is named.
func (c *lintCommand) bindings() ([]lint.Finding, error) {
	if c.Gqlgen == "" {
		return nil, nil
	}
	found, schema, err := lint.Gqlgen(c.Gqlgen)
	if len(c.Schema) == 0 {
		c.Schema = schema
	}
	return found, err
}
