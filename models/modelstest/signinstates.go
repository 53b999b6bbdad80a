package modelstest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/models"
)

func testConsumeState(t *testing.T, db *Database) {
	ctx := context.Background()
	for _, name := range []string{"a", "b"} {
		for n := range 3 {
			first, err := db.ConsumeState(ctx, Digest(name), noon+1000)
			require.NoError(t, err)
			require.Equal(t, n == 0, first)
		}
	}
	require.Equal(t, 2, count(t, db, "sign_in_states"))
	gone, cancel := context.WithCancel(ctx)
	cancel()
	first, err := db.ConsumeState(gone, Digest("c"), noon)
	require.Error(t, err)
	require.False(t, first, "a cancelled caller is never the first")
}

func testConsumeStateRace(t *testing.T, db *Database) {
	for round := range 5 {
		require.EqualValues(t, 1, ConsumeStateRace(t, fmt.Sprint(round), db))
	}
	require.Equal(t, 5, count(t, db, "sign_in_states"))
}

// ConsumeStateRace has fifty goroutines consume one state, over the databases in turn, and returns how many were the first.
func ConsumeStateRace(t *testing.T, name string, dbs ...models.Rows) int64 {
	t.Helper()
	var won atomic.Int64
	var all sync.WaitGroup
	begin := make(chan struct{})
	for n := range 50 {
		all.Go(func() {
			<-begin
			first, err := Writer{dbs[n%len(dbs)]}.ConsumeState(context.Background(), Digest(name), noon)
			if err != nil {
				t.Error(err)
			}
			if first {
				won.Add(1)
			}
		})
	}
	close(begin)
	all.Wait()
	return won.Load()
}

func testSweepStates(t *testing.T, db *Database) {
	ctx := context.Background()
	for n := range 10 {
		require.NoError(t, second(db.ConsumeState(ctx, Digest(fmt.Sprint(n)), noon+int64(n))))
	}
	for _, step := range []struct {
		now         int64
		limit, want int
	}{{noon - 1, 100, 0}, {noon, 100, 1}, {noon + 5, 3, 3}, {noon + 5, 3, 2}, {noon + 5, 3, 0}, {noon + 100, 100, 4}, {noon + 100, 100, 0}} {
		swept, err := db.SweepStates(ctx, step.now, step.limit)
		require.NoError(t, err)
		require.Equal(t, step.want, swept)
	}
	require.Zero(t, count(t, db, "sign_in_states"))
}
