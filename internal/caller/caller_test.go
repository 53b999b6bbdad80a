package caller_test

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// TestHashSession: no two pairs of tenant and id share a hash, even if their concatenations are equal.
func TestHashSession(t *testing.T) {
	seen := map[caller.SessionHash][2]string{}
	for _, pair := range [][2]string{{"a", "bc"}, {"ab", "c"}, {"abc", ""}, {"", "abc"}, {"a", "b"}, {"b", "a"}, {"a\x00", "b"}, {"a", "\x00b"}, {"A", "b"}, {"", ""}} {
		h := caller.HashSession(pair[0], pair[1])
		require.NotContains(t, seen, h)
		require.Equal(t, h, caller.HashSession(pair[0], pair[1]))
		seen[h] = pair
	}
}

func TestRequire(t *testing.T) {
	hash := caller.HashSession("clinic", "s")
	for name, test := range map[string]struct {
		who                       *caller.Caller
		any, session, application fault.Code
	}{
		"nobody":      {nil, fault.Unauthenticated, fault.Unauthenticated, fault.Unauthenticated},
		"session":     {&caller.Caller{Session: &hash}, "", "", fault.Forbidden},
		"application": {&caller.Caller{Roles: []string{"application"}}, "", fault.Forbidden, ""},
		"admin":       {&caller.Caller{Roles: []string{"admin"}}, "", fault.Forbidden, ""},
		"neither":     {&caller.Caller{Roles: []string{"Admin", "doctor"}}, "", fault.Forbidden, fault.Forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			if test.who != nil {
				ctx = caller.With(ctx, test.who)
			}
			require.Equal(t, test.who, caller.From(ctx), name)
			for want, require1 := range map[*fault.Code]func(context.Context) (*caller.Caller, error){
				&test.any: caller.Require, &test.session: caller.RequireSession, &test.application: caller.RequireApplication,
			} {
				c, err := require1(ctx)
				if *want == "" {
					require.NoError(t, err, name)
					require.Same(t, test.who, c)
					continue
				}
				require.Nil(t, c, name)
				require.Equal(t, *want, fault.Public(err).Code, name)
			}
		})
	}
}

// TestHashDomains: a login's hash is never a session's, and both are written in hexadecimal.
func TestHashDomains(t *testing.T) {
	s, l := caller.HashSession("clinic", "id"), caller.HashLogin("clinic", []byte("id"))
	require.NotEqual(t, s, l)
	require.Equal(t, hex.EncodeToString(s[:]), s.String())
	require.NotEqual(t, caller.HashLogin("ab", []byte("c")), caller.HashLogin("a", []byte("bc")))
}

// TestHashesDoNotChange: databases hold these hashes, so they must not change; sessions and subjects never share one.
func TestHashesDoNotChange(t *testing.T) {
	require.Equal(t, "dfa9b72d01c87529a79e4e9fa83252203935327e839019a25a7bb619d47042e0",
		caller.HashSession("clinic", "session-1").String())
	require.NotEqual(t, caller.HashSession("clinic", "a"), caller.HashSubject("clinic", "a"))
	long := strings.Repeat("x", 2000)
	require.NotEqual(t, caller.HashSubject("clinic", long), caller.HashSubject("clinic", long+"x"))
}

func BenchmarkHashSubject(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		caller.HashSubject("clinic", "a4c2e0d0-3f5e-4a2f-9b0e-2f1c4d5e6f70")
	}
}
