package client_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// The whole contract against a whole gateway: a session stores and reads a value, the application reads what is known
// of its token, revokes its grants and deletes it.
func TestContract(t *testing.T) {
	g := gatewaytest.Start(t, nil)
	session := newClient(t, g.URL, g.Session(gatewaytest.Own, "login"), nil)
	app := newClient(t, g.URL, g.Application(gatewaytest.Own), nil)
	ctx := t.Context()

	who, err := session.Viewer(ctx)
	require.NoError(t, err)
	require.Equal(t, []any{gatewaytest.Own, "login", true}, []any{who.Tenant, who.Subject, who.SessionHash != ""})
	who, err = app.Viewer(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"application"}, who.Roles)

	const value = "a value"
	modified := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	meta := &client.Metadata{Filename: "a.txt", ContentType: "text/plain", LastModified: modified, Custom: map[string]any{"page": 1.0}}
	made, err := session.Tokenize(ctx, client.Value{Metadata: meta, Size: new(int64(len(value))), TTL: time.Hour})
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Hour), made.ExpiresAt, time.Minute)

	d, err := session.Detokenize(ctx, made.Token)
	require.NoError(t, err)
	_, err = session.Download(ctx, d)
	var refused *client.StorageError
	require.ErrorAs(t, err, &refused, "before the upload")
	require.NoError(t, session.Upload(ctx, made, strings.NewReader(value), int64(len(value))))
	require.ErrorAs(t, session.Upload(ctx, made, strings.NewReader(value), int64(len(value))), &refused)
	require.Equal(t, 412, refused.Status)

	body, err := session.Download(ctx, d)
	require.NoError(t, err)
	read, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, value, string(read))
	require.Equal(t, meta, d.Metadata)

	known, err := app.Token(ctx, made.Token)
	require.NoError(t, err)
	require.Equal(t, meta, known.Metadata)
	unknown := "tok-00000000-0000-4000-8000-000000000000"
	known, err = app.Token(ctx, unknown)
	require.NoError(t, err)
	require.Nil(t, known)

	several, err := session.DetokenizeBatch(ctx, []string{unknown, made.Token})
	require.NoError(t, err)
	require.ErrorIs(t, several[0].Err, client.ErrGrantRequired)
	require.Equal(t, []any{nil, meta}, []any{several[1].Err, several[1].Metadata})

	after := newClient(t, g.URL, g.Session(gatewaytest.Own, "after"), nil)
	n, err := app.CarryGrants(ctx, appkit.SessionID("login"), appkit.SessionID("after"))
	require.NoError(t, err)
	require.Equal(t, 2, n)
	_, err = session.Detokenize(ctx, made.Token)
	require.ErrorIs(t, err, client.ErrGrantRequired)
	_, err = after.Detokenize(ctx, made.Token)
	require.NoError(t, err)

	n, err = app.RevokeGrants(ctx, client.Revocation{Session: appkit.SessionID("after")})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	_, err = session.Detokenize(ctx, made.Token)
	require.ErrorIs(t, err, client.ErrGrantRequired)
	n, err = app.DeleteTokens(ctx, []string{made.Token, unknown})
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

// At a logout, grants are revoked and the session's JWT is refused; operations that are still running get no error.
func TestEndSession(t *testing.T) {
	g := gatewaytest.Start(t, nil)
	session, other := newClient(t, g.URL, g.Session(gatewaytest.Own, "login"), nil), newClient(t, g.URL, g.Session(gatewaytest.Own, "other"), nil)
	app, foreign := newClient(t, g.URL, g.Application(gatewaytest.Own), nil), newClient(t, g.URL, g.Application(gatewaytest.Other), nil)
	ctx, id := t.Context(), appkit.SessionID("login")
	made, err := session.Tokenize(ctx, client.Value{})
	require.NoError(t, err)
	told := ""
	app.OnRevoke(func(session string, tokens []string) {
		require.Nil(t, tokens)
		told = session
	})

	_, err = session.EndSession(ctx, id)
	require.ErrorIs(t, err, client.ErrForbidden)
	n, err := foreign.EndSession(ctx, id)
	require.NoError(t, err)
	require.Zero(t, n, "another application's session with the same id")
	_, err = session.Viewer(ctx)
	require.NoError(t, err)

	n, err = app.EndSession(ctx, id)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, id, told)
	_, err = session.Viewer(ctx)
	require.ErrorIs(t, err, client.ErrUnauthenticated)
	_, err = other.Viewer(ctx)
	require.NoError(t, err)
	n, err = app.EndSession(ctx, id)
	require.NoError(t, err)
	require.Zero(t, n)

	granted, err := app.CreateGrants(ctx, id, grantsOf([]string{made.Token}))
	require.NoError(t, err, "grants for a response during the logout")
	require.Equal(t, []directives.Granted{{Missing: []string{made.Token}}}, granted)
	missing, err := app.VerifyGrants(ctx, id, checksOf([]string{made.Token}))
	require.NoError(t, err)
	require.Len(t, missing, 2)
	granted, err = app.CreateGrants(ctx, appkit.SessionID("other"), grantsOf([]string{made.Token}))
	require.NoError(t, err)
	require.Empty(t, granted[0].Missing)
	_, err = app.EndSession(ctx, "")
	require.ErrorIs(t, err, client.ErrBadUserInput)
}

// Operations for the other kind of caller, malformed input and too large input have different codes.
func TestRefusals(t *testing.T) {
	g := gatewaytest.Start(t, nil)
	session := newClient(t, g.URL, g.Session(gatewaytest.Own, "login"), nil)
	app := newClient(t, g.URL, g.Application(gatewaytest.Own), nil)
	_, err := session.CreateGrants(t.Context(), "s", oneGrant)
	require.ErrorIs(t, err, client.ErrForbidden)
	_, err = session.CarryGrants(t.Context(), "s", "login")
	require.ErrorIs(t, err, client.ErrForbidden)
	_, err = app.Tokenize(t.Context(), client.Value{})
	require.ErrorIs(t, err, client.ErrForbidden)
	_, err = session.Detokenize(t.Context(), "123-45-6789")
	require.ErrorIs(t, err, client.ErrBadUserInput)
	require.NotContains(t, err.Error(), "123-45-6789")
	_, err = session.Tokenize(t.Context(), client.Value{Size: new(int64(1 << 50))})
	require.ErrorIs(t, err, client.ErrLimitExceeded)
	many := make([]string, 20_000)
	for i := range many {
		many[i] = token
	}
	_, err = app.DeleteTokens(t.Context(), many)
	require.ErrorIs(t, err, client.ErrLimitExceeded)
}

// The gateway's own metrics count the requests.
func TestOneRequestByTheGatewaysMetrics(t *testing.T) {
	g := gatewaytest.Start(t, nil)
	b := backend(t, g)
	tokens := b.Tokens(t, 1000)
	checks := checksOf(tokens)
	_, err := b.Grants.CreateGrants(t.Context(), "s", grantsOf(tokens))
	require.NoError(t, err)
	missing, err := b.Grants.VerifyGrants(t.Context(), "s", checks)
	require.NoError(t, err)
	require.Empty(t, missing)
	require.Equal(t, 1, g.Requests(t, "createGrants"))
	require.Equal(t, 1, g.Requests(t, "verifyGrants"))
}

// TestEmptyValue: a value can have 0 bytes, whether its size is given or not.
func TestEmptyValue(t *testing.T) {
	for name, size := range map[string]*int64{"size given": new(int64(0)), "size not given": nil} {
		t.Run(name, func(t *testing.T) {
			g := gatewaytest.Start(t, nil)
			session := newClient(t, g.URL, g.Session(gatewaytest.Own, "login"), nil)
			made, err := session.Tokenize(t.Context(), client.Value{Size: size})
			require.NoError(t, err)
			if size != nil {
				var refused *client.StorageError
				require.ErrorAs(t, session.Upload(t.Context(), made, strings.NewReader("x"), 1), &refused)
			}
			require.NoError(t, session.Upload(t.Context(), made, strings.NewReader(""), 0))
			d, err := session.Detokenize(t.Context(), made.Token)
			require.NoError(t, err)
			body, err := session.Download(t.Context(), d)
			require.NoError(t, err)
			read, err := io.ReadAll(body)
			require.NoError(t, err)
			require.NoError(t, body.Close())
			require.Empty(t, read)
		})
	}
}
