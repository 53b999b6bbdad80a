package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/space"
	"github.com/cloakroomhq/cloakroom/models/sqlite"
)

// proof is a store that implements only its test.
type proof struct {
	objects.Store
	err error
}

func (p *proof) Verify(context.Context) error { return p.err }
func (p *proof) Ready(context.Context) error  { return nil }

type noObserver struct{}

func (noObserver) SpaceFree(string, int64) {}

func newAdmission(t *testing.T, free *int64, store objects.Store) *admission {
	t.Helper()
	rows, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "rows.db")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = rows.Close() })
	log := slog.New(slog.DiscardHandler)
	m, err := space.New(space.Options{
		Disks: []space.Disk{{Name: "database", Dir: "/"}}, MinFree: 100, Observer: noObserver{}, Logger: log,
		Stat: func(string) (int64, int64, error) { return *free, 1000, nil },
	})
	require.NoError(t, err)
	return &admission{Monitor: m, rows: rows, store: store, log: log, tell: func(string, bool) {}}
}

// TestAProofThatIsPutOff: without room the store is not tested. No value is accepted until the store has passed its test.
func TestAProofThatIsPutOff(t *testing.T) {
	refused := func(t *testing.T, r *admission) {
		t.Helper()
		public := fault.Public(r.Admit(t.Context(), 1))
		require.Equal(t, fault.Unavailable, public.Code)
		require.Equal(t, space.RetryAfter, public.RetryAfter)
		require.Error(t, r.ready(t.Context()))
	}
	t.Run("the test passes once there is room", func(t *testing.T) {
		free := int64(99)
		r := newAdmission(t, &free, &proof{})
		require.True(t, shortage(r.prove(t.Context())))
		r.proveAgain(t.Context())
		refused(t, r)
		free = 1000
		refused(t, r)
		r.proveAgain(t.Context())
		require.NoError(t, r.Admit(t.Context(), 1))
		require.NoError(t, r.ready(t.Context()))
	})
	t.Run("the store itself is full", func(t *testing.T) {
		free := int64(1000)
		store := &proof{err: fmt.Errorf("write: %w", objects.ErrNoSpace)}
		r := newAdmission(t, &free, store)
		require.True(t, shortage(r.prove(t.Context())))
		refused(t, r)
		require.NoError(t, r.storeReady(t.Context()))
		store.err = nil
		r.proveAgain(t.Context())
		require.NoError(t, r.Admit(t.Context(), 1))
	})
	t.Run("the store keeps values in clear", func(t *testing.T) {
		free := int64(99)
		store := &proof{err: objects.ErrUnsuitable}
		r := newAdmission(t, &free, store)
		require.True(t, shortage(r.prove(t.Context())))
		free = 1000
		r.proveAgain(t.Context())
		refused(t, r)
		require.ErrorIs(t, r.storeReady(t.Context()), objects.ErrUnsuitable)
	})
	t.Run("a start with room", func(t *testing.T) {
		free := int64(1000)
		for _, err := range []error{objects.ErrUnsuitable, errors.New("no answer")} {
			require.False(t, shortage(newAdmission(t, &free, &proof{err: err}).prove(t.Context())), "the start is refused")
		}
	})
}
