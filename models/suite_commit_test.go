package models

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
)

// hold keeps the writer busy, so that what arrives meanwhile has to queue, until it is released.
func hold(t *testing.T, db *DB) (release func()) {
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

// insertBehind makes one concurrent request of each list of rows, all of which are waiting when the
// writer is released, and returns their errors.
func insertBehind(t *testing.T, db *DB, requests [][]Token) []error {
	t.Helper()
	release := hold(t, db)
	errs := make([]error, len(requests))
	var all sync.WaitGroup
	for i, rows := range requests {
		all.Go(func() {
			grants := make([]Grant, len(rows))
			for j, r := range rows {
				grants[j] = Grant{SessionID: digest("s"), TokenID: r.ID, ReadUntil: noon + 100, ExpiresAt: noon + 100}
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

// testGroupCommit: 200 requests that wait together become one transaction of a few statements.
func testGroupCommit(t *testing.T, db *DB) {
	s := record(t, db)
	requests := make([][]Token, 200)
	for i := range requests {
		requests[i] = []Token{row(fmt.Sprint("t", i), "clinic")}
	}
	for _, err := range insertBehind(t, db, requests) {
		require.NoError(t, err)
	}
	require.Len(t, s.take(), 2, "one statement of all tokens, one of all grants")
	require.Equal(t, 200, count(t, db, "tokens"))
	require.Equal(t, 200, count(t, db, "grants"))
}

// testBadRow: a request that can't succeed fails alone, and leaves nothing behind; the others of its
// group are stored.
func testBadRow(t *testing.T, db *DB) {
	insert(t, db, []Token{row("taken", "bank")})
	requests := make([][]Token, 50)
	for i := range requests {
		requests[i] = []Token{row(fmt.Sprint("t", i), "clinic"), row(fmt.Sprint("u", i), "clinic")}
	}
	requests[20][1] = row("taken", "clinic")
	requests[30], requests[31] = []Token{row("twin", "clinic")}, []Token{row("twin", "clinic")}
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

// testOrder: inserts and other work keep the order in which they came.
func testOrder(t *testing.T, db *DB) {
	ctx := context.Background()
	insert(t, db, []Token{row("a", "clinic"), row("b", "clinic"), row("c", "clinic")}, grant("s", "c", noon+100, 0))
	release := hold(t, db)
	var requests []*request
	send := func(r *request) {
		r.ctx, r.result = ctx, make(chan error, 1)
		require.NoError(t, db.queue.send(r))
		requests = append(requests, r)
	}
	send(&request{grants: []Grant{grant("s", "a", noon+100, 0)}})
	send(&request{work: func(tx *gorm.DB) error { return tx.Exec("DELETE FROM grants").Error }})
	send(&request{grants: []Grant{grant("s", "b", noon+100, 0)}})
	release()
	for _, r := range requests {
		require.NoError(t, <-r.result)
	}
	require.Equal(t, []string{"b"}, readable(t, db, "clinic", "s", noon, "a", "b", "c"))
}

// testPanic: work that panics, or fails, is rolled back, and the writer lives.
func testPanic(t *testing.T, db *DB) {
	ctx := context.Background()
	for _, end := range []func() error{func() error { panic("boom") }, func() error { return errors.New("boom") }} {
		err := db.queue.do(ctx, func(tx *gorm.DB) error {
			require.NoError(t, insertRows(tx, []Token{row("a", "clinic")}, nil, nil))
			return end()
		})
		require.ErrorContains(t, err, "boom")
		require.Zero(t, count(t, db, "tokens"))
	}
	insert(t, db, []Token{row("a", "clinic")})
}

func testClose(t *testing.T, db *DB) {
	ctx := context.Background()
	release := hold(t, db)
	accepted := &request{ctx: ctx, tokens: []Token{row("a", "clinic")}, result: make(chan error, 1)}
	require.NoError(t, db.queue.send(accepted))
	closed := make(chan error, 2)
	go func() { closed <- db.Close() }()
	go func() { closed <- db.Close() }()
	for { // until Close has shut the door; what it accepted waits still
		if err := db.queue.send(&request{ctx: ctx, result: make(chan error, 1)}); err != nil {
			require.ErrorIs(t, err, ErrClosed)
			break
		}
		runtime.Gosched()
	}
	require.Empty(t, closed)
	release()
	require.NoError(t, <-accepted.result)
	require.NoError(t, <-closed)
	require.NoError(t, <-closed)

	s := digest("s")
	for name, err := range map[string]error{
		"InsertTokens":  db.InsertTokens(ctx, []Token{row("b", "clinic")}, nil),
		"SaveGrants":    db.SaveGrants(ctx, []Grant{grant("s", "a", noon+1, 0)}),
		"PurgeTokens":   db.PurgeTokens(ctx, []Token{row("a", "clinic")}, noon),
		"RevokeGrants":  second(db.RevokeGrants(ctx, "clinic", GrantFilter{Session: &s}, noon)),
		"DestroyTokens": second(db.DestroyTokens(ctx, "clinic", digests("a"), noon)),
		"DueTokens":     second(db.DueTokens(ctx, noon, 1)),
		"MoveGrants":    second(db.MoveGrants(ctx, "clinic", s, digest("other"), noon)),
		"SweepGrants":   second(db.SweepGrants(ctx, noon, 1)),
		"Setting":       second(db.Setting(ctx, "x", []byte("x"))),
	} {
		require.ErrorIs(t, err, ErrClosed, name)
	}
	require.Error(t, db.Ready(ctx))
	require.Error(t, second(db.Tokens(ctx, "clinic", digests("a"), noon)))
	require.Error(t, second(db.TokenGrants(ctx, "clinic", s, digests("a"), noon)))
	require.Error(t, second(db.ReadableTokens(ctx, "clinic", s, digests("a"), noon)))
}

func second[T any](_ T, err error) error { return err }

// testCancel: a request whose client has left is not carried out if it still waits.
func testCancel(t *testing.T, db *DB) {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, db.InsertTokens(gone, []Token{row("a", "clinic")}, nil), context.Canceled)
	require.ErrorIs(t, second(db.Tokens(gone, "clinic", digests("a"), noon)), context.Canceled)

	release := hold(t, db)
	leaving, leave := context.WithCancel(context.Background())
	result := make(chan error)
	go func() { result <- db.InsertTokens(leaving, []Token{row("b", "clinic")}, nil) }()
	for len(db.queue.queue) == 0 {
		runtime.Gosched()
	}
	leave()
	require.ErrorIs(t, <-result, context.Canceled)
	release()
	insert(t, db, []Token{row("c", "clinic")}) // behind it
	require.Equal(t, 1, count(t, db, "tokens"))
}

// testStatements: however long the lists are, each direction is one statement for each table.
func testStatements(t *testing.T, db *DB) {
	ctx := context.Background()
	s := record(t, db)
	session := digest("s")
	for _, n := range []int{1, 100, 1000, 4000} {
		ids, tokens, grants := make([]Digest, n), make([]Token, n), make([]Grant, n)
		for i := range ids {
			name := fmt.Sprint(n, "-", i)
			ids[i], tokens[i], grants[i] = digest(name), row(name, "clinic"), grant("s", name, noon+100, noon+100)
		}
		var gone []Token
		listed := 0
		if n >= minList {
			listed = 1
		}
		for _, step := range []struct {
			name string
			want int
			do   func() error
		}{
			{"InsertTokens", 2, func() error { return db.InsertTokens(ctx, tokens, grants) }},
			{"SaveGrants", 1 + listed, func() error { return db.SaveGrants(ctx, grants) }},
			{"ReadableTokens", 1, func() error { return second(db.ReadableTokens(ctx, "clinic", session, ids, noon)) }},
			{"Tokens", 1, func() error { return second(db.Tokens(ctx, "clinic", ids, noon)) }},
			{"TokenGrants", 1, func() error { return second(db.TokenGrants(ctx, "clinic", session, ids, noon)) }},
			{"RevokeGrants", 5 + 2*listed, func() error { return second(db.RevokeGrants(ctx, "clinic", GrantFilter{Tokens: ids}, noon)) }},
			{"DestroyTokens", 3, func() (err error) { gone, err = db.DestroyTokens(ctx, "clinic", ids, noon); return err }},
			{"PurgeTokens", 2, func() error { return db.PurgeTokens(ctx, gone, noon+9999) }},
		} {
			s.take()
			require.NoError(t, step.do())
			require.Len(t, s.take(), step.want, "%s of %d", step.name, n)
		}
	}
}

// testPlans: every statement finds its rows by a key or an index.
func testPlans(t *testing.T, db *DB) {
	if db.read.Name() != "sqlite" {
		return // EXPLAIN QUERY PLAN is SQLite's
	}
	ctx := context.Background()
	s := record(t, db)
	session := digest("s")
	insert(t, db, []Token{row("a", "clinic"), expiring("old", "clinic", noon)}, grant("s", "a", noon+100, 0), grant("s", "old", noon, 0))
	_, _ = db.ReadableTokens(ctx, "clinic", session, digests("a", "b", "c"), noon)
	_, _ = db.ReadableTokens(ctx, "clinic", session, digests("a"), noon)
	_, _ = db.Tokens(ctx, "clinic", digests("a"), noon)
	_, _ = db.TokenGrants(ctx, "clinic", session, digests("a"), noon)
	_, _ = db.TokenGrants(ctx, "clinic", session, digests("a", "b"), noon)
	many, names := manyTokens("m", minList)
	insert(t, db, many)
	for _, end := range []int64{noon + 50, noon + 60} { // the second covers the first
		require.NoError(t, db.SaveGrants(ctx, grantsOn("s", end, 0, names...)))
	}
	require.NoError(t, second(db.MoveGrants(ctx, "clinic", session, digest("s2"), noon)))
	require.NoError(t, second(db.MoveGrants(ctx, "clinic", digest("s2"), session, noon)))
	require.NoError(t, second(db.RevokeGrants(ctx, "clinic", GrantFilter{Tokens: digests(names[0])}, noon)))
	for _, f := range []GrantFilter{{Session: &session}, {Tokens: digests("a")}, {Session: &session, Tokens: digests("a"), Kinds: Read}} {
		require.NoError(t, second(db.RevokeGrants(ctx, "clinic", f, noon)))
	}
	require.NoError(t, second(db.SweepGrants(ctx, noon, 10)))
	gone, err := db.DestroyTokens(ctx, "clinic", digests("a"), noon)
	require.NoError(t, err)
	require.NoError(t, db.PurgeTokens(ctx, gone, noon+9999))
	require.NoError(t, second(db.DueTokens(ctx, noon, 10)))
	require.NoError(t, second(db.Setting(ctx, "mark", []byte("x"))))
	require.NoError(t, second(db.ConsumeState(ctx, digest("a"), noon)))
	require.NoError(t, second(db.SweepStates(ctx, noon, 10)))
	list := s.take()
	require.GreaterOrEqual(t, len(list), 20)
	ordered := 0
	for _, query := range list {
		rows, err := db.pools[0].Query("EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
		require.NoError(t, err, query)
		searched := ""
		for rows.Next() {
			var id, parent, unused int
			var detail string
			require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
			if table, ok := strings.CutPrefix(detail, "SEARCH "); ok {
				searched += table[:1]
			}
			require.NotRegexp(t, `^SCAN (tokens|grants|grant_lists|settings|sign_in_states|[tgl])\b`, detail, query)
			require.NotContains(t, detail, "AUTOMATIC", query)
			require.NotContains(t, detail, "TEMP B-TREE", query)
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
		if strings.Contains(query, "t.sealed, ") && strings.Contains(query, "grants g") {
			require.Equal(t, "glt", searched, "the grant before the token, or time tells which tokens exist: %s", query)
			ordered++
		}
	}
	require.Equal(t, 2, ordered)
}
