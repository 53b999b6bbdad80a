package vault_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

func TestEndSession(t *testing.T) {
	f := newFixture(t)
	app := application("clinic")
	token := f.tokenize(t, session("clinic", "s1"), 0)
	other := f.tokenize(t, session("clinic", "s2"), 0)
	n, err := f.EndSession(app, "s1")
	require.NoError(t, err)
	require.Equal(t, 2, n)
	n, err = f.EndSession(app, "s1")
	require.NoError(t, err, "it can be repeated")
	require.Zero(t, n)
	require.Equal(t, []string{"clinic application", "clinic application"}, f.endings.reasons)
	missing, err := f.VerifyGrants(app, "s2", checksOf(ids.Store, other))
	require.NoError(t, err)
	require.Empty(t, missing)
	missing, err = f.VerifyGrants(app, "s1", checksOf(ids.Store, token))
	require.NoError(t, err)
	require.Equal(t, checksOf(ids.Store, token), missing)
}

// TestEndedSessionsGetNoGrants: if the user logs out during an application's response, the application gets no fault,
// and no grant is created. A grant that was written nevertheless does not count.
func TestEndedSessionsGetNoGrants(t *testing.T) {
	f := newFixture(t)
	app := application("clinic")
	token := f.tokenize(t, session("clinic", "s1"), 0)
	_, err := f.EndSession(app, "s1")
	require.NoError(t, err)
	f.rows.take()
	made, err := f.CreateGrants(app, "s1", []vault.GrantRequest{{Tokens: []ids.Token{token}, Kinds: ids.Read | ids.Store}})
	require.NoError(t, err)
	require.Equal(t, []vault.Granted{{Missing: []ids.Token{token}}}, made)
	require.Empty(t, f.rows.take(), "nothing is read or written")

	// Another replica may create a grant before it reads that the session has ended.
	gone := f.endings.ended
	f.endings.ended = nil
	made, err = f.CreateGrants(app, "s1", []vault.GrantRequest{{Tokens: []ids.Token{token}, Kinds: ids.Store}})
	require.NoError(t, err)
	require.Equal(t, []vault.Granted{{ExpiresAt: ptr(noon.Add(15 * time.Minute))}}, made)
	f.endings.ended = gone
	missing, err := f.VerifyGrants(app, "s1", checksOf(ids.Store, token, unknown))
	require.NoError(t, err)
	require.Equal(t, checksOf(ids.Store, token, unknown), missing)
}

// TestCarryGrantsIgnoresEndedSessions: another replica may have created a grant for the ended session before it read
// the end; in the other session, that grant would be in force.
func TestCarryGrantsIgnoresEndedSessions(t *testing.T) {
	f := newFixture(t)
	app := application("clinic")
	f.tokenize(t, session("clinic", "s1"), 0)
	for _, ended := range []string{"s1", "s2"} {
		f.endings.ended = map[caller.SessionHash]bool{caller.HashSession("clinic", ended): true}
		n, err := f.CarryGrants(app, "s1", "s2")
		require.NoError(t, err)
		require.Zero(t, n, ended)
	}
	f.endings.ended = nil
	n, err := f.CarryGrants(app, "s1", "s2")
	require.NoError(t, err)
	require.Equal(t, 2, n)
}

func TestEndSessionRefusals(t *testing.T) {
	f := newFixture(t)
	app := application("clinic")
	_, err := f.EndSession(session("clinic", "s1"), "s1")
	requireFault(t, err, fault.Forbidden)
	_, err = f.EndSession(t.Context(), "s1")
	requireFault(t, err, fault.Unauthenticated)
	for _, id := range []string{"", "a\nb", strings.Repeat("s", 1025), "\xff"} {
		_, err = f.EndSession(app, id)
		requireFault(t, err, fault.BadUserInput, vault.ParamSession)
	}
	require.Empty(t, f.endings.ended)
	f.endings.err = fault.New(fault.LimitExceeded, "too many")
	_, err = f.EndSession(app, "s1")
	requireFault(t, err, fault.LimitExceeded)
}
