// Package claimpath finds values in the claims of a JWT by JMESPath expressions (jmespath.org), compiled once
// from the settings.
//
// It has the parts of the language that pick and join claims. Parts that could make a result without claims, lose digits, or
// grow without relation to the claims (padding, the root and variables inside of projections) are refused at compile time.
// to_string accepts only strings and whole numbers: jmespath.org's turns an absent claim into "null".
package claimpath

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/jmespath-community/go-jmespath"
	"github.com/jmespath-community/go-jmespath/pkg/parsing" // what parses is checked, and only this package names its nodes
)

// maxExpression limits the length of an expression, in bytes.
const maxExpression = 512

var allowed = map[string]bool{
	"contains": true, "ends_with": true, "join": true, "keys": true, "length": true, "lower": true, "map": true, "not_null": true,
	"split": true, "starts_with": true, "to_array": true, "to_string": true, "trim": true, "type": true, "upper": true, "values": true,
}

// ErrOtherType means that an expression's result has the wrong type.
var ErrOtherType = errors.New("the expression finds something of another type in the claims")

var (
	errApply  = errors.New("the expression can't be applied to the claims")
	errShared = errors.New("it finds something in claims that are the same for many users")
)

// Expression is a compiled expression; it is safe for concurrent use.
type Expression struct {
	root     parsing.ASTNode
	compiled jmespath.JMESPath
}

// CompileString parses an expression whose String identifies a user. It refuses an expression that can give several users one
// result: one that finds something without claims, or in claims that many users' JWTs share, or that can return a constant.
func CompileString(text string) (*Expression, error) {
	e, err := compile(text)
	if err != nil {
		return nil, err
	}
	if err := checkConstants(e.root); err != nil {
		return nil, err
	}
	for _, claims := range samples(map[string]any{"roles": []any{"user"}, "groups": []any{"staff"}}) {
		if v, err := e.search(claims); err == nil && nonEmpty(v) {
			return nil, errShared
		}
	}
	return e, nil
}

// CompileStrings parses an expression for Strings. It refuses one that finds something without claims, or that makes strings
// of its own from claims that many users' JWTs share.
func CompileStrings(text string) (*Expression, error) {
	e, err := compile(text)
	if err != nil {
		return nil, err
	}
	for _, claims := range samples(nil) {
		all, _ := e.Strings(claims)
		if slices.ContainsFunc(all, func(s string) bool { return !sampled(claims, s) }) {
			return nil, errShared
		}
	}
	return e, nil
}

// CompileCondition parses an expression for Holds. It refuses one that holds without claims.
func CompileCondition(text string) (*Expression, error) {
	e, err := parse(text)
	if err != nil {
		return nil, err
	}
	if e.Holds(map[string]any{}) {
		return nil, errors.New("it holds without claims, and so requires nothing")
	}
	return e, nil
}

func compile(text string) (*Expression, error) {
	e, err := parse(text)
	if err != nil {
		return nil, err
	}
	if v, err := e.search(map[string]any{}); err == nil && (nonEmpty(v) || v == false) {
		return nil, errors.New("it finds something without claims, and so the same for all users")
	}
	return e, nil
}

func parse(text string) (*Expression, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("over %d bytes", maxExpression)
	}
	root, err := jmespath.NewParser().Parse(text)
	if err != nil {
		return nil, err
	}
	if err := check(root); err != nil {
		return nil, err
	}
	compiled, err := jmespath.Compile(text, jmespath.FunctionEntry{
		Name: "to_string", Arguments: []jmespath.ArgSpec{{Types: []jmespath.JpType{jmespath.JpAny}}}, Handler: toString,
	})
	if err != nil {
		return nil, err
	}
	return &Expression{root: root, compiled: compiled}, nil
}

// toString accepts a string, or a whole number that float64 distinguishes from its neighbours.
func toString(arguments []any) (any, error) {
	switch v := arguments[0].(type) {
	case string:
		return v, nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= maxExact {
			return strconv.FormatInt(int64(v), 10), nil
		}
	}
	return nil, errApply
}

// check refuses every node that is not listed here, so also those that a later version of the library adds.
func check(n parsing.ASTNode) error {
	switch n.NodeType {
	case parsing.ASTRootNode, parsing.ASTLetExpression, parsing.ASTVariable:
		return errors.New("$ and let are not supported here")
	case parsing.ASTFunctionExpression:
		if name, _ := n.Value.(string); !allowed[name] {
			return fmt.Errorf("the function %s is not supported here", name)
		}
	case parsing.ASTLiteral:
		if !exact(n.Value) {
			return errors.New("it has a number that is not exact; numbers must be below 2^53")
		}
	case parsing.ASTArithmeticExpression, parsing.ASTArithmeticUnaryExpression, parsing.ASTComparator, parsing.ASTCurrentNode, parsing.ASTExpRef,
		parsing.ASTField, parsing.ASTFilterProjection, parsing.ASTFlatten, parsing.ASTIdentity, parsing.ASTIndex, parsing.ASTIndexExpression,
		parsing.ASTKeyValPair, parsing.ASTMultiSelectHash, parsing.ASTMultiSelectList, parsing.ASTOrExpression, parsing.ASTAndExpression,
		parsing.ASTNotExpression, parsing.ASTPipe, parsing.ASTProjection, parsing.ASTSubexpression, parsing.ASTSlice, parsing.ASTValueProjection:
	default:
		return fmt.Errorf("%s is not supported here", n.NodeType)
	}
	for _, child := range n.Children {
		if err := check(child); err != nil {
			return err
		}
	}
	return nil
}

// nonEmpty reports whether a result is other than null, false or an empty list.
func nonEmpty(v any) bool {
	if list, ok := v.([]any); ok {
		return len(list) > 0
	}
	return v != nil && v != false
}

// search runs the expression. An error or a panic of the library becomes an error that quotes no claims.
func (e *Expression) search(claims map[string]any) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, errApply
		}
	}()
	if v, err = e.compiled.Search(claims); err != nil {
		return nil, errApply
	}
	return v, nil
}

// String returns the one string that the expression finds in claims, whose values come from Decode. It returns an error if
// the expression finds nothing or something else.
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

// Holds reports whether the expression's result for claims is true.
func (e *Expression) Holds(claims map[string]any) bool {
	v, err := e.search(claims)
	return err == nil && v == true
}

// Strings returns the list of strings, or the one string, that the expression finds; none if it finds nothing. Any other
// result is an error.
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
