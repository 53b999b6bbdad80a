package guard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

func TestCheckPrecondition(t *testing.T) {
	hash := caller.HashSession("clinic", "s")
	other := caller.HashSession("clinic", "t").String()
	session, application := &caller.Caller{Session: &hash}, &caller.Caller{Roles: []string{caller.RoleApplication}}
	for name, test := range map[string]struct {
		who  *caller.Caller
		pins []string
		want fault.Code
	}{
		"no pin": {session, nil, ""}, "no pin, no session": {nil, nil, ""}, "no pin, application": {application, nil, ""},
		"same": {session, []string{hash.String()}, ""}, "other": {session, []string{other}, fault.SessionChanged},
		"upper case": {session, []string{strings.ToUpper(hash.String())}, fault.SessionChanged}, "empty": {session, []string{""}, fault.SessionChanged},
		"twice": {session, []string{hash.String(), hash.String()}, fault.BadUserInput}, "application": {application, []string{hash.String()}, fault.SessionChanged},
		"application, empty": {application, []string{""}, fault.SessionChanged},
		"no caller":          {nil, []string{hash.String()}, fault.Unauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			r, answer := httptest.NewRequest(http.MethodPost, "/graphql", nil), http.Header{}
			for _, p := range test.pins {
				r.Header.Add(SessionHashHeader, p)
			}
			err := CheckPrecondition(answer, r, test.who)
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.Equal(t, test.want, fault.Public(err).Code)
			}
			if test.who == session {
				require.Equal(t, hash.String(), answer.Get(SessionHashHeader))
			} else {
				require.Empty(t, answer)
			}
		})
	}
}
