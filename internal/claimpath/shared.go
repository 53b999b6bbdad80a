package claimpath

import (
	"errors"
	"maps"
	"strings"

	"github.com/jmespath-community/go-jmespath/pkg/parsing"
)

// samples returns the claims of a JWT that names no user, session or role, with either form of aud (RFC 7519, section
// 4.1.3), and with the claims in also.
func samples(also map[string]any) []map[string]any {
	one := map[string]any{
		"iss": "https://issuer.example/", "aud": "https://gateway.example", "azp": "web", "client_id": "web", "typ": "Bearer",
		"exp": 1767229200.0, "nbf": 1767225600.0, "iat": 1767225600.0, "auth_time": 1767225600.0, "scope": "openid profile email",
	}
	maps.Copy(one, also)
	several := maps.Clone(one)
	several["aud"] = []any{"https://gateway.example", "account"}
	return []map[string]any{one, several}
}

// sampled reports whether a string is a claim's value, a member of one, or a word of one.
func sampled(claims map[string]any, s string) bool {
	for _, v := range claims {
		switch v := v.(type) {
		case string:
			if s == v {
				return true
			}
			for word := range strings.FieldsSeq(v) {
				if s == word {
					return true
				}
			}
		case []any:
			for _, member := range v {
				if s == member {
					return true
				}
			}
		}
	}
	return false
}

// checkConstants refuses an expression that could give many users one string: a constant as an operand of && or ||, as the
// body of an expression reference, or as the whole content of a multi-select.
func checkConstants(n parsing.ASTNode) error {
	refused := false
	switch n.NodeType {
	case parsing.ASTOrExpression, parsing.ASTAndExpression, parsing.ASTExpRef:
		for _, operand := range n.Children {
			refused = refused || constant(operand)
		}
	case parsing.ASTMultiSelectList, parsing.ASTMultiSelectHash:
		refused = constant(n)
	}
	if refused {
		return errors.New("it can return a constant, which is the same for many users")
	}
	for _, child := range n.Children {
		if err := checkConstants(child); err != nil {
			return err
		}
	}
	return nil
}

// constant reports whether a node has a result, whatever the claims are.
func constant(n parsing.ASTNode) bool {
	switch n.NodeType {
	case parsing.ASTLiteral:
		return nonEmpty(n.Value) && n.Value != ""
	case parsing.ASTSubexpression, parsing.ASTIndexExpression, parsing.ASTPipe, parsing.ASTProjection, parsing.ASTValueProjection,
		parsing.ASTFilterProjection, parsing.ASTFlatten:
		return constant(n.Children[0])
	case parsing.ASTFunctionExpression, parsing.ASTMultiSelectList, parsing.ASTMultiSelectHash, parsing.ASTKeyValPair:
		for _, child := range n.Children {
			if !constant(child) {
				return false
			}
		}
		return len(n.Children) > 0
	}
	return false
}
