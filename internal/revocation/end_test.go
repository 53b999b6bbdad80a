package revocation_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/revocation"
	"github.com/cloakroomhq/cloakroom/models"
	"github.com/cloakroomhq/cloakroom/models/sqlite"
)

// TestEndsAreTold: each end of a session is passed on to the store and the listeners, also if the database fails.
func TestEndsAreTold(t *testing.T) {
	rows := newTable()
	r := start(t, rows, &clock{at: noon}, nil)
	var told []string
	r.OnEnd(func(tenant, sessionID string) { told = append(told, tenant+"/"+sessionID) })
	end := func(id string) error {
		_, err := r.EndSession(t.Context(), tenant, id, caller.EndedByBackChannel)
		return err
	}
	signer := func(id string) objects.Signer {
		return objects.Signer{Tenant: tenant, Session: caller.HashSession(tenant, id)}
	}
	require.NoError(t, end("a"))
	rows.fail(errDown)
	require.Equal(t, fault.Unavailable, fault.Public(end("b")).Code)
	require.Equal(t, []objects.Signer{signer("a"), signer("b")}, r.transfers.ended, "it may have been committed")
	require.Equal(t, []string{"clinic/a", "clinic/b"}, told)
	rows.fail(nil)

	require.NoError(t, r.signOut(t.Context(), caller.SessionHash{1}, noon.Add(time.Minute)))
	rows.failRevoke = errDown
	require.Equal(t, fault.Unavailable, fault.Public(r.signOut(t.Context(), caller.SessionHash{1}, noon.Add(time.Minute))).Code)
	out := signer("signed out")
	require.Equal(t, []objects.Signer{out, out}, r.transfers.signedOut, "transfers are stopped even if the grants are not revoked")
	require.Equal(t, []string{"clinic/a", "clinic/b", "clinic/", "clinic/"}, told, "without the session's id, caches of every session are cleared")
}

// TestSignOut: without a cookie the session's grants are revoked; with a cookie, the cookie is refused too.
func TestSignOut(t *testing.T) {
	user, login := session("s"), caller.SessionHash{1}
	cookie := session("s")
	cookie.Login = &login
	for name, test := range map[string]struct {
		change  func(*table)
		max     int
		cookie  *caller.Caller
		closed  bool
		code    fault.Code
		revoked int
	}{
		"another credential":          {max: 10, revoked: 3},
		"the cookie":                  {max: 10, cookie: cookie, closed: true, revoked: 3},
		"no memory is left":           {max: 1, cookie: cookie, code: fault.LimitExceeded, revoked: 3},
		"the login can't be written":  {func(t *table) { t.err = errDown }, 10, cookie, false, fault.Unavailable, 0},
		"the grants can't be revoked": {func(t *table) { t.failRevoke = errDown }, 10, cookie, true, fault.Unavailable, 0},
	} {
		t.Run(name, func(t *testing.T) {
			rows := newTable()
			r := start(t, rows, &clock{at: noon}, func(o *revocation.Options) { o.Max = test.max })
			if test.change != nil {
				test.change(rows)
			}
			revoked, closed, err := r.SignOut(t.Context(), user, test.cookie)
			if test.code == "" {
				require.NoError(t, err)
			} else {
				require.Equal(t, test.code, fault.Public(err).Code)
			}
			require.Equal(t, test.revoked, revoked)
			require.Equal(t, test.closed, closed)
			require.False(t, r.Ended(*user.Session), "the session may sign in again")
		})
	}
}

// TestEndsRevokeGrants: only the grants of the session and the tenant are revoked in a database.
func TestEndsRevokeGrants(t *testing.T) {
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "rows.db")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	r := start(t, newTable(), &clock{at: noon}, func(o *revocation.Options) { o.Rows = db })
	grant := func(tenant, id string, token byte) {
		until, row := noon.Add(time.Hour).UnixMilli(), ids.Digest{token}
		_, err := db.Write(t.Context(), models.Batch{
			Tokens: []models.Token{{ID: row, Tenant: tenant, Object: "v/" + id + tenant, Sealed: []byte("sealed")}},
			Grants: []models.Grant{{SessionID: caller.HashSession(tenant, id), TokenID: row, ReadUntil: until, StoreUntil: until, ExpiresAt: until}},
		})
		require.NoError(t, err)
	}
	readable := func(tenant, id string, token byte) bool {
		rows, err := db.ReadableTokens(t.Context(), tenant, caller.HashSession(tenant, id), []ids.Digest{{token}}, noon.UnixMilli())
		require.NoError(t, err)
		return len(rows) == 1
	}
	grant(tenant, "mine", 1)
	grant(tenant, "other", 2)
	grant("bank", "mine", 3)
	grant(tenant, "ends", 4)
	for _, want := range []int{2, 0} {
		n, closed, err := r.SignOut(t.Context(), session("mine"), nil)
		require.NoError(t, err)
		require.False(t, closed)
		require.Equal(t, want, n, "READ and STORE, once")
	}
	n, err := r.EndSession(t.Context(), tenant, "ends", caller.EndedByApplication)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.False(t, readable(tenant, "mine", 1))
	require.True(t, readable(tenant, "other", 2))
	require.True(t, readable("bank", "mine", 3))
	require.False(t, readable(tenant, "ends", 4))
}

// TestSweep: Sweep removes only rows whose credentials have all expired.
func TestSweep(t *testing.T) {
	rows, c := newTable(), &clock{at: noon}
	r := start(t, rows, c, nil)
	require.NoError(t, r.signOut(t.Context(), caller.SessionHash{1}, noon.Add(time.Minute)))
	require.NoError(t, r.signOut(t.Context(), caller.SessionHash{2}, noon.Add(time.Hour)))
	require.NoError(t, r.Sweep(t.Context()))
	require.Zero(t, r.seen.of("swept ended"))
	c.advance(2 * time.Minute)
	require.NoError(t, r.Sweep(t.Context()))
	require.Equal(t, 1, r.seen.of("swept ended"))
	require.Len(t, rows.rows, 1)
	rows.fail(errDown)
	require.ErrorIs(t, r.Sweep(t.Context()), errDown)
}
