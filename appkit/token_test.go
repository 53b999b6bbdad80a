package appkit_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
)

func TestSessionTokenHoldsTheClaimsOfASession(t *testing.T) {
	kit := newKit(t, nil)
	token, expiresAt, err := kit.SessionToken(t.Context(), appkit.Session{ID: "cookie-value", Subject: "user-7"})
	require.NoError(t, err)

	claims := verify(t, kit, token)
	require.Equal(t, issuer, claims.Issuer())
	require.Equal(t, []string{audience}, claims.Audience())
	require.Equal(t, "user-7", claims.Subject())
	require.Equal(t, clock.Truncate(time.Second), claims.IssuedAt())
	require.Equal(t, expiresAt, claims.Expiration())
	require.Equal(t, clock.Truncate(time.Second).Add(5*time.Minute), expiresAt)
	require.NotEmpty(t, claims.JwtID())
	require.Equal(t, map[string]any{"sid": appkit.SessionID("cookie-value")}, claims.PrivateClaims())

	message, err := jws.ParseString(token)
	require.NoError(t, err)
	header := message.Signatures()[0].ProtectedHeaders()
	require.Equal(t, "JWT", header.Type())
	require.Equal(t, "ES256", header.Algorithm().String())
	require.NotEmpty(t, header.KeyID())
}

func TestApplicationTokenIsNoSession(t *testing.T) {
	for _, test := range []struct{ configured, subject string }{{"", issuer}, {"clinic", "clinic"}} {
		kit := newKit(t, func(o *appkit.Options) { o.ApplicationSubject = test.configured })
		token, _, err := kit.ApplicationToken(t.Context())
		require.NoError(t, err)

		claims := verify(t, kit, token)
		require.Equal(t, test.subject, claims.Subject())
		require.Equal(t, map[string]any{"roles": []any{"application"}}, claims.PrivateClaims())
	}
}

func TestSessionIDIsStableDistinctAndNotTheCookie(t *testing.T) {
	const cookie = "cookie-value"
	// Known answer: applications in other languages compute it too, so it must never change.
	require.Equal(t, "_RU-C8XVSA9Opwrga6GTGtJj45XJbMa08caLVt9kBFw", appkit.SessionID(cookie))
	require.NotEqual(t, appkit.SessionID(cookie), appkit.SessionID(cookie+"2"))

	kit := newKit(t, nil)
	token, _, err := kit.SessionToken(t.Context(), appkit.Session{ID: cookie, Subject: "s"})
	require.NoError(t, err)
	message, err := jws.ParseString(token)
	require.NoError(t, err)
	require.NotContains(t, string(message.Payload()), cookie)
}

func TestTokensAreNeverTheSameTwice(t *testing.T) {
	kit := newKit(t, nil)
	session := appkit.Session{ID: "a", Subject: "s"}
	first, _, err := kit.SessionToken(t.Context(), session)
	require.NoError(t, err)
	second, _, err := kit.SessionToken(t.Context(), session)
	require.NoError(t, err)
	require.NotEqual(t, verify(t, kit, first).JwtID(), verify(t, kit, second).JwtID())
}

func TestSessionTokenRefusesAnIncompleteSession(t *testing.T) {
	kit := newKit(t, nil)
	for _, session := range []appkit.Session{
		{}, {ID: "a"}, {Subject: "s"}, {ID: "a", Subject: strings.Repeat("s", 256)}, {ID: "a", Subject: "\xff"},
	} {
		_, _, err := kit.SessionToken(t.Context(), session)
		require.Error(t, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := kit.ApplicationToken(ctx)
	require.ErrorIs(t, err, context.Canceled)
}
