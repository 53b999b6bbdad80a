package clinic_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/examples/clinic"
)

// TestALoginCarriesItsOwnVisitorsGrants: grants move from the session of the browser's own cookie to the new one, and in no
// other case.
func TestALoginCarriesItsOwnVisitorsGrants(t *testing.T) {
	var carried [][2]string
	var failure error
	app := newClinic(t, func(o *clinic.Options) {
		o.Logger, o.Grants = slog.New(slog.DiscardHandler), &counted{}
		o.CarryGrants = func(_ context.Context, from, to string) error {
			carried = append(carried, [2]string{from, to})
			return failure
		}
	})
	// login returns the session that starts, if any, and whether the visitor's cookie is deleted.
	login := func(password string, cookies ...*http.Cookie) (session *http.Cookie, forgets bool) {
		form := url.Values{"email": {clinic.DrAdams}, "password": {password}}.Encode()
		r := httptest.NewRequest(http.MethodPost, baseURL+"/login", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, c := range cookies {
			r.AddCookie(c)
		}
		answer := serve(app, r)
		require.Equal(t, http.StatusSeeOther, answer.StatusCode)
		for _, c := range answer.Cookies() {
			switch {
			case c.Name == "cloakroom_clinic_8082":
				require.Negative(t, c.MaxAge)
				forgets = true
			case c.MaxAge > 0:
				session = c
			}
		}
		return session, forgets
	}
	sid, visitor := session(t, app, sessionURL, nil)
	refused, forgets := login("wrong", visitor)
	require.Nil(t, refused)
	require.False(t, forgets)
	require.Empty(t, carried, "nobody has logged in")

	in, forgets := login(clinic.DemoPassword, visitor)
	require.Equal(t, [][2]string{{sid, appkit.SessionID(in.Value)}}, carried)
	require.True(t, forgets, "the next user must not get this visitor's later tokens")

	carried = nil
	again, _ := login(clinic.DemoPassword, visitor, in)
	require.NotEqual(t, in.Value, again.Value)
	_, foreign := session(t, newClinic(t, nil), sessionURL, nil)
	for _, cookies := range [][]*http.Cookie{nil, {foreign}, {{Name: visitor.Name, Value: sid}}} {
		in, _ = login(clinic.DemoPassword, cookies...)
		require.NotNil(t, in)
	}
	require.Empty(t, carried, "nothing moves from a user's session, from no session, or from another browser's session")

	failure = errors.New("the gateway is down")
	in, forgets = login(clinic.DemoPassword, visitor)
	require.NotNil(t, in, "the login goes on")
	require.False(t, forgets)
	require.Len(t, carried, 1)
}
