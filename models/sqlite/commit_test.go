package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/models"
)

// hold keeps the writer busy until release is called, so that requests have to queue.
func hold(t *testing.T, db *database) (release func()) {
	t.Helper()
	busy, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- db.queue.do(context.Background(), func(*gorm.DB) error {
			close(busy)
			<-free
			return nil
		})
	}()
	<-busy
	release = sync.OnceFunc(func() {
		close(free)
		require.NoError(t, <-done)
	})
	t.Cleanup(release)
	return release
}

// insertBehind makes one concurrent request of each list of rows, releases the writer when all of them
// wait, and returns their errors.
func insertBehind(t *testing.T, db *database, requests [][]models.Token) []error {
	t.Helper()
	release := hold(t, db)
	errs := make([]error, len(requests))
	var all sync.WaitGroup
	for i, rows := range requests {
		all.Go(func() {
			grants := make([]models.Grant, len(rows))
			for j, r := range rows {
				grants[j] = models.Grant{SessionID: hash("s"), TokenID: r.ID, ReadUntil: noon + 100, ExpiresAt: noon + 100}
			}
			errs[i] = db.InsertTokens(context.Background(), rows, grants)
		})
	}
	for len(db.queue.queue) < len(requests) {
		runtime.Gosched()
	}
	release()
	all.Wait()
	return errs
}

// TestGroupCommit: 200 requests that wait together are committed as one group, with one statement for each row.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	s := record(t, db)
	requests := make([][]models.Token, 200)
	for i := range requests {
		requests[i] = []models.Token{row(fmt.Sprint("t", i), "clinic")}
	}
	for _, err := range insertBehind(t, db, requests) {
		require.NoError(t, err)
	}
	require.Len(t, s.take(), 400, "a statement of several rows has a statement journal: insert.go")
	require.Equal(t, 200, count(t, db, "tokens"))
	require.Equal(t, 200, count(t, db, "grants"))
}

// TestARequestThatCantSucceedFailsAlone: a request that can't succeed fails alone, and leaves nothing behind; the others of its
// group are stored.
func TestARequestThatCantSucceedFailsAlone(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	insert(t, db, []models.Token{row("taken", "bank")})
	requests := make([][]models.Token, 50)
	for i := range requests {
		requests[i] = []models.Token{row(fmt.Sprint("t", i), "clinic"), row(fmt.Sprint("u", i), "clinic")}
	}
	requests[20][1] = row("taken", "clinic")
	requests[30], requests[31] = []models.Token{row("twin", "clinic")}, []models.Token{row("twin", "clinic")}
	errs := insertBehind(t, db, requests)
	require.Error(t, errs[20])
	require.True(t, (errs[30] == nil) != (errs[31] == nil), "one of two twins is stored")
	for i, err := range errs {
		if i != 20 && i != 30 && i != 31 {
			require.NoError(t, err, i)
		}
	}
	require.Equal(t, 1+2*47+1, count(t, db, "tokens"))
	require.Empty(t, readable(t, db, "clinic", "s", noon, "t20", "taken"))
	require.Equal(t, []string{"u19"}, readable(t, db, "clinic", "s", noon, "u19"))
}

// TestRequestsKeepTheirOrder: inserts and other work keep the order in which they came.
func TestRequestsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	ctx := context.Background()
	insert(t, db, []models.Token{row("a", "clinic"), row("b", "clinic"), row("c", "clinic")}, grant("s", "c", noon+100, 0))
	release := hold(t, db)
	var requests []*request
	send := func(r *request) {
		r.ctx, r.result = ctx, make(chan outcome, 1)
		require.NoError(t, db.queue.send(db.queue.queue, r))
		requests = append(requests, r)
	}
	send(&request{batch: &models.Batch{}, grants: []models.Grant{grant("s", "a", noon+100, 0)}})
	send(&request{work: func(tx *gorm.DB) error { return tx.Exec("DELETE FROM grants").Error }})
	send(&request{batch: &models.Batch{}, grants: []models.Grant{grant("s", "b", noon+100, 0)}})
	release()
	for _, r := range requests {
		require.NoError(t, (<-r.result).err)
	}
	require.Equal(t, []string{"b"}, readable(t, db, "clinic", "s", noon, "a", "b", "c"))
}

// TestAPanicIsRolledBack: work that panics, or fails, is rolled back, and the writer goes on.
func TestAPanicIsRolledBack(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	ctx := context.Background()
	for _, end := range []func() error{func() error { panic("boom") }, func() error { return errors.New("boom") }} {
		err := db.queue.do(ctx, func(tx *gorm.DB) error {
			require.NoError(t, insertRows(tx, []models.Token{row("a", "clinic")}, nil, nil))
			return end()
		})
		require.ErrorContains(t, err, "boom")
		require.Zero(t, count(t, db, "tokens"))
	}
	insert(t, db, []models.Token{row("a", "clinic")})
}

func TestCloseFinishesAcceptedRequests(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	ctx := context.Background()
	release := hold(t, db)
	accepted := &request{ctx: ctx, batch: &models.Batch{Tokens: []models.Token{row("a", "clinic")}}, result: make(chan outcome, 1)}
	require.NoError(t, db.queue.send(db.queue.queue, accepted))
	closed := make(chan error, 2)
	go func() { closed <- db.Close() }()
	go func() { closed <- db.Close() }()
	for { // until Close refuses new requests; the accepted one still waits
		if err := db.queue.send(db.queue.queue, &request{ctx: ctx, batch: &models.Batch{}, result: make(chan outcome, 1)}); err != nil {
			require.ErrorIs(t, err, models.ErrClosed)
			break
		}
		runtime.Gosched()
	}
	require.Empty(t, closed)
	release()
	require.NoError(t, (<-accepted.result).err)
	require.NoError(t, <-closed)
	require.NoError(t, <-closed)
}

// TestAbortRollsBack: the transaction under way is rolled back, the request behind it fails, and Close returns.
func TestAbortRollsBack(t *testing.T) {
	t.Parallel()
	db := openWith(t, Options{Path: filepath.Join(t.TempDir(), "rows.db"), Reserve: 1 << 20})
	ctx := context.Background()
	busy, free, underWay := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		underWay <- db.queue.do(ctx, func(tx *gorm.DB) error {
			err := tx.Create(&models.Setting{Name: "half", Value: []byte("done")}).Error
			close(busy)
			<-free
			return err
		})
	}()
	<-busy
	behind := &request{ctx: ctx, batch: &models.Batch{Tokens: []models.Token{row("a", "clinic")}}, result: make(chan outcome, 1)}
	require.NoError(t, db.queue.send(db.queue.queue, behind))
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	require.NoError(t, db.Abort(), "while the writer is busy, and Close waits for it")
	require.Empty(t, closed)
	close(free)
	require.Error(t, <-underWay)
	require.Error(t, (<-behind.result).err)
	<-closed

	again := openFile(t, db.path)
	var settings, tokens int64
	require.NoError(t, again.read.Model(&models.Setting{}).Where("name = ?", "half").Count(&settings).Error)
	require.NoError(t, again.read.Model(&models.Token{}).Count(&tokens).Error)
	require.Zero(t, settings+tokens)
}

// TestACancelledRequestIsNotCarriedOut: a request that still waits when its context ends is not carried out.
func TestACancelledRequestIsNotCarriedOut(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, db.InsertTokens(gone, []models.Token{row("a", "clinic")}, nil), context.Canceled)
	require.ErrorIs(t, second(db.Tokens(gone, "clinic", digests("a"), noon)), context.Canceled)

	release := hold(t, db)
	leaving, leave := context.WithCancel(context.Background())
	result := make(chan error)
	go func() { result <- db.InsertTokens(leaving, []models.Token{row("b", "clinic")}, nil) }()
	for len(db.queue.queue) == 0 {
		runtime.Gosched()
	}
	leave()
	require.ErrorIs(t, <-result, context.Canceled)
	release()
	insert(t, db, []models.Token{row("c", "clinic")}) // behind it
	require.Equal(t, 1, count(t, db, "tokens"))
}
