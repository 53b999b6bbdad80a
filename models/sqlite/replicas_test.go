package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/models/modelstest"
)

// TestConsumeStateReplicas: two processes that have one file open agree on which call was the first, also after a
// restart.
func TestConsumeStateReplicas(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rows.db")
	a, b := openFile(t, path), openFile(t, path)
	for round := range 5 {
		require.EqualValues(t, 1, modelstest.ConsumeStateRace(t, fmt.Sprint(round), a.DB, b.DB))
	}
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())
	first, err := openFile(t, path).ConsumeState(context.Background(), digest("0"), noon)
	require.NoError(t, err)
	require.False(t, first)
}

// TestSettingReplicas: two processes that have one file open agree on the stored value.
func TestSettingReplicas(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rows.db")
	a, b := openFile(t, path), openFile(t, path)
	for round := range 5 {
		name := fmt.Sprint("setting-", round)
		value := modelstest.SettingRace(t, name, a.DB, b.DB)
		kept, err := b.Setting(t.Context(), name, []byte("another"))
		require.NoError(t, err)
		require.Equal(t, value, string(kept))
	}
}
