package signin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSweep: Sweep removes records of used states that have expired on every replica.
func TestSweep(t *testing.T) {
	w := newWorld(t, nil)
	w.signIn(t)
	require.NoError(t, w.Sweep(t.Context()))
	require.Contains(t, w.outcomes, "swept sign_in_states 0")
	require.Len(t, w.used, 1)
	w.now = w.now.Add(time.Hour)
	require.NoError(t, w.Sweep(t.Context()))
	require.Contains(t, w.outcomes, "swept sign_in_states 1")
	require.Empty(t, w.used)
	w.down = errDown
	require.ErrorIs(t, w.Sweep(t.Context()), errDown)
}
