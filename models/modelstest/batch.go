package modelstest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// everyPart returns a batch with every part that an engine without events carries out.
func everyPart() models.Batch {
	from := Hash("revoked")
	upload := UploadOf("s", "uploading", "clinic")
	return models.Batch{
		Now: noon, Tokens: []models.Token{Row("new", "clinic"), upload.Tokens[0]}, Grants: []models.Grant{Grant("s", "new", noon+100, 0)},
		Begin: upload.Begin, Started: &models.StartedUpload{TokenID: Digest("started"), StoreID: "id"}, Complete: Completed("s", "completing", noon).Complete,
		Move: &models.Move{Tenant: "clinic", From: Hash("old"), To: Hash("young")}, Used: []models.UsedState{{Digest: Digest("state"), ExpiresAt: noon + 1}},
		Ended: []models.Ended{Ended("login", noon, noon+1000)}, Revoke: &models.Revocation{Tenant: "clinic", Session: &from},
		Destroy: &models.Destruction{Tenant: "clinic", Tokens: Digests("b")}, Purge: Digests("gone"),
		Abort: &models.AbortedUpload{Tenant: "clinic", Session: Hash("s"), TokenID: Digest("aborting")}, Forget: Digests("over"),
	}
}

func prepare(t *testing.T, db *Database) {
	t.Helper()
	gone := Row("gone", "clinic")
	gone.UploadUntil = noon
	Insert(t, db, []models.Token{Row("a", "clinic"), Row("b", "clinic"), gone}, Grant("old", "a", noon+100, 0), Grant("revoked", "a", noon+100, noon+100))
	for _, name := range []string{"started", "completing", "aborting", "over"} {
		require.NoError(t, second(db.Write(context.Background(), UploadOf("s", name, "clinic"))))
	}
	require.NoError(t, second(db.DestroyTokens(context.Background(), "clinic", Digests("gone", "over"), noon)))
}

// testBatchIsWhole: all parts of a batch are committed, or none if one of them fails.
func testBatchIsWhole(t *testing.T, db *Database) {
	prepare(t, db)
	for _, table := range []string{"tokens", "grants", "uploads", "ended", "sign_in_states"} {
		require.NoError(t, db.SQL.Exec("ALTER TABLE "+table+" RENAME TO elsewhere").Error)
		done, err := db.Write(context.Background(), everyPart())
		require.Error(t, err, table)
		require.Equal(t, models.Result{}, done)
		require.NoError(t, db.SQL.Exec("ALTER TABLE elsewhere RENAME TO "+table).Error)
		require.Equal(t, 7, count(t, db, "tokens"))
		require.Equal(t, 5, count(t, db, "grants"))
		require.Equal(t, 4, count(t, db, "uploads"))
		require.Zero(t, count(t, db, "ended"))
		require.Zero(t, count(t, db, "sign_in_states"))
	}
	taken := everyPart()
	taken.Tokens = append(taken.Tokens, Row("a", "clinic"))
	require.Error(t, second(db.Write(context.Background(), taken)), "an ID that exists")
	require.Equal(t, 7, count(t, db, "tokens"))

	done, err := db.Write(context.Background(), everyPart())
	require.NoError(t, err)
	require.Equal(t, models.Result{
		Started: true, Completed: true, Moved: 1, Revoked: 2, FirstUse: []bool{true},
		Destroyed: []models.Token{{ID: Digest("b"), Object: "v/b", UploadUntil: noon + 1000}, {ID: Digest("aborting"), Object: "v/aborting", UploadUntil: uploadUntil + 1000}},
		Ended:     []models.Upload{{TokenID: Digest("aborting"), Object: "v/aborting"}},
	}, done)
	require.Equal(t, []string{"a"}, Readable(t, db, "clinic", "young", noon, "a", "b", "gone"))
	require.Empty(t, Readable(t, db, "clinic", "revoked", noon, "a"))
	require.ElementsMatch(t, []string{"new", "completing"}, Readable(t, db, "clinic", "s", noon, "new", "uploading", "completing"))
	require.Equal(t, 8, count(t, db, "tokens"), "two were inserted, one purged")
	require.Equal(t, 4, count(t, db, "uploads"), "one was inserted, one forgotten")
	require.Len(t, EndedSince(t, db, 0, noon), 1)
}

// testBatchOrder: parts are applied in the order of the fields.
func testBatchOrder(t *testing.T, db *Database) {
	s := Hash("s")
	done, err := db.Write(context.Background(), models.Batch{
		Now: noon, Tokens: []models.Token{Row("a", "clinic")}, Grants: []models.Grant{Grant("s", "a", noon+100, 0)},
		Revoke: &models.Revocation{Tenant: "clinic", Session: &s}, Destroy: &models.Destruction{Tenant: "clinic", Tokens: Digests("a")},
	})
	require.NoError(t, err)
	require.Equal(t, 1, done.Revoked)
	require.Len(t, done.Destroyed, 1)
}

func testEmptyBatches(t *testing.T, db *Database) {
	s := Hash("s")
	for name, b := range map[string]models.Batch{
		"an empty batch": {}, "no tokens to revoke on": {Revoke: &models.Revocation{Tenant: "clinic", Session: &s, Tokens: []ids.Digest{}}},
		"nothing to destroy": {Destroy: &models.Destruction{Tenant: "clinic"}}, "to itself": {Move: &models.Move{Tenant: "clinic", From: s, To: s}},
	} {
		done, err := db.Write(context.Background(), b)
		require.NoError(t, err, name)
		require.Equal(t, models.Result{}, done, name)
	}
	require.ErrorIs(t, second(db.Write(context.Background(), models.Batch{Revoke: &models.Revocation{Tenant: "clinic", Kinds: ids.Read}})), models.ErrNoFilter)
}

// testEvents: an engine keeps events, or refuses the whole batch; none is dropped.
func testEvents(t *testing.T, db *Database) {
	b := models.Batch{Tokens: []models.Token{Row("a", "clinic")}, Events: []models.Event{{At: noon, Body: []byte("made")}}}
	require.ErrorIs(t, second(db.Write(context.Background(), b)), models.ErrNoEvents)
	require.Zero(t, count(t, db, "tokens"))
}

// testGroups: concurrent batches of every kind are carried out, and a batch that fails fails alone.
func testGroups(t *testing.T, db *Database) {
	ctx := context.Background()
	const n = 24
	for i := range n {
		name := fmt.Sprint(i)
		Insert(t, db, []models.Token{Row(name, "clinic"), Row("x"+name, "clinic")}, Grant("s"+name, name, noon+100, noon+100), Grant("s"+name, "x"+name, noon+100, 0))
	}
	var all sync.WaitGroup
	results, errs := make([]models.Result, 4*n), make([]error, 4*n)
	for i := range n {
		name := fmt.Sprint(i)
		session := Hash("s" + name)
		for j, b := range []models.Batch{
			{Now: noon, Destroy: &models.Destruction{Tenant: "clinic", Tokens: Digests("x" + name)}},
			{Now: noon, Ended: []models.Ended{Ended("s"+name, noon, noon+1000)}, Revoke: &models.Revocation{Tenant: "clinic", Session: &session, Tokens: Digests(name)}},
			{Tokens: []models.Token{Row("new"+name, "clinic")}, Grants: []models.Grant{Grant("fresh", "new"+name, noon+100, 0)}},
			{Tokens: []models.Token{Row("late"+name, "clinic"), Row(name, "bank")}},
		} {
			all.Go(func() { results[4*i+j], errs[4*i+j] = db.Write(ctx, b) })
		}
	}
	all.Wait()
	for i := range n {
		name := fmt.Sprint(i)
		require.NoError(t, errs[4*i])
		require.Equal(t, []string{"x" + name}, ObjectsOf(results[4*i].Destroyed))
		require.NoError(t, errs[4*i+1])
		require.Equal(t, 2, results[4*i+1].Revoked)
		require.NoError(t, errs[4*i+2])
		require.Equal(t, []string{"new" + name}, Readable(t, db, "clinic", "fresh", noon, "new"+name))
		require.Error(t, errs[4*i+3])
	}
	require.Equal(t, 3*n, count(t, db, "tokens"), "nothing of those that failed is stored")
	require.Equal(t, n, count(t, db, "ended"))
}

func testCancel(t *testing.T, db *Database) {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	s := Hash("s")
	for name, err := range map[string]error{
		"Write": db.InsertTokens(gone, []models.Token{Row("a", "clinic")}, nil), "Tokens": second(db.Tokens(gone, "clinic", Digests("a"), noon)),
		"TokenGrants": second(db.TokenGrants(gone, "clinic", s, Digests("a"), noon)), "ReadableTokens": second(db.ReadableTokens(gone, "clinic", s, Digests("a"), noon)),
		"SweepGrants": second(db.SweepGrants(gone, noon, 1)), "Setting": second(db.Setting(gone, "x", []byte("x"))), "an empty batch": second(db.Write(gone, models.Batch{})),
	} {
		require.ErrorIs(t, err, context.Canceled, name)
	}
	require.Zero(t, count(t, db, "tokens"))
}

func testClose(t *testing.T, db *Database) {
	ctx := context.Background()
	s := Hash("s")
	require.NoError(t, db.Close())
	require.NoError(t, db.Close(), "twice")
	writes := map[string]models.Batch{
		"tokens": {Tokens: []models.Token{Row("b", "clinic")}}, "grants": {Grants: []models.Grant{Grant("s", "a", noon+1, 0)}}, "purge": {Purge: Digests("a")},
		"revocation": {Revoke: &models.Revocation{Tenant: "clinic", Session: &s}}, "destruction": {Destroy: &models.Destruction{Tenant: "clinic", Tokens: Digests("a")}},
		"move": {Move: &models.Move{Tenant: "clinic", From: s, To: Hash("other")}}, "used": {Used: []models.UsedState{{Digest: Digest("a")}}}, "ended": {Ended: []models.Ended{Ended("s", noon, noon)}},
		"upload": UploadOf("s", "u", "clinic"), "started": {Started: &models.StartedUpload{}}, "completion": Completed("s", "u", noon), "abortion": {Abort: &models.AbortedUpload{}}, "forget": {Forget: Digests("u")},
	}
	for name, b := range writes {
		require.ErrorIs(t, second(db.Write(ctx, b)), models.ErrClosed, name)
	}
	require.ErrorIs(t, second(db.SweepGrants(ctx, noon, 1)), models.ErrClosed)
	require.ErrorIs(t, second(db.Setting(ctx, "x", []byte("x"))), models.ErrClosed)
	for name, err := range map[string]error{
		"DueTokens": second(db.DueTokens(ctx, noon, 1)), "DueUploads": second(db.DueUploads(ctx, noon, 1)), "Upload": second(db.Upload(ctx, "clinic", s, Digest("a"), noon)), "Ready": db.Ready(ctx), "Tokens": second(db.Tokens(ctx, "clinic", Digests("a"), noon)),
		"TokenGrants": second(db.TokenGrants(ctx, "clinic", s, Digests("a"), noon)), "ReadableTokens": second(db.ReadableTokens(ctx, "clinic", s, Digests("a"), noon)),
	} {
		require.Error(t, err, name)
	}
}
