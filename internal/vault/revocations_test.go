package vault_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

// TestRevocations: the first message has the tokens that can't be read, and later ones only what was readable then.
func TestRevocations(t *testing.T) {
	f := newFixture(t)
	s := session("clinic", "1")
	a, b, c := f.tokenize(t, s, 0), f.tokenize(t, s, 0), f.tokenize(t, s, 0)
	foreign := f.tokenize(t, session("clinic", "2"), 0)
	f.rows.take()
	f.rates.asked = nil
	ctx, cancel := context.WithCancel(s)
	told, err := f.Revocations(ctx, []ids.Token{a, missing, b, foreign, c, a})
	require.NoError(t, err)
	require.Equal(t, []string{"watch 6"}, f.watched.calls)
	require.Equal(t, []string{"read 6"}, f.rates.asked)
	require.Equal(t, map[string]int{"TokenGrants": 1}, f.rows.take(), "one statement")
	first := <-told
	require.Equal(t, []ids.Token{missing, foreign}, first.Tokens)
	require.False(t, first.All || first.SessionEnded)

	t.Run("a token that it could not read is not told", func(t *testing.T) {
		f.watched.tell([]ids.Digest{foreign.ID(), missing.ID(), {9}}, false, false)
		f.watched.tell([]ids.Digest{a.ID(), foreign.ID()}, false, false)
		require.Equal(t, vault.Unreadable{Tokens: []ids.Token{a}}, <-told)
	})
	t.Run("messages that are not taken are merged", func(t *testing.T) {
		for range 1000 {
			f.watched.tell([]ids.Digest{a.ID()}, false, false)
			f.watched.tell([]ids.Digest{b.ID(), a.ID()}, false, false)
		}
		f.watched.tell(nil, true, false)
		require.Equal(t, vault.Unreadable{Tokens: []ids.Token{a, b}, All: true}, <-told)
		f.watched.tell([]ids.Digest{a.ID()}, false, false)
		require.Equal(t, vault.Unreadable{Tokens: []ids.Token{a}}, <-told, "a token may be granted and revoked again")
	})
	t.Run("the end", func(t *testing.T) {
		f.watched.tell([]ids.Digest{b.ID()}, false, false)
		f.watched.tell(nil, true, true)
		f.watched.tell(nil, true, true)
		f.watched.tell([]ids.Digest{b.ID()}, false, false)
		require.Equal(t, vault.Unreadable{Tokens: []ids.Token{b}, All: true, SessionEnded: true}, <-told)
		_, open := <-told
		require.False(t, open)
		require.Empty(t, f.watched.done)
		cancel()
		<-f.watched.done
	})
}

// TestRevocationsWhileItBegins: what is told before the first message is in it, and nothing falls between the watch and the look.
func TestRevocationsWhileItBegins(t *testing.T) {
	f := newFixture(t)
	s := session("clinic", "1")
	a, b := f.tokenize(t, s, 0), f.tokenize(t, s, 0)
	for name, test := range map[string]struct {
		begin func()
		want  vault.Unreadable
		ended bool
	}{
		"told early":      {func() { f.watched.tell([]ids.Digest{a.ID(), {7}}, false, false) }, vault.Unreadable{Tokens: []ids.Token{a}}, false},
		"nothing to tell": {func() { f.watched.tell([]ids.Digest{{7}}, false, false) }, vault.Unreadable{}, false},
		"all":             {func() { f.watched.tell(nil, true, false) }, vault.Unreadable{All: true}, false},
		"ended":           {func() { f.watched.tell(nil, true, true) }, vault.Unreadable{All: true, SessionEnded: true}, true},
		"revoked after the watch has begun": {func() {
			require.NoError(t, second(f.RevokeGrants(application("clinic"), vault.Revocation{Tokens: []ids.Token{b}})))
		}, vault.Unreadable{Tokens: []ids.Token{b}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f.watched.begin = test.begin
			told, err := f.Revocations(s, []ids.Token{a, b})
			require.NoError(t, err)
			if name != "revoked after the watch has begun" {
				require.NoError(t, second(f.CreateGrants(application("clinic"), "1", []vault.GrantRequest{{Tokens: []ids.Token{a, b}, Kinds: ids.Read}})))
			}
			first := <-told
			require.Equal(t, test.want.All, first.All)
			require.Equal(t, test.want.SessionEnded, first.SessionEnded)
			for _, token := range test.want.Tokens {
				require.Contains(t, first.Tokens, token)
			}
			if test.ended {
				_, open := <-told
				require.False(t, open)
			}
		})
	}
}

// TestRevocationsRefused: nothing is watched, or the watch is stopped.
func TestRevocationsRefused(t *testing.T) {
	f := newFixture(t)
	s := session("clinic", "1")
	token := f.tokenize(t, s, 0)
	list := []ids.Token{token}
	refused := func(ctx context.Context, tokens []ids.Token) error { return second(f.Revocations(ctx, tokens)) }
	requireFault(t, refused(context.Background(), list), fault.Unauthenticated)
	requireFault(t, refused(application("clinic"), list), fault.Forbidden)
	requireFault(t, refused(s, make([]ids.Token, 11)), fault.LimitExceeded, vault.ParamTokens)
	requireFault(t, refused(s, []ids.Token{token, ids.TokenOf("foreign-00000000-0000-4000-8000-000000000001")}), fault.BadUserInput, vault.ParamTokens, 1)
	f.rates.err = fault.Limited(time.Second)
	requireFault(t, refused(s, list), fault.RateLimited)
	f.rates.err = nil
	require.Empty(t, f.watched.calls)
	f.watched.err = fault.New(fault.LimitExceeded, "Too many.")
	requireFault(t, refused(s, list), fault.LimitExceeded)
	f.watched.err, f.rows.err = nil, errDown
	requireFault(t, refused(s, list), fault.Unavailable)
	<-f.watched.done
}

// TestRevocationsWithoutTokens tells of the session alone.
func TestRevocationsWithoutTokens(t *testing.T) {
	f := newFixture(t)
	f.rates.asked = nil
	told, err := f.Revocations(session("clinic", "1"), nil)
	require.NoError(t, err)
	require.Equal(t, []string{"read 1"}, f.rates.asked)
	require.Equal(t, vault.Unreadable{}, <-told)
	f.watched.tell(nil, true, false)
	require.Equal(t, vault.Unreadable{All: true}, <-told)
}

// TestRevocationsOfAnEndedSession: all of its tokens are unreadable.
func TestRevocationsOfAnEndedSession(t *testing.T) {
	f := newFixture(t)
	s := session("clinic", "1")
	token := f.tokenize(t, s, 0)
	f.endings.ended[caller.HashSession("clinic", "1")] = true
	told, err := f.Revocations(s, []ids.Token{token})
	require.NoError(t, err)
	require.Equal(t, []ids.Token{token}, (<-told).Tokens)
}
