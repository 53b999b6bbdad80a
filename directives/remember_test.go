package directives_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/directives"
)

func TestTheNextOperationDoesNotWriteAgain(t *testing.T) {
	w := newWorld(t)
	w.OnRecord = give(record(0))
	for range 3 {
		require.Empty(t, w.ask(t, everything, nil).Errors)
		require.Empty(t, w.ask(t, `{ record { alias: text } }`, nil).Errors)
	}
	require.Len(t, w.grants.creates, 1, "across fields and requests")

	bob := request(t, `{ record { text } }`, nil)
	bob.Header.Set("Session", "bob")
	w.send(t, bob)
	require.Len(t, w.grants.creates, 2, "of one session only")
	require.Equal(t, "bob", w.grants.sessions[1])

	w.clock.pass(directives.DefaultRemember)
	require.Empty(t, w.ask(t, `{ record { text list } }`, nil).Errors)
	require.Len(t, w.grants.creates, 3)
	require.Len(t, w.grants.created()[2], 3)
}

func TestOnlyMissingGrantsAreCreated(t *testing.T) {
	w := newWorld(t)
	w.OnRecord = give(record(0))
	w.ask(t, `{ record { text } }`, nil)
	w.ask(t, `{ record { text list } }`, nil)
	require.Equal(t, []string{tok(7) + " READ 0s", tok(8) + " READ 0s"}, w.grants.created()[1])
}

func TestGrantsAreCreatedAgainAfterHalfOfTheirLife(t *testing.T) {
	w := newWorld(t, func(o *directives.Options) { o.Remember = time.Hour })
	w.OnRecord = give(record(0))
	w.ask(t, `{ record { required } }`, nil) // 90 seconds
	w.clock.pass(45*time.Second - 1)
	w.ask(t, `{ record { required } }`, nil)
	require.Len(t, w.grants.creates, 1)
	w.clock.pass(1)
	w.ask(t, `{ record { required } }`, nil)
	require.Len(t, w.grants.creates, 2)
}

func TestANegativeRememberDisablesTheCache(t *testing.T) {
	w := newWorld(t, func(o *directives.Options) { o.Remember = -1 })
	w.OnRecord = give(record(0))
	for n := range 3 {
		w.ask(t, `{ record { text } }`, nil)
		require.Len(t, w.grants.creates, n+1)
	}
}

func TestARevokedGrantComesBack(t *testing.T) {
	w := newWorld(t)
	w.OnRecord = give(record(0))
	ask := func() int {
		require.Empty(t, w.ask(t, `{ record { text list } }`, nil).Errors)
		return len(w.grants.creates)
	}
	require.Equal(t, 1, ask())
	w.grants.revoke("alice", []string{tok(2)})
	require.Equal(t, 2, ask(), "immediately, on the replica that revoked")
	require.Equal(t, []string{tok(2) + " READ 0s"}, w.grants.created()[1], "only the revoked grant is created")
	w.grants.revoke("", []string{tok(7)})
	require.Equal(t, 3, ask())
	w.grants.revoke("bob", nil)
	require.Equal(t, 3, ask())
	w.grants.revoke("alice", nil)
	require.Equal(t, 4, ask())
	require.Len(t, w.grants.created()[3], 3)

	w.clock.pass(directives.DefaultRemember - 1) // revoked by another replica: the cache is not told
	require.Equal(t, 4, ask())
	w.clock.pass(1)
	require.Equal(t, 5, ask(), "within the stated time")
}

func TestARevocationDuringCreationIsNotForgotten(t *testing.T) {
	w := newWorld(t)
	w.OnRecord = give(record(0))
	w.grants.during = func(context.Context) error { w.grants.revoke("alice", []string{tok(2)}); return nil }
	w.ask(t, `{ record { text } }`, nil)
	w.grants.during = nil
	w.ask(t, `{ record { text } }`, nil)
	require.Len(t, w.grants.creates, 2)
}

func TestAnswersThatDoNotFitTheCallAreRejected(t *testing.T) {
	w := newWorld(t)
	w.OnRecord = give(record(0))
	later := time.Now().Add(time.Hour)
	for name, test := range map[string]struct {
		answer []directives.Granted
		want   string
	}{
		"no answer":               {nil, "UNAVAILABLE"},
		"more answers than asked": {[]directives.Granted{{ExpiresAt: later}, {ExpiresAt: later}}, "UNAVAILABLE"},
		"no expiry":               {[]directives.Granted{{}}, "GRANT_REQUIRED"},
		"a token that is missing": {[]directives.Granted{{ExpiresAt: later, Missing: []string{tok(77), tok(2)}}}, "GRANT_REQUIRED"},
		"a token of no call":      {[]directives.Granted{{ExpiresAt: later, Missing: []string{tok(77)}}}, "GRANT_REQUIRED"},
	} {
		t.Run(name, func(t *testing.T) {
			tokens, err := directives.New(directives.Options{Grants: misfit{test.answer}, Session: session})
			require.NoError(t, err)
			w.handler = serve(w.Resolver, tokens.Directive)
			w.handler.Use(tokens)
			for range 2 {
				require.Equal(t, []string{test.want + " record.text"}, w.ask(t, `{ record { text } }`, nil).refused())
			}
			require.Equal(t, []string{"UNAVAILABLE take.token"}, w.ask(t, bothWays, nil).refused())
		})
	}
}

// misfit returns an answer that does not fit the call.
type misfit struct{ answer []directives.Granted }

func (r misfit) CreateGrants(context.Context, string, []directives.Grant) ([]directives.Granted, error) {
	return r.answer, nil
}

func (misfit) VerifyGrants(context.Context, string, []directives.Check) ([]directives.Check, error) {
	return []directives.Check{{Token: tok(77), Kind: "?"}, {}}, nil
}
