package appkit_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
)

func TestMiddlewarePutsTheSessionIntoTheContext(t *testing.T) {
	for cookie, want := range map[string]bool{"login=abc": true, "": false, "login=": false} {
		t.Run(cookie, func(t *testing.T) {
			asked := 0
			kit := newKit(t, func(o *appkit.Options) {
				o.Session = func(w http.ResponseWriter, r *http.Request) (appkit.Session, error) {
					asked++
					return cookieSession(w, r)
				}
			})
			ran := false
			next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				ran = true
				session, ok := appkit.SessionFrom(r.Context())
				sid, alsoOK := appkit.GatewaySession(r.Context())
				assert.Equal(t, want, ok)
				assert.Equal(t, want, alsoOK)
				if ok {
					assert.Equal(t, appkit.Session{ID: "abc", Subject: "user-7"}, session)
					assert.Equal(t, appkit.SessionID("abc"), sid)
				}
			})
			require.Equal(t, 200, send(kit.Middleware(next), "POST", "/graphql", map[string]string{"Cookie": cookie}).Code)
			require.True(t, ran)
			require.Equal(t, 1, asked)
		})
	}
}

func TestGatewaySessionIsTheClaimOfTheSessionsJWT(t *testing.T) {
	kit := newKit(t, nil)
	token, _, err := kit.SessionToken(t.Context(), appkit.Session{ID: "abc", Subject: "user-7"})
	require.NoError(t, err)
	sid, _ := verify(t, kit, token).Get("sid")
	kit.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		id, _ := appkit.GatewaySession(r.Context())
		assert.Equal(t, sid, id)
	})).ServeHTTP(httptest.NewRecorder(), withCookie("login=abc"))
}

func withCookie(cookie string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/graphql", nil)
	r.Header.Set("Cookie", cookie)
	return r
}

func TestAFailingCallbackSignsNobodyIn(t *testing.T) {
	kit := newKit(t, func(o *appkit.Options) {
		o.Session = func(http.ResponseWriter, *http.Request) (appkit.Session, error) {
			return appkit.Session{ID: "abc", Subject: "user-7"}, errors.New("the database is down")
		}
	})
	kit.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, ok := appkit.SessionFrom(r.Context())
		assert.False(t, ok)
	})).ServeHTTP(httptest.NewRecorder(), withCookie("login=abc"))
}
