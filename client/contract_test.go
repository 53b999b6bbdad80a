package client_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// The whole contract against a whole gateway: a session stores and reads a value, the application sees,
// revokes and deletes.
func TestContract(t *testing.T) {
	g := gatewaytest.Start(t, nil)
	session := newClient(t, g.URL, g.Session(gatewaytest.Own, "login"), nil)
	app := newClient(t, g.URL, g.Application(gatewaytest.Own), nil)
	ctx := t.Context()

	who, err := session.Viewer(ctx)
	require.NoError(t, err)
	require.Equal(t, []any{gatewaytest.Own, "user", true}, []any{who.Tenant, who.Subject, who.SessionHash != ""})
	who, err = app.Viewer(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"application"}, who.Roles)

	const value = "a value"
	modified := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	meta := &client.Metadata{Filename: "a.txt", ContentType: "text/plain", LastModified: modified, Custom: map[string]any{"page": 1.0}}
	made, err := session.Tokenize(ctx, client.Value{Metadata: meta, Size: int64(len(value)), TTL: time.Hour})
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Hour), made.ExpiresAt, time.Minute)

	d, err := session.Detokenize(ctx, made.Token)
	require.NoError(t, err)
	_, err = session.Download(ctx, d.Download)
	var refused *client.StorageError
	require.ErrorAs(t, err, &refused, "before the upload")
	require.NoError(t, session.Upload(ctx, made.Upload, strings.NewReader(value), int64(len(value))))
	require.ErrorAs(t, session.Upload(ctx, made.Upload, strings.NewReader(value), int64(len(value))), &refused)
	require.Equal(t, 412, refused.Status)

	body, err := session.Download(ctx, d.Download)
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

// What is not for this kind of caller, and what is malformed or too much, is told apart.
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
	_, err = session.Tokenize(t.Context(), client.Value{Size: 1 << 50})
	require.ErrorIs(t, err, client.ErrLimitExceeded)
	many := make([]string, 20_000)
	for i := range many {
		many[i] = token
	}
	_, err = app.DeleteTokens(t.Context(), many)
	require.ErrorIs(t, err, client.ErrLimitExceeded)
}

// The gateway's own metrics say how many requests there were.
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
