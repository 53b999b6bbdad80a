package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/disktest"
	"github.com/cloakroomhq/cloakroom/models"
)

const (
	diskSize    = 40 << 20
	testReserve = 8 << 20
)

func openReserved(t *testing.T, path string) *database {
	t.Helper()
	db := openWith(t, Options{Path: path, Reserve: testReserve})
	if err := db.KeepReserve(context.Background()); err != nil {
		require.ErrorIs(t, err, models.ErrFull)
	}
	return db
}

// numbered inserts n tokens, each with a grant of the session of the same name.
func numbered(t *testing.T, db *database, from, n int) {
	t.Helper()
	for chunk := range slices.Chunk(numbers(from, n), 500) {
		var tokens []models.Token
		var grants []models.Grant
		for _, i := range chunk {
			name := fmt.Sprint(i)
			tokens = append(tokens, row(name, "clinic"))
			grants = append(grants, grant(name, name, noon+1000, noon+1000))
		}
		insert(t, db, tokens, grants...)
	}
}

func numbers(from, n int) (all []int) {
	for i := range n {
		all = append(all, from+i)
	}
	return all
}

// TestAFullDisk: the disk is full to its last block, and a writer takes all blocks that are freed. New rows are refused.
// Revocations, deletions and ends succeed, more of them than fit the reserve at once, and are there after a restart.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	disktest.On(t, diskSize, func(t *testing.T, dir string) {
		ctx := context.Background()
		path := filepath.Join(dir, "rows.db")
		db := openReserved(t, path)
		numbered(t, db, 0, 1200)
		filler := disktest.Fill(t, dir)

		err := fillUp(db, 10_000)
		require.ErrorIs(t, err, models.ErrFull)
		require.True(t, db.Full())
		endAll(t, db, 0, 1200)
		require.ErrorIs(t, db.SaveGrants(ctx, manyGrants(10_000)), models.ErrFull, "new rows don't use the pages that deletions freed")
		require.NoError(t, db.Settle(ctx))
		require.NoError(t, db.Close())

		db = openReserved(t, path)
		requireEnded(t, db, 0, 1200)
		require.NoError(t, db.Ready(ctx))
		require.ErrorIs(t, fillUp(db, 20_000), models.ErrFull)
		require.NoError(t, db.End(ctx, models.Ended{ID: hash("late"), EndedAt: noon, ExpiresAt: noon + 1000}))

		filler.Free()
		require.NoError(t, db.KeepReserve(ctx))
		require.False(t, db.Full())
		numbered(t, db, 5000, 10)
		require.Equal(t, []string{"5001"}, readable(t, db, "clinic", "5001", noon, "5001"))
	})
}

// fillUp adds rows until that fails.
func fillUp(db *database, from int) error {
	for i := range 10_000 {
		name := fmt.Sprint(from + i)
		if err := db.InsertTokens(context.Background(), []models.Token{row(name, "clinic")}, []models.Grant{grant(name, name, noon+1000, 0)}); err != nil {
			return err
		}
	}
	return nil
}

func manyGrants(n int) (all []models.Grant) {
	for i := range n {
		all = append(all, grant(fmt.Sprint("many", i), fmt.Sprint(i), noon+1000, 0))
	}
	return all
}

func endAll(t *testing.T, db *database, from, n int) {
	t.Helper()
	ctx := context.Background()
	for i := from; i < from+n; i++ {
		name := fmt.Sprint(i)
		switch i % 3 {
		case 0:
			gone, err := db.DestroyTokens(ctx, "clinic", digests(name), noon)
			require.NoError(t, err, i)
			require.Len(t, gone, 1)
			require.NoError(t, db.PurgeTokens(ctx, gone, noon))
		case 1:
			revoked, err := db.RevokeGrants(ctx, "clinic", models.Revocation{Tokens: digests(name)}, noon)
			require.NoError(t, err, i)
			require.Equal(t, 2, revoked)
		default:
			revoked, err := db.EndSession(ctx, "clinic", models.Ended{ID: hash(name), IssuedBefore: noon, EndedAt: noon, ExpiresAt: noon + 1000})
			require.NoError(t, err, i)
			require.Equal(t, 2, revoked)
		}
	}
}

func requireEnded(t *testing.T, db *database, from, n int) {
	t.Helper()
	ended := 0
	require.NoError(t, db.EndedSince(context.Background(), 0, noon, func(models.Ended) { ended++ }))
	require.Equal(t, n/3, ended)
	for i := from; i < from+n; i++ {
		require.Empty(t, readable(t, db, "clinic", fmt.Sprint(i), noon, fmt.Sprint(i)))
	}
}

// TestAKillOnAFullDisk: after a kill on a full disk another process finds all ends in the files.
func TestAKillOnAFullDisk(t *testing.T) {
	t.Parallel()
	disktest.On(t, diskSize, func(t *testing.T, dir string) {
		path := filepath.Join(dir, "rows.db")
		db := openReserved(t, path)
		numbered(t, db, 0, 300)
		disktest.Fill(t, dir)
		require.ErrorIs(t, fillUp(db, 10_000), models.ErrFull)
		endAll(t, db, 0, 300)

		copied := t.TempDir() // as a kill would leave them
		for _, suffix := range []string{"", "-wal"} {
			b, err := os.ReadFile(path + suffix)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(copied, "rows.db"+suffix), b, 0o600))
		}
		requireEnded(t, openFile(t, filepath.Join(copied, "rows.db")), 0, 300)
	})
}

// TestTheDiskFillsWhileARequestIsWritten: the request fails as a whole, and requests that end something succeed.
func TestTheDiskFillsWhileARequestIsWritten(t *testing.T) {
	t.Parallel()
	disktest.On(t, diskSize, func(t *testing.T, dir string) {
		ctx := context.Background()
		db := openReserved(t, filepath.Join(dir, "rows.db"))
		numbered(t, db, 0, 300)
		before := count(t, db, "tokens")
		full := make(chan struct{})
		go func() {
			defer close(full)
			disktest.Fill(t, dir)
		}()
		var big []models.Token
		for i := range 1000 {
			big = append(big, row(fmt.Sprint("big", i), "clinic"))
			big[i].Sealed = make([]byte, 6000)
		}
		var err error
		inserted := 0
		for i := 0; err == nil; i++ {
			for j := range big {
				big[j].ID = digest(fmt.Sprint(i, "big", j))
			}
			if err = db.InsertTokens(ctx, big, nil); err == nil {
				inserted += len(big)
			}
		}
		<-full
		require.Equal(t, before+inserted, count(t, db, "tokens"))
		endAll(t, db, 0, 300)
		requireEnded(t, db, 0, 300)
	})
}

// TestALongListOnAFullDisk: a deletion that is too large for the reserve is done in parts.
func TestALongListOnAFullDisk(t *testing.T) {
	t.Parallel()
	disktest.On(t, smallDisk, func(t *testing.T, dir string) {
		db := openSmall(t, filepath.Join(dir, "rows.db"))
		const n = 300 // twice what the reserve holds
		names := make([]string, n)
		var tokens []models.Token
		for i := range n {
			names[i] = fmt.Sprint(i)
			tokens = append(tokens, row(names[i], "clinic"))
			tokens[i].Sealed = make([]byte, 5000) // a page each
		}
		for chunk := range slices.Chunk(tokens, 200) {
			insert(t, db, chunk)
		}
		disktest.Fill(t, dir)
		all := &models.Destruction{Tenant: "clinic", Tokens: digests(names...)}
		once := db.queue.submit(db.queue.queue, &request{ctx: t.Context(), batch: &models.Batch{Now: noon, Destroy: all}})
		require.True(t, isFull(once.err), "%v", once.err)
		gone, err := db.DestroyTokens(context.Background(), "clinic", all.Tokens, noon)
		require.NoError(t, err)
		require.Len(t, gone, n)
		require.Equal(t, n, count(t, db, "tokens WHERE sealed IS NULL"))
	})
}

// TestTheReserveStays: Close empties the log, and keeps the log's room for the next start.
func TestTheReserveStays(t *testing.T) {
	t.Parallel()
	disktest.On(t, diskSize, func(t *testing.T, dir string) {
		ctx := context.Background()
		path := filepath.Join(dir, "rows.db")
		db := openReserved(t, path)
		secret := row("a", "clinic")
		secret.Sealed = []byte("SEALED-KEY-SEALED-KEY-")
		insert(t, db, []models.Token{secret})
		gone, err := db.DestroyTokens(ctx, "clinic", digests("a"), noon)
		require.NoError(t, err)
		require.Len(t, gone, 1)
		require.NoError(t, db.Close())
		require.NoError(t, db.Close(), "twice")

		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, f := range files {
			b, err := os.ReadFile(filepath.Join(dir, f.Name()))
			require.NoError(t, err)
			require.NotContains(t, string(b), "SEALED-KEY-", f.Name())
		}
		var s syscall.Stat_t
		require.NoError(t, syscall.Stat(path+"-wal", &s))
		require.Zero(t, s.Size)
		require.GreaterOrEqual(t, s.Blocks*512, db.reserve.log)
	})
}
