package grantstest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/directives"
)

func (s suite) idempotent(t *testing.T) {
	token := s.Tokens(t, 1)[0]
	check := directives.Check{Token: token, Kind: read}
	require.Equal(t, []directives.Check{check}, s.verify(t, t.Name(), check))
	for range 3 {
		from := time.Now()
		granted, err := s.Grants.CreateGrants(t.Context(), t.Name(), grantsOf([]string{token}, time.Minute, read))
		require.NoError(t, err)
		require.Len(t, granted, 1)
		require.Empty(t, granted[0].Missing)
		ends(t, granted[0].ExpiresAt, from, time.Minute)
		require.Empty(t, s.verify(t, t.Name(), check))
	}
	twice := s.create(t, t.Name(), one(token, time.Minute, read), one(token, time.Minute, read))
	require.Len(t, twice, 1)
	require.Contains(t, twice, check)
}

func (s suite) extension(t *testing.T) {
	token := s.Tokens(t, 1)[0]
	check := directives.Check{Token: token, Kind: read}
	from := time.Now()
	long := s.create(t, t.Name(), one(token, time.Hour, read))[check]
	ends(t, long, from, time.Hour)
	require.Equal(t, long, s.create(t, t.Name(), one(token, time.Minute, read))[check], "a shorter life shortened it")
	from = time.Now()
	longer := s.create(t, t.Name(), one(token, 2*time.Hour, read))[check]
	ends(t, longer, from, 2*time.Hour)
	// Also within one call, whatever the order.
	from = time.Now()
	both := s.create(t, t.Name(), one(token, 3*time.Hour, read), one(token, time.Minute, read))
	ends(t, both[check], from, 3*time.Hour)
}

func (s suite) kinds(t *testing.T) {
	tokens := s.Tokens(t, 3)
	from := time.Now()
	created := s.create(t, t.Name(), one(tokens[0], 10*time.Minute, read), one(tokens[1], 20*time.Minute, store),
		one(tokens[2], 30*time.Minute, read, store))
	require.Len(t, created, 4)
	for check, life := range map[directives.Check]time.Duration{
		{Token: tokens[0], Kind: read}: 10 * time.Minute, {Token: tokens[1], Kind: store}: 20 * time.Minute,
		{Token: tokens[2], Kind: read}: 30 * time.Minute, {Token: tokens[2], Kind: store}: 30 * time.Minute,
	} {
		ends(t, created[check], from, life)
	}
	require.Equal(t, []directives.Check{{Token: tokens[0], Kind: store}, {Token: tokens[1], Kind: read}},
		s.verify(t, t.Name(), checksOf(tokens, read, store)...))
	// The other kind of grant on a token has a separate life.
	from = time.Now()
	created = s.create(t, t.Name(), one(tokens[0], time.Minute, store))
	require.Len(t, created, 1)
	ends(t, created[directives.Check{Token: tokens[0], Kind: store}], from, time.Minute)
	require.Empty(t, s.verify(t, t.Name(), checksOf(tokens[:1], read, store)...))
}

// severalTokens creates entries of several tokens and both kinds, and one without tokens.
func (s suite) severalTokens(t *testing.T) {
	tokens := s.Tokens(t, 5)
	foreign := s.Foreign(t, 1)[0]
	from := time.Now()
	granted, err := s.Grants.CreateGrants(t.Context(), t.Name(), []directives.Grant{
		{Tokens: []string{tokens[0], foreign, tokens[1], "no token", tokens[0]}, Kinds: []directives.GrantKind{read}, Duration: time.Minute},
		{Kinds: []directives.GrantKind{read}},
		{Tokens: []string{foreign, "", foreign}, Kinds: []directives.GrantKind{read}},
		{Tokens: tokens[2:], Kinds: []directives.GrantKind{store, read}, Duration: time.Hour},
	})
	require.NoError(t, err)
	require.Len(t, granted, 4)
	ends(t, granted[0].ExpiresAt, from, time.Minute)
	require.Equal(t, []string{foreign, "no token"}, granted[0].Missing)
	require.Equal(t, directives.Granted{}, granted[1])
	require.Equal(t, directives.Granted{Missing: []string{foreign, "", foreign}}, granted[2])
	ends(t, granted[3].ExpiresAt, from, time.Hour)
	require.Empty(t, granted[3].Missing)
	require.Equal(t, checksOf(tokens[:2], store), s.verify(t, t.Name(), checksOf(tokens, store)...))
	require.Empty(t, s.verify(t, t.Name(), checksOf(tokens, read)...))
}

// earliest checks that an entry's end is the earliest end of its grants.
func (s suite) earliest(t *testing.T) {
	tokens := s.Tokens(t, 3)
	long := s.create(t, t.Name(), one(tokens[0], 2*time.Hour, read, store), one(tokens[1], 3*time.Hour, read))
	from := time.Now()
	all := grantsOf(tokens, time.Hour, read, store)
	granted, err := s.Grants.CreateGrants(t.Context(), t.Name(), all)
	require.NoError(t, err)
	ends(t, granted[0].ExpiresAt, from, time.Hour)
	both := grantsOf(tokens[:1], time.Minute, read, store)
	granted, err = s.Grants.CreateGrants(t.Context(), t.Name(), both)
	require.NoError(t, err)
	require.Equal(t, long[directives.Check{Token: tokens[0], Kind: read}], granted[0].ExpiresAt)
}

func (s suite) defaultLife(t *testing.T) {
	token := s.Tokens(t, 1)[0]
	from := time.Now()
	ends(t, s.create(t, t.Name(), one(token, 0, read))[directives.Check{Token: token, Kind: read}], from, s.Default)
}

// foreignTokens uses tokens of another application, tokens that never existed, tokens with another prefix, and strings
// that are no tokens.
func (s suite) foreignTokens(t *testing.T) {
	own := s.Tokens(t, 2)
	tokens := []string{
		own[0], s.Foreign(t, 1)[0], "tok-00000000-0000-4000-8000-000000000000",
		"elsewhere-2b58d9b2-83c1-4e9b-9692-b149112810c8", "123-45-6789", "", own[1],
	}
	created := s.create(t, t.Name(), grantsOf(tokens, time.Minute, read, store)...)
	require.Len(t, created, 4)
	for _, check := range checksOf(own, read, store) {
		require.Contains(t, created, check)
	}
	require.Equal(t, checksOf(tokens[1:6], read, store), s.verify(t, t.Name(), checksOf(tokens, read, store)...))
	require.Empty(t, s.create(t, t.Name(), grantsOf(tokens[1:6], time.Minute, read)...), "only foreign tokens")
	require.Equal(t, checksOf(tokens[4:6], read), s.verify(t, t.Name(), checksOf(tokens[4:6], read)...))
}

func (s suite) noKinds(t *testing.T) {
	tokens := s.Tokens(t, 2)
	_, err := s.Grants.CreateGrants(t.Context(), t.Name(), []directives.Grant{one(tokens[0], 0, read), one(tokens[1], 0)})
	require.Error(t, err)
	require.Len(t, s.verify(t, t.Name(), checksOf(tokens, read)...), 2, "nothing was created")
}

func (s suite) noSession(t *testing.T) {
	for _, session := range []string{"", "a\xffb"} {
		_, err := s.Grants.CreateGrants(t.Context(), session, grantsOf(s.Tokens(t, 1), 0, read))
		require.Error(t, err)
		_, err = s.Grants.VerifyGrants(t.Context(), session, checksOf(s.Tokens(t, 1), read, store))
		require.Error(t, err)
	}
}

func (s suite) tooLong(t *testing.T) {
	tokens := s.Tokens(t, 2)
	_, err := s.Grants.CreateGrants(t.Context(), t.Name(), []directives.Grant{one(tokens[0], 0, read), one(tokens[1], 100*365*24*time.Hour, read)})
	require.Error(t, err)
	require.Len(t, s.verify(t, t.Name(), checksOf(tokens, read)...), 2, "nothing was created")
}
