package grantstest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/directives"
)

func (s suite) missing(t *testing.T) {
	tokens := s.Tokens(t, 4)
	s.create(t, t.Name(), one(tokens[1], time.Minute, read), one(tokens[2], time.Minute, store))
	checks := []directives.Check{
		{Token: tokens[3], Kind: store}, {Token: tokens[2], Kind: read}, {Token: tokens[2], Kind: store},
		{Token: tokens[0], Kind: read}, {Token: tokens[1], Kind: read}, {Token: tokens[1], Kind: store},
	}
	require.Equal(t, []directives.Check{checks[0], checks[1], checks[3], checks[5]}, s.verify(t, t.Name(), checks...))
	require.Equal(t, []directives.Check{checks[1]}, s.verify(t, t.Name(), checks[1]))
	require.Empty(t, s.verify(t, t.Name(), checks[2], checks[2], checks[4]), "with a duplicate check")
}

func (s suite) revoked(t *testing.T) {
	tokens := s.Tokens(t, 3)
	s.create(t, t.Name(), grantsOf(tokens, time.Hour, read, store)...)
	s.Revoke(t, t.Name(), tokens[:2])
	require.Equal(t, checksOf(tokens[:2], read, store), s.verify(t, t.Name(), checksOf(tokens, read, store)...))
	// A grant that is created again has the life of the new request.
	check := directives.Check{Token: tokens[0], Kind: read}
	from := time.Now()
	ends(t, s.create(t, t.Name(), one(tokens[0], time.Minute, read))[check], from, time.Minute)
	require.Empty(t, s.verify(t, t.Name(), check))
}

func (s suite) revocationsReported(t *testing.T) {
	revoker, ok := s.Grants.(directives.Revoker)
	if !ok {
		return
	}
	tokens := s.Tokens(t, 2)
	s.create(t, t.Name(), grantsOf(tokens, time.Hour, read)...)
	type revocation struct {
		session string
		tokens  []string
	}
	var mu sync.Mutex
	var told []revocation
	revoker.OnRevoke(func(session string, tokens []string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, revocation{session, tokens})
	})
	s.Revoke(t, t.Name(), tokens[:1])
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []revocation{{t.Name(), tokens[:1]}}, told, "before the revoking call returns")
}

func (s suite) sessions(t *testing.T) {
	token := s.Tokens(t, 1)[0]
	check := directives.Check{Token: token, Kind: read}
	s.create(t, t.Name()+"/one", one(token, time.Hour, read))
	require.Equal(t, []directives.Check{check}, s.verify(t, t.Name()+"/other", check))
	s.create(t, t.Name()+"/other", one(token, time.Hour, read))
	s.Revoke(t, t.Name()+"/one", []string{token})
	require.Equal(t, []directives.Check{check}, s.verify(t, t.Name()+"/one", check))
	require.Empty(t, s.verify(t, t.Name()+"/other", check))
}

func (s suite) empty(t *testing.T) {
	require.Empty(t, s.create(t, t.Name()))
	require.Empty(t, s.verify(t, t.Name()))
	granted, err := s.Grants.CreateGrants(t.Context(), t.Name(), []directives.Grant{})
	require.NoError(t, err)
	require.Empty(t, granted)
}

func (s suite) endedContext(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for want, ctx := range map[error]context.Context{context.Canceled: cancelled, context.DeadlineExceeded: late} {
		_, err := s.Grants.CreateGrants(ctx, t.Name(), grantsOf(s.Tokens(t, 2), 0, read))
		require.ErrorIs(t, err, want)
		_, err = s.Grants.VerifyGrants(ctx, t.Name(), checksOf(s.Tokens(t, 2), read, store))
		require.ErrorIs(t, err, want)
	}
	require.Len(t, s.verify(t, t.Name(), checksOf(s.Tokens(t, 2), read)...), 2, "nothing was created")
}

// hang is longer than a call with a short deadline takes on a busy machine.
const hang = 30 * time.Second

// deadline checks that a call returns at its answer or at its deadline, whichever comes first.
func (s suite) deadline(t *testing.T) {
	tokens := s.Tokens(t, MaxGrants)
	for _, life := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), life)
		start := time.Now()
		_, err := s.Grants.CreateGrants(ctx, t.Name(), grantsOf(tokens, 0, read))
		took := time.Since(start)
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		require.Less(t, took, hang, "with a deadline of %s", life)
	}
}

func (s suite) manyTokens(t *testing.T, n int) {
	tokens := s.Tokens(t, n)
	from := time.Now()
	created := s.create(t, t.Name(), grantsOf(tokens, 15*time.Minute, read, store)...)
	require.Len(t, created, 2*n)
	for _, at := range created {
		ends(t, at, from, 15*time.Minute)
	}
	require.Empty(t, s.verify(t, t.Name(), checksOf(tokens, read)...))
	half, revoked := tokens[:n/2], tokens[:n/50] // checks of both kinds, as many as one call takes
	s.Revoke(t, t.Name(), revoked)
	require.Equal(t, checksOf(revoked, read, store), s.verify(t, t.Name(), checksOf(half, read, store)...))
}

func (s suite) concurrent(t *testing.T) {
	tokens := s.Tokens(t, 64)
	const callers = 16
	errs := make(chan error, callers)
	for i := range callers {
		go func() {
			// Sessions and tokens overlap: every caller extends what others create.
			session := fmt.Sprint(t.Name(), i%4)
			granted, err := s.Grants.CreateGrants(t.Context(), session, grantsOf(tokens, time.Duration(i+1)*time.Minute, read, store))
			if err == nil && (len(granted) != 1 || len(granted[0].Missing) > 0) {
				err = fmt.Errorf("%d answers", len(granted))
			}
			if err == nil {
				var missing []directives.Check
				if missing, err = s.Grants.VerifyGrants(t.Context(), session, checksOf(tokens, read, store)); len(missing) > 0 {
					err = fmt.Errorf("%d are missing", len(missing))
				}
			}
			errs <- err
		}()
	}
	for range callers {
		require.NoError(t, <-errs)
	}
	for i := range 4 {
		check := directives.Check{Token: tokens[0], Kind: read}
		at := s.create(t, fmt.Sprint(t.Name(), i), one(tokens[0], time.Second, read))[check]
		longest := time.Duration(callers-4+i+1) * time.Minute
		require.Greater(t, time.Until(at), longest-30*time.Second, "a caller's longer life was lost")
	}
}

func (s suite) oneRequest(t *testing.T) {
	if s.Requests == nil {
		return
	}
	tokens := s.Tokens(t, 500)
	for name, c := range map[string]struct {
		want int
		call func() error
	}{
		"creating": {1, func() error {
			_, err := s.Grants.CreateGrants(t.Context(), t.Name(), grantsOf(tokens, 0, read, store))
			return err
		}},
		"verifying one kind": {1, func() error {
			_, err := s.Grants.VerifyGrants(t.Context(), t.Name(), checksOf(tokens, store))
			return err
		}},
		"verifying both kinds": {1, func() error {
			_, err := s.Grants.VerifyGrants(t.Context(), t.Name(), checksOf(tokens, store, read))
			return err
		}},
		"nothing": {0, func() error {
			_, err := s.Grants.CreateGrants(t.Context(), t.Name(), nil)
			return err
		}},
	} {
		before := s.Requests()
		require.NoError(t, c.call(), name)
		require.Equal(t, c.want, s.Requests()-before, name)
	}
}
