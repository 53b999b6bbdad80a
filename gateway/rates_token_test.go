package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/examples/minimal"
	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// exchangeable is a client of the gateway that a test can exchange for another while it is in use.
type exchangeable struct{ now atomic.Pointer[client.Client] }

func (e *exchangeable) CreateGrants(ctx context.Context, session string, grants []directives.Grant) ([]directives.Granted, error) {
	return e.now.Load().CreateGrants(ctx, session, grants)
}

func (e *exchangeable) VerifyGrants(ctx context.Context, session string, checks []directives.Check) ([]directives.Check, error) {
	return e.now.Load().VerifyGrants(ctx, session, checks)
}

// TestABackendWhoseGatewayAsksItToWait: an application's first JWT, from an address where too many credentials were
// refused, is RATE_LIMITED. @token then fails closed for inputs and outputs: nothing is stored, a returned token can't be
// opened, and the page gets the code RATE_LIMITED.
func TestABackendWhoseGatewayAsksItToWait(t *testing.T) {
	g := start(t, func(c *gateway.Config) { c.Rates.RefusedCredentials.Address = almostNever(2) })
	grants := &exchangeable{}
	exchange := func(tenant string) {
		c, err := client.New(client.Options{Endpoint: g.URL, Credentials: g.Application(tenant)})
		require.NoError(t, err)
		grants.now.Store(c)
	}
	backend := backendOf(t, grants)
	note := func(login, query string) string {
		r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(`{"query":"`+query+`"}`))
		r.Header.Set("Content-Type", "application/json")
		r.AddCookie(&http.Cookie{Name: "login", Value: login})
		w := httptest.NewRecorder()
		backend.ServeHTTP(w, r)
		return w.Body.String()
	}
	exchange(gatewaytest.Own)
	session := jwtOf(t, g.Session(gatewaytest.Own, "one"))
	made := func() string { return tokenOf.FindString(ask(t, g, session, `mutation { tokenize { token } }`).body) }
	kept, late := made(), made()
	other := jwtOf(t, g.Session(gatewaytest.Own, "two"))
	open := func() string { return ask(t, g, other, `mutation { detokenize(token: \"`+kept+`\") { token } }`).body }
	require.Contains(t, open(), "GRANT_REQUIRED") // and its session is known from now on
	add := func(token string) string { return `mutation { addNote(text: \"` + token + `\") { id } }` }
	require.NotContains(t, note("one", add(kept)), "errors")

	forged := session[:len(session)-8] + "AAAAAAAA"
	for range 2 {
		require.Equal(t, http.StatusUnauthorized, ask(t, g, forged, `{ viewer { tenant } }`).status)
	}
	exchange(gatewaytest.Other) // an application that has sent no JWT yet
	refused := func(t *testing.T, body, path string) {
		t.Helper()
		require.Regexp(t, `"path":`+path+`,"extensions":\{"code":"RATE_LIMITED","retryAfter":[1-9][0-9]*\}`, body)
	}
	t.Run("inputs are not verified", func(t *testing.T) {
		body := note("one", add(late))
		refused(t, body, `\["addNote","text"\]`)
		require.NotContains(t, body, "tok-")
	})
	t.Run("outputs are not granted", func(t *testing.T) {
		refused(t, note("two", `{ notes { id text } }`), `\["notes",0,"text"\]`)
		require.Contains(t, open(), "GRANT_REQUIRED", "the returned token can't be opened")
	})
	exchange(gatewaytest.Own)
	t.Run("afterwards, nothing of the refused input was stored", func(t *testing.T) {
		body := note("two", `{ notes { id text } }`)
		require.NotContains(t, body, "errors")
		require.Contains(t, body, kept)
		require.NotContains(t, body, late)
		require.NotContains(t, open(), "errors")
		require.NotContains(t, note("one", add(late)), "errors")
	})
}

// backendOf returns an application with logins of one user; a cookie names the login.
func backendOf(t *testing.T, grants directives.Grants) http.Handler {
	t.Helper()
	key, err := appkit.GenerateKey()
	require.NoError(t, err)
	keys, err := appkit.NewKeys(key)
	require.NoError(t, err)
	kit, err := appkit.New(appkit.Options{
		Issuer: "https://app.example", Audience: "https://gateway.example", Keys: keys,
		Session: func(_ http.ResponseWriter, r *http.Request) (appkit.Session, error) {
			login, err := r.Cookie("login")
			if err != nil {
				return appkit.Session{}, appkit.ErrNoSession
			}
			return appkit.Session{ID: login.Value, Subject: "user"}, nil
		},
	})
	require.NoError(t, err)
	backend, err := minimal.New(kit, grants)
	require.NoError(t, err)
	return backend
}
