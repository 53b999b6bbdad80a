package credential

import (
	"fmt"
	"strings"

	"github.com/cloakroomhq/cloakroom/internal/claimpath"
)

// Claims are JMESPath expressions that find a caller's parts in the claims of a JWT. The defaults are the claims `sub`,
// Issuer.SessionClaim and `roles` (RFC 9068, section 2.2.3.1).
type Claims struct {
	Session string // one string
	Subject string // one string
	Roles   string // a list of strings, or one string
	Require string // must be true, or the JWT is refused
}

// mapped is an expression; nil: the default claim is read.
type mapped struct{ *claimpath.Expression }

type mapping struct{ session, subject, roles, require mapped }

func (c Claims) compile() (m mapping, err error) {
	for _, part := range []struct {
		text    string
		into    *mapped
		compile func(string) (*claimpath.Expression, error)
	}{
		{c.Session, &m.session, claimpath.CompileString}, {c.Subject, &m.subject, claimpath.CompileString}, {c.Roles, &m.roles, claimpath.CompileStrings},
		{c.Require, &m.require, claimpath.CompileCondition},
	} {
		if part.text == "" {
			continue
		}
		if part.into.Expression, err = part.compile(part.text); err != nil {
			return m, fmt.Errorf("%q: %w", part.text, err)
		}
	}
	return m, nil
}

// tree decodes claims for the expressions; nil if there are none.
func (m *mapping) tree(o object) (map[string]any, error) {
	if m.session.Expression == nil && m.subject.Expression == nil && m.roles.Expression == nil && m.require.Expression == nil {
		return nil, nil
	}
	tree := make(map[string]any, len(o))
	for name, raw := range o {
		v, err := claimpath.Decode(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, errClaims)
		}
		tree[name] = v
	}
	return tree, nil
}

// name returns the one string that the expression finds or, without an expression, the claim.
func (m mapped) name(o object, claim string, tree map[string]any) (string, error) {
	var found *string
	var err error
	if m.Expression == nil {
		found, err = member[string](o, claim)
	} else {
		var s string
		s, err = m.String(tree)
		found = &s
	}
	if err != nil || found == nil || !validID(*found) || placeholder(*found) {
		return "", fmt.Errorf("%s, or its expression: %w", claim, errClaims)
	}
	return *found, nil
}

func (m *mapping) rolesOf(o object, tree map[string]any) ([]string, error) {
	if m.roles.Expression != nil {
		all, err := m.roles.Strings(tree)
		if err != nil {
			return nil, fmt.Errorf("the expression for roles: %w", errClaims)
		}
		return knownRoles(all), nil
	}
	all, err := member[list](o, "roles")
	if err != nil || all == nil {
		return nil, err
	}
	return knownRoles(*all), nil
}

// placeholder reports whether s is what proxies and templates write for a missing value: all such requests would have one
// session.
func placeholder(s string) bool {
	switch strings.ToLower(s) {
	case "(null)", "null", "nil", "<nil>", "none", "undefined", "<no value>", "-":
		return true
	}
	return false
}
