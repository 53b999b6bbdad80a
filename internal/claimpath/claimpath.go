// Package claimpath finds values in the claims of a JWT by JMESPath expressions (jmespath.org), compiled once
// from the settings.
//
// Of the language it has what picks and joins claims. What could make an answer out of nothing (to_string turns
// an absent claim into "null"), lose digits, or grow without relation to the claims (padding, the root and
// variables inside of projections) is refused at compile time.
package claimpath

import (
	"errors"
	"fmt"

	"github.com/jmespath-community/go-jmespath/pkg/functions"
	"github.com/jmespath-community/go-jmespath/pkg/interpreter"
	"github.com/jmespath-community/go-jmespath/pkg/parsing"
)

// maxExpression bounds an expression, in bytes.
const maxExpression = 512

var allowed = map[string]bool{
	"contains": true, "ends_with": true, "join": true, "keys": true, "length": true, "lower": true, "map": true, "not_null": true,
	"split": true, "starts_with": true, "to_array": true, "trim": true, "type": true, "upper": true, "values": true,
}

// ErrOtherType is what an expression's result is refused with that is not what it has to be.
var ErrOtherType = errors.New("the expression finds something of another type in the claims")

// Expression is a compiled expression; it is safe for concurrent use.
type Expression struct {
	root   parsing.ASTNode
	caller interpreter.FunctionCaller
}

// Compile parses an expression. It refuses one that finds something where there are no claims: it would say
// the same of everybody.
func Compile(text string) (*Expression, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("over %d bytes", maxExpression)
	}
	root, err := parsing.NewParser().Parse(text)
	if err != nil {
		return nil, err
	}
	if err := check(root); err != nil {
		return nil, err
	}
	var offered []functions.FunctionEntry
	for _, f := range functions.GetDefaultFunctions() {
		if allowed[f.Name] {
			offered = append(offered, f)
		}
	}
	e := &Expression{root: root, caller: interpreter.NewFunctionCaller(offered...)}
	if v, err := e.search(map[string]any{}); err == nil && v != nil && !empty(v) {
		return nil, errors.New("it finds something where there are no claims, and so the same for everybody")
	}
	return e, nil
}

func check(n parsing.ASTNode) error {
	switch n.NodeType {
	case parsing.ASTRootNode, parsing.ASTLetExpression, parsing.ASTVariable:
		return errors.New("$ and let are not offered here")
	case parsing.ASTFunctionExpression:
		if name, _ := n.Value.(string); !allowed[name] {
			return fmt.Errorf("the function %s is not offered here", name)
		}
	}
	for _, child := range n.Children {
		if err := check(child); err != nil {
			return err
		}
	}
	return nil
}

func empty(v any) bool {
	list, ok := v.([]any)
	return ok && len(list) == 0
}

// search runs the expression; whatever the library makes of odd claims is an error here.
func (e *Expression) search(claims map[string]any) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, errors.New("the expression can't be applied to the claims")
		}
	}()
	return interpreter.NewInterpreter(claims, e.caller, nil).Execute(e.root, claims)
}

// String returns the one string that the expression finds in claims, which are JSON as encoding/json decodes
// it; an error where it finds nothing or something else.
func (e *Expression) String(claims map[string]any) (string, error) {
	v, err := e.search(claims)
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", ErrOtherType
	}
	return s, nil
}

// Strings returns the list of strings, or the one string, that the expression finds; none where it finds
// nothing.
func (e *Expression) Strings(claims map[string]any) ([]string, error) {
	v, err := e.search(claims)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []any:
		list := make([]string, len(v))
		for i, member := range v {
			s, ok := member.(string)
			if !ok {
				return nil, ErrOtherType
			}
			list[i] = s
		}
		return list, nil
	}
	return nil, ErrOtherType
}
