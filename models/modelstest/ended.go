package modelstest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// testEndSession: the session's grants are revoked, and no others; only the first end counts them.
func testEndSession(t *testing.T, db *Database) {
	ctx := context.Background()
	Insert(t, db, []models.Token{Row("a", "clinic"), Row("b", "clinic")},
		Grant("s1", "a", noon+100, noon+100), Grant("s1", "b", noon+100, noon), Grant("s2", "a", noon+100, 0))
	e := Ended("s1", noon, noon+1000)
	n, err := db.EndSession(ctx, "clinic", e)
	require.NoError(t, err)
	require.Equal(t, 3, n, "grants that were in force, each kind")
	require.Empty(t, Readable(t, db, "clinic", "s1", noon, "a", "b"))
	require.Equal(t, []string{"a"}, Readable(t, db, "clinic", "s2", noon, "a", "b"))
	require.Equal(t, []models.Ended{e}, EndedSince(t, db, 0, noon))
	n, err = db.EndSession(ctx, "clinic", e)
	require.NoError(t, err)
	require.Zero(t, n)
	require.Equal(t, 1, count(t, db, "ended"))
}

// testEndSessionIsWhole: if the grants can't be revoked, the session does not end either.
func testEndSessionIsWhole(t *testing.T, db *Database) {
	Insert(t, db, []models.Token{Row("a", "clinic")}, Grant("s1", "a", noon+100, 0))
	require.NoError(t, db.SQL.Exec("ALTER TABLE grants RENAME TO elsewhere").Error)
	n, err := db.EndSession(context.Background(), "clinic", Ended("s1", noon, noon+1000))
	require.Error(t, err)
	require.Zero(t, n)
	require.NoError(t, db.SQL.Exec("ALTER TABLE elsewhere RENAME TO grants").Error)
	require.Zero(t, count(t, db, "ended"))
	require.Equal(t, []string{"a"}, Readable(t, db, "clinic", "s1", noon, "a"))
}

// testEndedSince: rows from the moment itself on, whatever the order of the commits, without expired ones.
func testEndedSince(t *testing.T, db *Database) {
	ctx := context.Background()
	for _, e := range []models.Ended{Ended("c", noon+2, noon+100), Ended("a", noon, noon+100), Ended("over", noon+1, noon+50), Ended("b", noon+1, noon+51)} {
		require.NoError(t, db.End(ctx, e))
	}
	names := func(list []models.Ended) (s string) {
		for _, e := range list {
			for _, name := range []string{"a", "b", "c", "over"} {
				if e.ID == Hash(name) {
					s += name + " "
				}
			}
		}
		return strings.TrimSpace(s)
	}
	for since, want := range map[int64]string{0: "a b c", noon: "a b c", noon + 1: "b c", noon + 2: "c", noon + 3: ""} {
		require.Equal(t, want, names(EndedSince(t, db, since, noon+50)))
	}
	require.Len(t, EndedSince(t, db, 0, noon+49), 4)
	require.Empty(t, EndedSince(t, db, 0, noon+100))
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, db.EndedSince(cancelled, 0, noon, func(models.Ended) { t.Error("called") }), context.Canceled)
}

// testEndedStays: a second end can only raise the moments of the first, and is returned as new.
func testEndedStays(t *testing.T, db *Database) {
	ctx := context.Background()
	id := Hash("subject")
	note := func(issuedBefore, endedAt, expiresAt int64) models.Ended {
		return models.Ended{ID: id, IssuedBefore: issuedBefore, EndedAt: endedAt, ExpiresAt: expiresAt}
	}
	for _, step := range []struct{ note, want models.Ended }{
		{note(10, noon, noon+10), note(10, noon, noon+10)},
		{note(5, noon+1, noon+5), note(10, noon+1, noon+10)},
		{note(20, noon-1, noon+20), note(20, noon+1, noon+20)},
	} {
		require.NoError(t, db.End(ctx, step.note))
		require.Equal(t, []models.Ended{step.want}, EndedSince(t, db, 0, noon))
	}
}

// testEndedPages: more rows than one statement returns, many with the same moment, are each returned once.
func testEndedPages(t *testing.T, db *Database) {
	const n, page = 10_010, 5000 // more than an engine may read at once
	var list []string
	for i := range n {
		id := Digest(fmt.Sprint(i))
		list = append(list, fmt.Sprintf("(x'%x', 1, %d, %d)", id[:], noon+int64(i/page), noon+100))
	}
	require.NoError(t, db.SQL.Exec("INSERT INTO ended (id, issued_before, ended_at, expires_at) VALUES "+strings.Join(list, ",")).Error)
	seen, last := map[ids.SessionHash]bool{}, int64(0)
	for _, e := range EndedSince(t, db, 0, noon) {
		require.False(t, seen[e.ID])
		require.GreaterOrEqual(t, e.EndedAt, last)
		seen[e.ID], last = true, e.EndedAt
	}
	require.Len(t, seen, n)
}

// testSweepEnded: expired rows are removed in batches; the others stay.
func testSweepEnded(t *testing.T, db *Database) {
	ctx := context.Background()
	for i := range 25 {
		require.NoError(t, db.End(ctx, Ended(fmt.Sprint("old", i), noon-1000, noon-int64(i))))
	}
	require.NoError(t, db.End(ctx, Ended("kept", noon-1000, noon+1)))
	for _, want := range []int{10, 10, 5, 0} {
		n, err := db.SweepEnded(ctx, noon, 10)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.Equal(t, []models.Ended{Ended("kept", noon-1000, noon+1)}, EndedSince(t, db, 0, noon))
}
