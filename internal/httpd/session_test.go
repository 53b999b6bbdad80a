package httpd

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

// signedIn accepts every request as one of a given caller.
type signedIn struct{ caller *caller.Caller }

func (s signedIn) Authenticate(*http.Request) (*caller.Caller, error) { return s.caller, nil }

// TestCookieAndPrecondition: a cookie needs an Origin, and a request with a precondition runs only for that session; a refused
// request has run nothing.
func TestCookieAndPrecondition(t *testing.T) {
	hash, login := caller.HashSession("clinic", "s"), caller.HashLogin("clinic", []byte("l"))
	bearer := &caller.Caller{Tenant: "clinic", Session: &hash}
	cookie := &caller.Caller{Tenant: "clinic", Session: &hash, Login: &login, Ambient: true}
	for name, test := range map[string]struct {
		caller      *caller.Caller
		origin, pin string
		want        int
	}{
		"cookie": {cookie, "https://app.example", "", 200}, "cookie, own page": {cookie, publicURL, "", 200}, "cookie, no Origin": {cookie, "", "", 403},
		"bearer, no Origin": {bearer, "", "", 200}, "pinned": {bearer, "", hash.String(), 200}, "pinned, cookie": {cookie, "https://app.example", hash.String(), 200},
		"pinned to another": {bearer, "", login.String(), 412}, "pinned, nobody": {nil, "", hash.String(), 401},
		"cookie, no Origin, pinned to another": {cookie, "", login.String(), 403},
	} {
		t.Run(name, func(t *testing.T) {
			ran := false
			s := newServer(t, resolver{viewer: func(context.Context) (*model.Viewer, error) { ran = true; return nil, nil }}, func(o *Options) { o.Authenticator = signedIn{test.caller} })
			r := post(bodyOf("{ viewer { tenant } }"))
			for header, value := range map[string]string{"Origin": test.origin, "Cloakroom-Session-Hash": test.pin} {
				if value != "" {
					r.Header.Set(header, value)
				}
			}
			a := s.do(t, r)
			require.Equal(t, test.want, a.status, name)
			require.Equal(t, test.want == 200, ran, name)
			if test.want == 412 {
				require.Equal(t, "SESSION_CHANGED", a.code())
				require.Equal(t, []string{"refused:SESSION_CHANGED"}, s.seen.list)
			}
			if test.caller != nil && test.want != 403 {
				require.Equal(t, hash.String(), a.header.Get("Cloakroom-Session-Hash"), name)
			}
		})
	}
}

// echo is a SignIn that answers every request that reaches it.
type echo struct{}

func (echo) answer(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }

func (e echo) Verify(w http.ResponseWriter, r *http.Request, _ guard.Admit) { e.answer(w, r) }
func (e echo) Ensure(w http.ResponseWriter, r *http.Request, _ guard.Admit) { e.answer(w, r) }
func (e echo) Create(w http.ResponseWriter, r *http.Request, _ guard.Admit) { e.answer(w, r) }
func (e echo) End(w http.ResponseWriter, r *http.Request, _ guard.Admit)    { e.answer(w, r) }

func (echo) FromProvider() guard.Guard { return guard.Guard{Name: "provider's page"} }
func (echo) Rate() guard.Guard         { return guard.Guard{Name: "sign-in rate"} }

// TestSessionRoutes: /session/create checks its Origin itself, and scripts can't read its answers.
func TestSessionRoutes(t *testing.T) {
	s := newServer(t, resolver{}, func(o *Options) {
		o.SignIn = echo{}
	})
	for path, want := range map[string]int{"/session/create": 200, "/session/verify": 403, "/session/ensure": 403, "/session/create/": 403, "/session/": 403, "/graphql": 403} {
		t.Run(path, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, publicURL+path, strings.NewReader("{}"))
			r.Header.Set("Origin", "https://elsewhere.example")
			a := s.do(t, r)
			require.Equal(t, want, a.status, path)
			require.Empty(t, a.header.Get("Access-Control-Allow-Origin"))
			require.NotEmpty(t, a.header.Get("X-Request-Id"))
		})
	}
	r := httptest.NewRequest(http.MethodOptions, publicURL+"/session/create", http.NoBody)
	r.Header.Set("Origin", "https://app.example")
	r.Header.Set("Access-Control-Request-Method", "POST")
	require.Empty(t, s.do(t, r).header.Get("Access-Control-Allow-Origin"))
}

func TestRefuse(t *testing.T) {
	for code, want := range map[fault.Code]int{
		fault.Unauthenticated: 401, fault.Forbidden: 403, fault.SessionChanged: 412, fault.LimitExceeded: 413, fault.Unavailable: 503, fault.BadUserInput: 400, fault.Internal: 500,
	} {
		w := httptest.NewRecorder()
		Refuse(slog.New(slog.DiscardHandler))(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody), 0, fault.New(code, "x"))
		require.Equal(t, want, w.Code)
		require.Contains(t, w.Body.String(), `"code":"`+string(code)+`"`)
	}
	w := httptest.NewRecorder()
	Refuse(slog.New(slog.DiscardHandler))(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody), 415, fault.New(fault.BadUserInput, "x"))
	require.Equal(t, 415, w.Code)
}
