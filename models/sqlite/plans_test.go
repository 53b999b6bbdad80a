package sqlite

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
	"github.com/cloakroomhq/cloakroom/models/modelstest"
)

// TestNumberOfStatements: a read is one statement, whatever the number of tokens. A write is one statement for each row, which has
// no statement journal (insert.go); all grants that become lists are one statement.
func TestNumberOfStatements(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	ctx := context.Background()
	s := record(t, db)
	session := hash("s")
	for _, n := range []int{1, 63, 1000} {
		ids, tokens, grants := make([]ids.Digest, n), make([]models.Token, n), make([]models.Grant, n)
		for i := range ids {
			name := fmt.Sprint(n, "-", i)
			ids[i], tokens[i], grants[i] = digest(name), row(name, "clinic"), grant("s", name, noon+100, noon+100)
		}
		var gone []models.Token
		listed, saved := 0, n
		if n >= minList {
			listed, saved = 1, 2
		}
		for _, step := range []struct {
			name string
			want int
			do   func() error
		}{
			{"InsertTokens", 2 * n, func() error { return db.InsertTokens(ctx, tokens, grants) }},
			{"SaveGrants", saved, func() error { return db.SaveGrants(ctx, grants) }},
			{"ReadableTokens", 1, func() error { return second(db.ReadableTokens(ctx, "clinic", session, ids, noon)) }},
			{"Tokens", 1, func() error { return second(db.Tokens(ctx, "clinic", ids, noon)) }},
			{"TokenGrants", 1, func() error { return second(db.TokenGrants(ctx, "clinic", session, ids, noon)) }},
			{"RevokeGrants", 6 + 2*listed, func() error { return second(db.RevokeGrants(ctx, "clinic", models.Revocation{Tokens: ids}, noon)) }},
			{"DestroyTokens", 4, func() (err error) { gone, err = db.DestroyTokens(ctx, "clinic", ids, noon); return err }},
			{"PurgeTokens", 2, func() error { return db.PurgeTokens(ctx, gone, noon+9999) }},
		} {
			s.take()
			require.NoError(t, step.do())
			require.Len(t, s.take(), step.want, "%s of %d", step.name, n)
		}
	}
}

// TestStatementsUseIndexes: every statement finds its rows by a key or an index.
func TestStatementsUseIndexes(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	if db.read.Name() != "sqlite" {
		return // EXPLAIN QUERY PLAN is SQLite's
	}
	ctx := context.Background()
	s := record(t, db)
	session := hash("s")
	insert(t, db, []models.Token{row("a", "clinic"), expiring("old", "clinic", noon)}, grant("s", "a", noon+100, 0), grant("s", "old", noon, 0))
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
	require.NoError(t, second(db.MoveGrants(ctx, "clinic", session, hash("s2"), noon)))
	require.NoError(t, second(db.MoveGrants(ctx, "clinic", hash("s2"), session, noon)))
	require.NoError(t, second(db.RevokeGrants(ctx, "clinic", models.Revocation{Tokens: digests(names[0])}, noon)))
	for _, f := range []models.Revocation{{Session: &session}, {Tokens: digests("a")}, {Session: &session, Tokens: digests("a"), Kinds: ids.Read}} {
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
	require.NoError(t, second(db.Write(ctx, modelstest.UploadOf("s", "u", "clinic"))))
	require.NoError(t, second(db.Write(ctx, models.Batch{Now: noon, Started: &models.StartedUpload{TokenID: digest("u")}})))
	require.NoError(t, second(db.Upload(ctx, "clinic", session, digest("u"), noon)))
	_, _, _ = db.UploadsUnderWay(ctx, "clinic", session, 10)
	require.NoError(t, second(db.Write(ctx, modelstest.Completed("s", "u", noon))))
	require.NoError(t, second(db.DestroyTokens(ctx, "clinic", digests("u"), noon)))
	require.NoError(t, second(db.DueUploads(ctx, noon, 10)))
	require.NoError(t, second(db.Write(ctx, models.Batch{Now: noon, Forget: digests("u")})))
	list := s.take()
	require.GreaterOrEqual(t, len(list), 30)
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
			require.NotRegexp(t, `^SCAN (tokens|grants|grant_lists|uploads|settings|sign_in_states|[tgl])\b`, detail, query)
			require.NotContains(t, detail, "AUTOMATIC", query)
			require.NotContains(t, detail, "TEMP B-TREE", query)
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
		if strings.Contains(query, "t.sealed, ") && strings.Contains(query, "grants g") {
			require.Equal(t, "glt", searched, "the grant comes before the token, otherwise the duration reveals which tokens exist: %s", query)
			ordered++
		}
	}
	require.Equal(t, 2, ordered)
}

// TestStatementsOnEndedUseIndexes: polls and sweeps find their rows by an index.
func TestStatementsOnEndedUseIndexes(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
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
	require.Len(t, list, 3)
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
