// Package grantstest is the contract of directives.Grants, as a test suite: every implementation runs it.
package grantstest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/directives"
)

// MaxGrants is how many grants or checks one call must take.
const MaxGrants = 10_000

// Backend is an implementation under test, and the functions that the suite needs.
type Backend struct {
	Grants directives.Grants
	// Tokens returns the first n, MaxGrants at most, of the application's own tokens.
	Tokens func(t testing.TB, n int) []string
	// Foreign returns n tokens of another application at the same gateway.
	Foreign func(t testing.TB, n int) []string
	// Revoke ends a session's grants on tokens, through Grants if it can revoke.
	Revoke func(t testing.TB, session string, tokens []string)
	// Default is the life of a grant that names none.
	Default time.Duration
	// Requests returns how many requests Grants has sent over the network; nil if it sends none.
	Requests func() int
}

const (
	read  = directives.GrantKindRead
	store = directives.GrantKindStore
)

// Run runs the suite. Sessions are named by the subtests, so one gateway can serve several runs only if
// each has tokens of its own.
func Run(t *testing.T, b Backend) {
	s := suite{b}
	for name, test := range map[string]func(*testing.T){
		"creation is idempotent":                   s.idempotent,
		"extension never shortens":                 s.extension,
		"each kind has its own duration":           s.kinds,
		"many tokens in one entry":                 s.severalTokens,
		"the earliest end is returned":             s.earliest,
		"a grant that names no life has a default": s.defaultLife,
		"foreign tokens don't affect others":       s.foreignTokens,
		"missing checks keep their order":          s.missing,
		"revoked grants are missing":               s.revoked,
		"revocations are reported":                 s.revocationsReported,
		"sessions are separate":                    s.sessions,
		"empty lists do nothing":                   s.empty,
		"a grant without kinds is refused":         s.noKinds,
		"a session without a name is refused":      s.noSession,
		"a life over the maximum is refused":       s.tooLong,
		"an ended context ends the call":           s.endedContext,
		"a short deadline is both":                 s.deadline,
		"a thousand":                               func(t *testing.T) { s.manyTokens(t, 1000) },
		"ten thousand":                             func(t *testing.T) { s.manyTokens(t, MaxGrants) },
		"concurrent calls":                         s.concurrent,
		"one request per call":                     s.oneRequest,
	} {
		t.Run(name, test)
	}
}

type suite struct{ Backend }

// create requires the call to succeed, and returns the end of each grant that exists: the earliest end of its entry.
func (s suite) create(t testing.TB, session string, grants ...directives.Grant) map[directives.Check]time.Time {
	t.Helper()
	granted, err := s.Grants.CreateGrants(t.Context(), session, grants)
	require.NoError(t, err)
	require.Len(t, granted, len(grants), "one answer for each entry")
	ends := map[directives.Check]time.Time{}
	for i, asked := range grants {
		g := granted[i]
		require.Equal(t, g.ExpiresAt.IsZero(), len(g.Missing) == len(asked.Tokens), "an expiry, unless every token is missing")
		require.Equal(t, intersect(asked.Tokens, g.Missing), g.Missing, "in the order of the request")
		for _, token := range asked.Tokens {
			if slices.Contains(g.Missing, token) {
				continue
			}
			for _, k := range asked.Kinds {
				check := directives.Check{Token: token, Kind: k}
				if g.ExpiresAt.After(ends[check]) {
					ends[check] = g.ExpiresAt
				}
			}
		}
	}
	return ends
}

// intersect returns the elements of all that are in some.
func intersect(all, some []string) (both []string) {
	if len(some) == 0 {
		return some
	}
	for _, t := range all {
		if slices.Contains(some, t) {
			both = append(both, t)
		}
	}
	return both
}

func (s suite) verify(t testing.TB, session string, checks ...directives.Check) []directives.Check {
	t.Helper()
	missing, err := s.Grants.VerifyGrants(t.Context(), session, checks)
	require.NoError(t, err)
	return missing
}

func one(token string, life time.Duration, kinds ...directives.GrantKind) directives.Grant {
	return directives.Grant{Tokens: []string{token}, Kinds: kinds, Duration: life}
}

func grantsOf(tokens []string, life time.Duration, kinds ...directives.GrantKind) []directives.Grant {
	return []directives.Grant{{Tokens: tokens, Kinds: kinds, Duration: life}}
}

func checksOf(tokens []string, kinds ...directives.GrantKind) []directives.Check {
	var checks []directives.Check
	for _, token := range tokens {
		for _, k := range kinds {
			checks = append(checks, directives.Check{Token: token, Kind: k})
		}
	}
	return checks
}

// ends requires at to be life after a time between from and now; gateways count milliseconds.
func ends(t testing.TB, at, from time.Time, life time.Duration) {
	t.Helper()
	require.False(t, at.Before(from.Add(life-time.Millisecond)), "%s is too early", at)
	require.False(t, at.After(time.Now().Add(life)), "%s is too late", at)
}
