package caller_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
)

// TestPage: only a context that was marked comes from an own page, and only a caller with a login comes by the cookie.
func TestPage(t *testing.T) {
	ctx := context.Background()
	require.False(t, caller.FromOwnPage(ctx))
	require.False(t, caller.FromOwnPage(caller.With(ctx, &caller.Caller{Ambient: true})))
	require.True(t, caller.FromOwnPage(caller.WithOwnPage(ctx)))
	login := caller.HashLogin("clinic", []byte("id"))
	require.True(t, (&caller.Caller{Login: &login}).ByCookie())
	require.False(t, (&caller.Caller{Ambient: true}).ByCookie())
}
