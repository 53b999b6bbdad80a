package vault_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

var missing = ids.TokenOf("tok-00000000-0000-4000-8000-000000000001")

func TestRatesCharged(t *testing.T) {
	f := newFixture(t)
	s := session("clinic", "1")
	token := f.tokenize(t, s, 0)
	for name, c := range map[string]struct {
		call func() error
		want []string
	}{
		"a value of known size":   {func() error { return second(f.Tokenize(s, vault.TokenizeInput{Size: ptr(int64(7))})) }, []string{"reserve 1 of 7 bytes"}},
		"a value of unknown size": {func() error { return second(f.Tokenize(s, vault.TokenizeInput{})) }, []string{"reserve 1 of 100 bytes"}},
		"each of a batch": {func() error {
			return second(f.TokenizeBatch(s, []vault.TokenizeInput{{Size: ptr(int64(7))}, {}, {Size: ptr(int64(1000))}}))
		}, []string{"reserve 3 of 1107 bytes"}},
		"a read":                       {func() error { return second(f.Detokenize(s, token)) }, []string{"read 1"}},
		"each of a batch of reads":     {func() error { return second(f.DetokenizeBatch(s, []ids.Token{token, token, missing})) }, []string{"read 3"}},
		"a description of a token":     {func() error { return second(f.Describe(s, token)) }, []string{"read 1"}},
		"an application's description": {func() error { return second(f.Describe(application("clinic"), token)) }, []string{"read 1"}},
		"no malformed input":           {func() error { _ = second(f.Tokenize(s, vault.TokenizeInput{Size: ptr(int64(1001))})); return nil }, nil},
		"no anonymous client":          {func() error { _ = second(f.Detokenize(context.Background(), token)); return nil }, nil},
		"no list that is too long":     {func() error { _ = second(f.DetokenizeBatch(s, make([]ids.Token, 11))); return nil }, nil},
		"no creation of grants": {func() error {
			return second(f.CreateGrants(application("clinic"), "1", []vault.GrantRequest{{Tokens: []ids.Token{token}, Kinds: ids.Read}}))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f.rates.asked = nil
			require.NoError(t, c.call())
			require.Equal(t, c.want, f.rates.asked)
		})
	}
}

// TestRateRefusalsCostNothing: a refused call reaches neither the database nor the store.
func TestRateRefusalsCostNothing(t *testing.T) {
	f := newFixture(t)
	s := session("clinic", "1")
	token := f.tokenize(t, s, 0)
	f.rows.take()
	f.rates.err = fault.Limited(1500 * time.Millisecond)
	for name, call := range map[string]func() error{
		"tokenize":        func() error { return second(f.Tokenize(s, vault.TokenizeInput{})) },
		"tokenizeBatch":   func() error { return second(f.TokenizeBatch(s, []vault.TokenizeInput{{}, {}})) },
		"detokenize":      func() error { return second(f.Detokenize(s, token)) },
		"detokenizeBatch": func() error { return second(f.DetokenizeBatch(s, []ids.Token{token, missing})) },
		"token":           func() error { return second(f.Describe(s, token)) },
	} {
		t.Run(name, func(t *testing.T) {
			err := call()
			requireFault(t, err, fault.RateLimited)
			require.Equal(t, 2*time.Second, fault.Public(err).RetryAfter)
			require.Empty(t, f.rows.take())
			require.Len(t, f.store.uploads, 1)
			require.Empty(t, f.store.downloads)
		})
	}
}
