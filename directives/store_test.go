package directives_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/directives"
)

// STORE lets the application save a token. Each session to which the application then returns the row may read the value,
// also the session that stored it. An input for tokens that its session may read requires both kinds (docs/adr/0023).
func TestStoreAllowsSavingAndAReturnedRowGrantsRead(t *testing.T) {
	for _, c := range []struct {
		field, holds string
		held         []directives.GrantKind
		taken        bool
	}{
		{"note", "STORE alone", []directives.GrantKind{store}, true},
		{"note", "READ alone", []directives.GrantKind{read}, false},
		{"note", "both", []directives.GrantKind{read, store}, true},
		{"own", "STORE alone", []directives.GrantKind{store}, false},
		{"own", "READ alone", []directives.GrantKind{read}, false},
		{"own", "both", []directives.GrantKind{read, store}, true},
		{"seen", "STORE alone", []directives.GrantKind{store}, false},
		{"seen", "READ alone", []directives.GrantKind{read}, true},
		{"seen", "both", []directives.GrantKind{read, store}, true},
	} {
		t.Run(c.field+" with "+c.holds, func(t *testing.T) {
			s := newSubgraph(t)
			for _, k := range c.held {
				s.grants.hold(k, tok(1))
			}
			a := s.ask(t, `{ `+c.field+`(text: "`+tok(1)+`") { text } }`, nil)
			require.Len(t, s.grants.verifies, 1)
			if !c.taken {
				require.Equal(t, []string{"GRANT_REQUIRED " + c.field + ".text"}, a.refused())
				require.Empty(t, s.Got(), "no resolver ran")
				require.Empty(t, s.grants.created(), "nothing was granted")
				return
			}
			require.Empty(t, a.Errors)
			require.Equal(t, [][]string{{tok(1) + " READ 0s"}}, s.grants.created(), "the answer returns the row")
		})
	}
}
