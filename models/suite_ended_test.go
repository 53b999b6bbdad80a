package models

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const never = int64(1) << 62 // issued before any moment

func ended(name string, at, until int64) Ended {
	return Ended{ID: digest(name), IssuedBefore: never, EndedAt: at, ExpiresAt: until}
}

// endedSince returns what has ended since a moment, in the order that it came.
func endedSince(t *testing.T, db *DB, since, now int64) (all []Ended) {
	t.Helper()
	require.NoError(t, db.EndedSince(context.Background(), since, now, func(e Ended) { all = append(all, e) }))
	return all
}

// testEndSession: the session's grants go, and those alone; how many there were is told once.
func testEndSession(t *testing.T, db *DB) {
	ctx := context.Background()
	insert(t, db, []Token{row("a", "clinic"), row("b", "clinic")},
		grant("s1", "a", noon+100, noon+100), grant("s1", "b", noon+100, noon), grant("s2", "a", noon+100, 0))
	e := ended("s1", noon, noon+1000)
	n, err := db.EndSession(ctx, "clinic", e)
	require.NoError(t, err)
	require.Equal(t, 3, n, "those that were in force, each kind")
	require.Empty(t, readable(t, db, "clinic", "s1", noon, "a", "b"))
	require.Equal(t, []string{"a"}, readable(t, db, "clinic", "s2", noon, "a", "b"))
	require.Equal(t, []Ended{e}, endedSince(t, db, 0, noon))
	n, err = db.EndSession(ctx, "clinic", e)
	require.NoError(t, err)
	require.Zero(t, n)
	require.Equal(t, 1, count(t, db, "ended"))
}

// testEndSessionIsWhole: where the grants can't be revoked, the session has not ended either.
func testEndSessionIsWhole(t *testing.T, db *DB) {
	insert(t, db, []Token{row("a", "clinic")}, grant("s1", "a", noon+100, 0))
	require.NoError(t, db.write.Exec("ALTER TABLE grants RENAME TO elsewhere").Error)
	n, err := db.EndSession(context.Background(), "clinic", ended("s1", noon, noon+1000))
	require.Error(t, err)
	require.Zero(t, n)
	require.NoError(t, db.write.Exec("ALTER TABLE elsewhere RENAME TO grants").Error)
	require.Zero(t, count(t, db, "ended"))
	require.Equal(t, []string{"a"}, readable(t, db, "clinic", "s1", noon, "a"))
}

// testEndedSince: from the moment itself on, whatever the order of the commits; what has expired is left out.
func testEndedSince(t *testing.T, db *DB) {
	ctx := context.Background()
	for _, e := range []Ended{ended("c", noon+2, noon+100), ended("a", noon, noon+100), ended("over", noon+1, noon+50), ended("b", noon+1, noon+51)} {
		require.NoError(t, db.End(ctx, e))
	}
	names := func(list []Ended) (s string) {
		for _, e := range list {
			for _, name := range []string{"a", "b", "c", "over"} {
				if e.ID == digest(name) {
					s += name + " "
				}
			}
		}
		return strings.TrimSpace(s)
	}
	for since, want := range map[int64]string{0: "a b c", noon: "a b c", noon + 1: "b c", noon + 2: "c", noon + 3: ""} {
		require.Equal(t, want, names(endedSince(t, db, since, noon+50)))
	}
	require.Len(t, endedSince(t, db, 0, noon+49), 4)
	require.Empty(t, endedSince(t, db, 0, noon+100))
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, db.EndedSince(cancelled, 0, noon, func(Ended) { t.Error("called") }), context.Canceled)
}

// testEndedStays: a second note widens the first and never narrows it, and is read as new.
func testEndedStays(t *testing.T, db *DB) {
	ctx := context.Background()
	id := digest("subject")
	for _, step := range []struct{ note, want Ended }{
		{Ended{id, 10, noon, noon + 10}, Ended{id, 10, noon, noon + 10}},
		{Ended{id, 5, noon + 1, noon + 5}, Ended{id, 10, noon + 1, noon + 10}},
		{Ended{id, 20, noon - 1, noon + 20}, Ended{id, 20, noon + 1, noon + 20}},
	} {
		require.NoError(t, db.End(ctx, step.note))
		require.Equal(t, []Ended{step.want}, endedSince(t, db, 0, noon))
	}
}

// testEndedPages: more rows than one statement returns, many of them of one moment, each once.
func testEndedPages(t *testing.T, db *DB) {
	const n = 2*endedPage + 10
	var list []string
	for i := range n {
		id := digest(fmt.Sprint(i))
		list = append(list, fmt.Sprintf("(x'%x', 1, %d, %d)", id[:], noon+int64(i/endedPage), noon+100))
	}
	require.NoError(t, db.write.Exec("INSERT INTO ended (id, issued_before, ended_at, expires_at) VALUES "+strings.Join(list, ",")).Error)
	seen, last := map[Digest]bool{}, int64(0)
	for _, e := range endedSince(t, db, 0, noon) {
		require.False(t, seen[e.ID])
		require.GreaterOrEqual(t, e.EndedAt, last)
		seen[e.ID], last = true, e.EndedAt
	}
	require.Len(t, seen, n)
}

// testSweepEnded: what has expired, in batches; what has not stays.
func testSweepEnded(t *testing.T, db *DB) {
	ctx := context.Background()
	for i := range 25 {
		require.NoError(t, db.End(ctx, ended(fmt.Sprint("old", i), noon-1000, noon-int64(i))))
	}
	require.NoError(t, db.End(ctx, ended("kept", noon-1000, noon+1)))
	for _, want := range []int{10, 10, 5, 0} {
		n, err := db.SweepEnded(ctx, noon, 10)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.Equal(t, []Ended{ended("kept", noon-1000, noon+1)}, endedSince(t, db, 0, noon))
}

// testEndedPlans: polls and sweeps find their rows by an index.
func testEndedPlans(t *testing.T, db *DB) {
	if db.read.Name() != "sqlite" {
		return // EXPLAIN QUERY PLAN is SQLite's
	}
	ctx := context.Background()
	require.NoError(t, db.End(ctx, ended("a", noon, noon)))
	s := record(t, db)
	require.NoError(t, db.End(ctx, ended("b", noon, noon+1)))
	endedSince(t, db, noon, noon)
	require.NoError(t, second(db.SweepEnded(ctx, noon, 10)))
	list := s.take()
	require.Len(t, list, 4)
	for _, query := range list {
		plan, err := db.pools[0].Query("EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
		require.NoError(t, err, query)
		for plan.Next() {
			var id, parent, unused int
			var detail string
			require.NoError(t, plan.Scan(&id, &parent, &unused, &detail))
			require.NotRegexp(t, `^SCAN ended`, detail, query)
			require.NotContains(t, detail, "TEMP B-TREE", query)
		}
		require.NoError(t, plan.Err())
		require.NoError(t, plan.Close())
	}
}
