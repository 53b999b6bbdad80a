package signin

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/credential"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// TestLoginLife: a cookie is accepted until the cookie or the session ends, whichever is earlier.
func TestLoginLife(t *testing.T) {
	w := newWorld(t, nil)
	cookie := w.signIn(t)
	r := httptest.NewRequest("GET", gatewayURL, http.NoBody)
	r.Header.Set("Cookie", cookie)
	c, err := w.Authenticate(r)
	require.NoError(t, err)
	require.NotNil(t, c.Login)
	require.Equal(t, &caller.Caller{Tenant: "clinic", Subject: "user", Session: &w.assertion.Session, Login: c.Login, IssuedAt: start.Add(-time.Minute), ExpiresAt: start.Add(time.Hour), Ambient: true}, c)
	w.now = start.Add(time.Hour - time.Millisecond)
	_, err = w.Authenticate(r)
	require.NoError(t, err)
	w.now = start.Add(time.Hour)
	_, err = w.Authenticate(r)
	require.Equal(t, fault.Unauthenticated, fault.Public(err).Code)
	w.now = start
	ends := start.Add(10 * time.Minute)
	w.assertion.SessionExpires = &ends
	again := w.signIn(t)
	r.Header.Set("Cookie", again)
	two, err := w.Authenticate(r)
	require.NoError(t, err)
	require.Equal(t, ends, two.ExpiresAt)
	require.NotEqual(t, c.Login, two.Login, "each sign-in is its own login")
	later := start.Add(48 * time.Hour)
	w.assertion.SessionExpires = &later
	r.Header.Set("Cookie", w.signIn(t))
	three, err := w.Authenticate(r)
	require.NoError(t, err)
	require.Equal(t, start.Add(time.Hour), three.ExpiresAt, "never longer than the setting")
}

// TestAKeyIsWithdrawn: the cookies of a withdrawn key end, and no others.
func TestAKeyIsWithdrawn(t *testing.T) {
	w := newWorld(t, nil)
	verify := func(cookie string) int { return w.do("GET", "/session/verify", "", "Cookie", cookie).Code }
	w.assertion.Key = credential.Thumbprint{1}
	one := w.signIn(t)
	w.assertion.Key = credential.Thumbprint{2}
	two := w.signIn(t)
	require.Equal(t, http.StatusOK, verify(one))
	w.withdrawn = map[credential.Thumbprint]bool{{1}: true}
	require.Equal(t, http.StatusUnauthorized, verify(one))
	require.Equal(t, http.StatusOK, verify(two))
}

// TestPrecedence: any other credential takes precedence over the cookie, even a bad one.
func TestPrecedence(t *testing.T) {
	w := newWorld(t, nil)
	cookie := w.signIn(t)
	r := httptest.NewRequest("GET", gatewayURL, http.NoBody)
	c, err := w.Authenticate(r)
	require.NoError(t, err)
	require.Nil(t, c)
	r.Header.Set("Cookie", cookie)
	r.Header.Set("Authorization", "bad")
	_, err = w.Authenticate(r)
	require.Error(t, err)
	r.Header.Del("Authorization")
	w.next = &caller.Caller{Tenant: "bank"}
	for _, value := range []string{cookie, "__Host-cloakroom-session=bad", cookie + "; " + cookie} {
		r.Header.Set("Cookie", value)
		c, err = w.Authenticate(r)
		require.NoError(t, err)
		require.Equal(t, "bank", c.Tenant)
	}
	require.NotContains(t, w.outcomes, credential.Refused)
}
