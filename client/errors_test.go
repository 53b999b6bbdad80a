package client_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/directives"
)

func TestErrors(t *testing.T) {
	f := newFake(t, ok(`{"data":null,"errors":[
		{"message":"Lacks a grant.","path":["createGrants","input","grants",3,"token"],"extensions":{"code":"GRANT_REQUIRED"}},
		{"message":"Too many.","extensions":{"code":"LIMIT_EXCEEDED"}},
		{"message":"New.","extensions":{"code":"FROM_THE_FUTURE"}},
		{"message":"line one\r\nBearer `+jwt+` of `+token+` at https://store.example/v?`+signed+`"}]}`))
	_, err := newClient(t, f.URL, always, nil).CreateGrants(t.Context(), "s", oneGrant)
	for _, code := range []client.Code{client.ErrGrantRequired, client.ErrLimitExceeded, client.ErrInternal, "FROM_THE_FUTURE"} {
		require.ErrorIs(t, err, code)
	}
	require.NotErrorIs(t, err, client.ErrForbidden)
	var first *client.Error
	require.ErrorAs(t, err, &first)
	require.Equal(t, client.Error{
		Code: client.ErrGrantRequired, Message: "Lacks a grant.", Path: []any{"createGrants", "input", "grants", 3, "token"},
	}, *first)
	require.Equal(t, "cloakroom: GRANT_REQUIRED: Lacks a grant. (at createGrants.input.grants[3].token)", first.Error())
	noSecrets(t, err)
	require.Equal(t, 3, strings.Count(err.Error(), "\n"), "one line for each error")
}

func TestOptions(t *testing.T) {
	good := client.Options{Endpoint: "https://gateway.example", Credentials: always}
	for name, change := range map[string]func(*client.Options){
		"Endpoint is missing":             func(o *client.Options) { o.Endpoint = "" },
		"Endpoint is not an absolute URL": func(o *client.Options) { o.Endpoint = "gateway.example" },
		"Endpoint would send":             func(o *client.Options) { o.Endpoint = "http://gateway.example" },
		"Endpoint holds a user":           func(o *client.Options) { o.Endpoint = "https://a:b@gateway.example" },
		"Credentials is missing":          func(o *client.Options) { o.Credentials = nil },
		"Timeout, Attempts and MaxAnsw":   func(o *client.Options) { o.Attempts = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			change(&o)
			_, err := client.New(o)
			require.ErrorContains(t, err, name)
			require.NotContains(t, err.Error(), "a:b")
		})
	}
	for _, endpoint := range []string{good.Endpoint, "https://gateway.example/", "https://example.org/cloakroom", "http://127.0.0.1:8080", "http://[::1]", "http://localhost"} {
		o := good
		o.Endpoint = endpoint
		_, err := client.New(o)
		require.NoError(t, err, endpoint)
	}
}

// An empty list of tokens must not be sent as an absent list, which means every token.
func TestAnEmptyListRevokesNothing(t *testing.T) {
	f := newFake(t, ok(`{"data":{"revokeGrants":{"revoked":99}}}`))
	c := newClient(t, f.URL, always, nil)
	n, err := c.RevokeGrants(t.Context(), client.Revocation{Session: "s", Tokens: []string{}})
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = c.RevokeGrants(t.Context(), client.Revocation{Kinds: []directives.GrantKind{directives.GrantKindRead}})
	require.ErrorIs(t, err, client.ErrBadUserInput)
	require.Zero(t, f.requests.Load())
}

// Grants are not carried between equal sessions, or sessions without an id.
func TestCarryGrantsRefusesBadSessions(t *testing.T) {
	f := newFake(t, ok(`{"data":{"carryGrants":{"carried":99}}}`))
	c := newClient(t, f.URL, always, nil)
	for _, ids := range [][2]string{{"s", "s"}, {"", "s"}, {"s", ""}, {"s", "\xff"}} {
		_, err := c.CarryGrants(t.Context(), ids[0], ids[1])
		require.ErrorIs(t, err, client.ErrBadUserInput)
	}
	require.Zero(t, f.requests.Load())
}

// If a revocation's answer is lost, the revocation may have been made, so listeners are told.
func TestListenersAreToldOfALostRevocation(t *testing.T) {
	c := newClient(t, newFake(t, dropped).URL, always, nil)
	told := 0
	c.OnRevoke(func(string, []string) { told++ })
	_, err := c.RevokeGrants(t.Context(), client.Revocation{Session: "s"})
	require.Error(t, err)
	_, err = c.DeleteTokens(t.Context(), []string{token})
	require.Error(t, err)
	_, err = c.CarryGrants(t.Context(), "s", "t")
	require.Error(t, err)
	_, err = c.EndSession(t.Context(), "s")
	require.Error(t, err)
	require.Equal(t, 4, told)
	require.True(t, errors.Is(err, client.ErrUnavailable))
}
