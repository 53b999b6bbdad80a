package sqlite

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/models"
)

// TestAWriteWaitsForOnePartOfASweep at most, however many rows are due.
func TestAWriteWaitsForOnePartOfASweep(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const due = 5 * sweepPart
	for name, sweep := range map[string]func(*database) (int, error){
		"grants": func(db *database) (int, error) { return db.SweepGrants(ctx, noon, due) },
		"ended":  func(db *database) (int, error) { return db.SweepEnded(ctx, noon, due) },
		"states": func(db *database) (int, error) { return db.SweepStates(ctx, noon, due) },
		"tokens": func(db *database) (int, error) {
			gone, err := db.DueTokens(ctx, noon, due)
			return len(gone), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openSQLite(t)
			var b models.Batch
			for i := range due {
				n := fmt.Sprint(i)
				b.Tokens = append(b.Tokens, expiring(n, "clinic", noon))
				b.Grants = append(b.Grants, grant("s", n, noon, 0))
				b.Ended = append(b.Ended, ended(n, noon, noon))
				b.Used = append(b.Used, models.UsedState{Digest: digest(n), ExpiresAt: noon})
			}
			require.NoError(t, second(db.Write(ctx, b)))
			release := hold(t, db)
			s := record(t, db)
			swept := make(chan int, 1)
			var all sync.WaitGroup
			all.Go(func() {
				n, err := sweep(db)
				if err != nil {
					t.Error(err)
				}
				swept <- n
			})
			all.Go(func() {
				if err := db.InsertTokens(ctx, []models.Token{row("fresh", "clinic")}, nil); err != nil {
					t.Error(err)
				}
			})
			for len(db.queue.queue) == 0 {
				runtime.Gosched()
			}
			release()
			all.Wait()
			require.Equal(t, due, <-swept)
			parts, before := 0, 0
			for _, query := range s.take() {
				switch {
				case strings.HasPrefix(query, "INSERT"):
					before = parts
				case strings.HasPrefix(query, "DELETE") || strings.HasPrefix(query, "UPDATE"):
					parts++
				}
			}
			require.GreaterOrEqual(t, parts, 5)
			require.LessOrEqual(t, before, 1, "parts before the write")
		})
	}
}

// TestASweepRunsAmongRequests: a part of a sweep runs even if requests never stop coming.
func TestASweepRunsAmongRequests(t *testing.T) {
	t.Parallel()
	write, part := &request{}, &request{}
	c := &committer{queue: make(chan *request, 2), parts: make(chan *request, 2)}
	for range 2 {
		c.queue <- write
		c.parts <- part
	}
	for _, turn := range []bool{false, true} {
		got, ok := c.next(turn)
		require.True(t, ok)
		require.Same(t, map[bool]*request{false: write, true: part}[turn], got)
	}
	<-c.queue
	got, ok := c.next(false)
	require.True(t, ok)
	require.Same(t, part, got, "nothing else waits")
	close(c.queue)
	_, ok = c.next(false)
	require.False(t, ok)
}
