package fault_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/fault"
)

var errCause = errors.New("SECRET cause")

func TestPublic(t *testing.T) {
	for name, err := range map[string]error{
		"unknown": errCause, "wrapped": fmt.Errorf("x: %w", errCause), "joined": errors.Join(errCause, os.ErrExist),
	} {
		t.Run(name, func(t *testing.T) {
			p := fault.Public(err)
			require.Equal(t, fault.Internal, p.Code, name)
			require.NotContains(t, p.Message, "SECRET", name)
			require.ErrorIs(t, p, err, "the log gets the cause")
		})
	}
	wrapped := fault.Wrap(errCause, fault.Unavailable, "Try again.")
	for _, err := range []error{wrapped, fmt.Errorf("SECRET: %w", wrapped), errors.Join(errCause, wrapped)} {
		p := fault.Public(err)
		require.Equal(t, fault.Unavailable, p.Code)
		require.Equal(t, "Try again.", p.Message)
		require.ErrorIs(t, err, errCause)
	}
	require.Equal(t, "UNAVAILABLE: Try again.: SECRET cause", wrapped.Error())
	require.Equal(t, "FORBIDDEN: No 7.", fault.New(fault.Forbidden, "No %d.", 7).Error())
}

// TestAt: At puts steps before the path and does not change the original, so that faults can be shared.
func TestAt(t *testing.T) {
	shared := fault.New(fault.BadUserInput, "No.")
	a := shared.At("b", 1)
	c := fault.At(a, "a")
	require.Empty(t, shared.Path)
	require.Equal(t, []any{"b", 1}, a.Path)
	require.Equal(t, []any{"a", "b", 1}, fault.Public(c).Path)
	require.Equal(t, errCause, fault.At(errCause, "a"))
}

// TestCodesMatchTheSchema: every code is a value of the schema's ErrorCode, and the reverse.
func TestCodesMatchTheSchema(t *testing.T) {
	schema, err := os.ReadFile("../../graph/schema/errors.graphqls")
	require.NoError(t, err)
	var published []fault.Code
	for _, m := range regexp.MustCompile(`(?m)^  ([A-Z_]+)$`).FindAllSubmatch(schema, -1) {
		published = append(published, fault.Code(m[1]))
	}
	require.ElementsMatch(t, []fault.Code{
		fault.Unauthenticated, fault.Forbidden, fault.BadUserInput, fault.GrantRequired, fault.SessionChanged, fault.LimitExceeded,
		fault.RateLimited, fault.Unavailable, fault.Internal, fault.PersistedNotFound,
	}, published)
}
