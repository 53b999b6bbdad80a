package revocation_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// TestDisconnectedCallerEndsTheSession: an end is written even if the caller disconnects, because this replica has it in
// memory already.
func TestDisconnectedCallerEndsTheSession(t *testing.T) {
	rows := newTable()
	r := start(t, rows, &clock{at: noon}, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := r.EndSession(ctx, tenant, "s", "application")
	require.NoError(t, err)
	require.NoError(t, r.EndSubject(ctx, tenant, "user", noon))
	require.NoError(t, r.signOut(ctx, caller.HashLogin(tenant, []byte("login")), noon.Add(time.Hour)))
	require.Len(t, rows.rows, 3)
}

func TestEndSession(t *testing.T) {
	rows, c := newTable(), &clock{at: noon}
	a, b := start(t, rows, c, nil), start(t, rows, c, nil)
	mine, other := session("s1"), session("s2")
	n, err := a.EndSession(context.Background(), tenant, "s1", "application")
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Equal(t, []string{tenant}, rows.revoked)
	require.Equal(t, fault.Unauthenticated, a.ask(t, mine), "at once")
	require.True(t, a.Ended(*mine.Session))
	require.Empty(t, b.ask(t, mine), "not read there yet")
	c.advance(time.Second)
	b.poll()
	require.Equal(t, fault.Unauthenticated, b.ask(t, mine), "after a poll")
	for _, r := range []*replica{a, b, start(t, rows, c, nil)} {
		require.Equal(t, fault.Unauthenticated, r.ask(t, mine))
		require.Empty(t, r.ask(t, other))
		require.False(t, r.Ended(*other.Session))
	}
	require.Equal(t, 1, a.seen.of("ended application"))
	require.Equal(t, 2, b.seen.of("refused session"))
	c.advance(time.Second)
	b.poll()
	require.Equal(t, 1, b.seen.of("kept"))
}

// TestGuardPassesErrorsAndNoCaller: the result of the next CallerFinder is returned if it is an error or no caller.
func TestGuardPassesErrorsAndNoCaller(t *testing.T) {
	r := start(t, newTable(), &clock{at: noon}, nil)
	got, err := r.Guard(next{}).Authenticate(nil)
	require.NoError(t, err)
	require.Nil(t, got)
	got, err = r.Guard(next{err: errDown}).Authenticate(nil)
	require.ErrorIs(t, err, errDown)
	require.Nil(t, got)
}

// TestEndLogin: the cookies of one login end, and no other credential of its session.
func TestEndLogin(t *testing.T) {
	rows, c := newTable(), &clock{at: noon}
	a := start(t, rows, c, nil)
	login, another := caller.SessionHash{1}, caller.SessionHash{2}
	cookie, second, bearer := session("s1"), session("s1"), session("s1")
	cookie.Login, second.Login = &login, &another
	require.NoError(t, a.signOut(context.Background(), login, noon.Add(time.Minute)))
	b := start(t, rows, c, nil)
	for _, r := range []*replica{a, b} {
		require.Equal(t, fault.Unauthenticated, r.ask(t, cookie))
		require.Empty(t, r.ask(t, second))
		require.Empty(t, r.ask(t, bearer))
	}
	require.Equal(t, 1, a.seen.of("ended sign_out"))
	require.Equal(t, 1, a.seen.of("refused login"))
	c.advance(time.Minute)
	a.poll()
	require.Equal(t, fault.Unauthenticated, a.ask(t, cookie), "until the end itself")
	c.advance(time.Second)
	a.poll()
	require.Empty(t, a.ask(t, cookie), "from then on the cookie has expired")
}

// TestEndSubject: credentials issued before end, in every session; credentials issued later do not.
func TestEndSubject(t *testing.T) {
	rows, c := newTable(), &clock{at: noon}
	a := start(t, rows, c, nil)
	require.NoError(t, a.EndSubject(context.Background(), tenant, "user-1", noon))
	b := start(t, rows, c, nil)
	issued := func(subject string, at time.Time) *caller.Caller {
		who := session("s")
		who.Subject, who.IssuedAt = subject, at
		return who
	}
	foreign := issued("user-1", noon.Add(-time.Second))
	foreign.Tenant = "bank"
	backend := &caller.Caller{Tenant: tenant, Subject: "user-1", Roles: []string{caller.RoleApplication}, IssuedAt: noon.Add(-time.Second)}
	for _, r := range []*replica{a, b} {
		require.Equal(t, fault.Unauthenticated, r.ask(t, issued("user-1", noon.Add(-time.Millisecond))))
		require.Equal(t, fault.Unauthenticated, r.ask(t, backend))
		require.Empty(t, r.ask(t, issued("user-1", noon)))
		require.Empty(t, r.ask(t, issued("user-2", noon.Add(-time.Second))))
		require.Empty(t, r.ask(t, foreign))
	}
	require.Equal(t, 2, a.seen.of("refused subject"))
	// An older logout does not replace the newer one.
	require.NoError(t, a.EndSubject(context.Background(), tenant, "user-1", noon.Add(-time.Hour)))
	require.Equal(t, fault.Unauthenticated, a.ask(t, issued("user-1", noon.Add(-time.Millisecond))))
}

// TestEndsAreKeptForTheLifetime: an end is kept until every credential and grant of the tenant has expired.
func TestEndsAreKeptForTheLifetime(t *testing.T) {
	for name, life := range map[string]time.Duration{tenant: time.Hour, "bank": 2 * time.Hour, "unknown": 2 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			rows, c := newTable(), &clock{at: noon}
			r := start(t, rows, c, nil)
			who, hash := session("s"), caller.HashSession(name, "s")
			who.Session = &hash
			_, err := r.EndSession(context.Background(), name, "s", "application")
			require.NoError(t, err)
			c.advance(life)
			r.poll()
			require.Equal(t, fault.Unauthenticated, r.ask(t, who), name)
			c.advance(time.Minute)
			r.poll()
			require.Empty(t, r.ask(t, who), name)
			require.Zero(t, r.seen.of("kept"), "memory is swept")
		})
	}
}

// TestSessionStaysEndedAfterAFailedWrite: the caller gets an error, and the session is still ended on this replica.
func TestSessionStaysEndedAfterAFailedWrite(t *testing.T) {
	rows := newTable()
	r := start(t, rows, &clock{at: noon}, nil)
	rows.fail(errDown)
	who := session("s")
	_, err := r.EndSession(context.Background(), tenant, "s", "application")
	require.Equal(t, fault.Unavailable, fault.Public(err).Code)
	require.Equal(t, fault.Unauthenticated, r.ask(t, who))
	require.Zero(t, r.seen.of("ended application"))
}
