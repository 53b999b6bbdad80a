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

// uploadUntil is the end of the uploads of UploadOf.
const uploadUntil = noon + 5000

// UploadOf returns the batch that begins a session's upload, with a STORE grant, within bounds that tests don't reach.
func UploadOf(session, token, tenant string) models.Batch {
	row := Row(token, tenant)
	row.Sealed, row.MasterKey, row.PurgeAt, row.UploadUntil = nil, 7, new(uploadUntil), uploadUntil+1000
	return models.Batch{
		Now: noon, Tokens: []models.Token{row}, Grants: []models.Grant{Grant(session, token, 0, noon+100)},
		Begin: &models.UploadStart{MaxSession: 100, MaxTenant: 1000, Upload: models.Upload{
			TokenID: row.ID, Tenant: tenant, SessionID: Hash(session), Object: row.Object, Sealed: []byte("sealed " + token), Size: -1, CreatedAt: noon, Until: uploadUntil,
		}},
	}
}

// Completed returns the batch that completes the upload.
func Completed(session, token string, now int64) models.Batch {
	return models.Batch{Now: now, Complete: &models.Completion{
		TokenID: Digest(token), Session: Hash(session), Size: 3, UploadUntil: noon + 200, Grant: Grant(session, token, noon+900, noon+900),
	}}
}

func begin(t *testing.T, db *Database, session, token string) {
	t.Helper()
	require.NoError(t, second(db.Write(context.Background(), UploadOf(session, token, "clinic"))))
	done, err := db.Write(context.Background(), models.Batch{Now: noon, Started: &models.StartedUpload{TokenID: Digest(token), StoreID: "id of " + token}})
	require.NoError(t, err)
	require.True(t, done.Started)
}

func uploadOf(t *testing.T, db *Database, session, token string, now int64) *models.Upload {
	t.Helper()
	u, err := db.Upload(context.Background(), "clinic", Hash(session), Digest(token), now)
	require.NoError(t, err)
	return u
}

// testUpload: a token is stored, and can't be read, while its upload is under way, whoever has grants; once it is completed,
// it can be read.
func testUpload(t *testing.T, db *Database) {
	ctx := context.Background()
	begin(t, db, "s", "a")
	require.Equal(t, &models.Upload{
		TokenID: Digest("a"), Tenant: "clinic", SessionID: Hash("s"), Object: "v/a", StoreID: "id of a", Sealed: []byte("sealed a"), Size: -1, CreatedAt: noon, Until: uploadUntil,
	}, uploadOf(t, db, "s", "a", noon))
	read, store, exists := Held(t, db, "clinic", "s", "a")
	require.True(t, exists, "the application can verify STORE, and create grants")
	require.Equal(t, [2]int64{0, noon + 100}, [2]int64{read, store})
	require.NoError(t, db.SaveGrants(ctx, []models.Grant{Grant("s", "a", noon+800, 0), Grant("other", "a", noon+800, 0)}))
	for _, session := range []string{"s", "other"} {
		require.Empty(t, Readable(t, db, "clinic", session, noon, "a"))
	}
	rows, err := db.Tokens(ctx, "clinic", Digests("a"), noon)
	require.NoError(t, err)
	require.Empty(t, rows)

	done, err := db.Write(ctx, Completed("s", "a", noon+1))
	require.NoError(t, err)
	require.True(t, done.Completed)
	for _, session := range []string{"s", "other"} {
		require.Equal(t, []string{"a"}, Readable(t, db, "clinic", session, noon, "a"))
	}
	rows, err = db.Tokens(ctx, "clinic", Digests("a"), noon)
	require.NoError(t, err)
	require.Equal(t, []models.Token{{ID: Digest("a"), Object: "v/a", Sealed: []byte("sealed a"), CreatedAt: noon}}, rows)
	require.Equal(t, int64(7), masterKeyOf(t, db, "a"))
	read, store, _ = Held(t, db, "clinic", "s", "a")
	require.Equal(t, [2]int64{noon + 900, noon + 900}, [2]int64{read, store})
	u := uploadOf(t, db, "s", "a", noon)
	require.Equal(t, [2]int64{noon + 1, 3}, [2]int64{u.CompletedAt, u.Size})
	require.Nil(t, u.Sealed)
	due, err := db.DueTokens(ctx, uploadUntil, 10)
	require.NoError(t, err)
	require.Empty(t, due, "a completed upload keeps its token")
}

// testUploadOnce: an upload is completed once, by its session, before its end.
func testUploadOnce(t *testing.T, db *Database) {
	ctx := context.Background()
	begin(t, db, "s", "a")
	for name, b := range map[string]models.Batch{
		"another session's": Completed("other", "a", noon), "unknown": Completed("s", "unknown", noon), "over": Completed("s", "a", uploadUntil),
	} {
		done, err := db.Write(ctx, b)
		require.NoError(t, err, name)
		require.Equal(t, models.Result{}, done, name)
		require.Empty(t, Readable(t, db, "clinic", "other", noon, "a"), name)
	}
	require.Nil(t, uploadOf(t, db, "other", "a", noon))
	require.Nil(t, uploadOf(t, db, "s", "unknown", noon))
	require.Nil(t, uploadOf(t, db, "s", "a", uploadUntil))
	u, err := db.Upload(ctx, "bank", Hash("s"), Digest("a"), noon)
	require.NoError(t, err)
	require.Nil(t, u)
	results := make([]models.Result, 8)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { results[i], _ = db.Write(ctx, Completed("s", "a", noon)) })
	}
	all.Wait()
	n := 0
	for _, done := range results {
		if done.Completed {
			n++
		}
	}
	require.Equal(t, 1, n)
	done, err := db.Write(ctx, models.Batch{Now: noon, Started: &models.StartedUpload{TokenID: Digest("a"), StoreID: "late"}})
	require.NoError(t, err)
	require.False(t, done.Started)
}

// testUploadEnds: whatever ends an upload destroys its envelope and its token, and makes both due.
func testUploadEnds(t *testing.T, db *Database) {
	ctx := context.Background()
	session := Hash("s")
	for name, end := range map[string]models.Batch{
		"abortion":                  {Abort: &models.AbortedUpload{Tenant: "clinic", Session: session, TokenID: Digest("abortion")}},
		"end of the session":        {Ended: []models.Ended{Ended("s", noon, noon+1000)}, Revoke: &models.Revocation{Tenant: "clinic", Session: &session}},
		"revocation on the token":   {Revoke: &models.Revocation{Tenant: "clinic", Tokens: Digests("revocation on the token")}},
		"revocation of one session": {Revoke: &models.Revocation{Tenant: "clinic", Session: &session, Tokens: Digests("revocation of one session"), Kinds: ids.Read | ids.Store}},
		"destruction":               {Destroy: &models.Destruction{Tenant: "clinic", Tokens: Digests("destruction")}},
	} {
		begin(t, db, "s", name)
		end.Now = noon + 10
		done, err := db.Write(ctx, end)
		require.NoError(t, err, name)
		require.Equal(t, []models.Upload{{TokenID: Digest(name), Object: "v/" + name, StoreID: "id of " + name}}, done.Ended, name)
		require.Nil(t, uploadOf(t, db, "s", name, noon), name)
		_, _, exists := Held(t, db, "clinic", "s", name)
		require.False(t, exists, name)
		done, err = db.Write(ctx, Completed("s", name, noon))
		require.NoError(t, err)
		require.False(t, done.Completed, name)
		done, err = db.Write(ctx, end)
		require.NoError(t, err)
		require.Empty(t, done.Ended, "%s: once", name)
		tokens, err := db.DueTokens(ctx, noon+10, 10)
		require.NoError(t, err)
		require.Equal(t, []string{name}, ObjectsOf(tokens))
		due, err := db.DueUploads(ctx, noon+10, 10)
		require.NoError(t, err)
		require.Equal(t, []models.Upload{{TokenID: Digest(name), Object: "v/" + name, StoreID: "id of " + name}}, due, name)
		require.Zero(t, sealedUploads(t, db))
		require.NoError(t, second(db.Write(ctx, models.Batch{Now: noon + 10, Forget: Digests(name)})))
		require.Zero(t, count(t, db, "uploads"))
		require.NoError(t, db.PurgeTokens(ctx, tokens, uploadUntil+1000))
		require.Zero(t, count(t, db, "tokens"))
	}
}

func sealedUploads(t *testing.T, db *Database) (n int) {
	t.Helper()
	require.NoError(t, db.SQL.Raw("SELECT count(*) FROM uploads WHERE sealed IS NOT NULL").Scan(&n).Error)
	return n
}

// testUploadGoesOn: what concerns others, or one kind of grants only, ends no upload.
func testUploadGoesOn(t *testing.T, db *Database) {
	ctx := context.Background()
	begin(t, db, "s", "a")
	s, other := Hash("s"), Hash("other")
	for name, b := range map[string]models.Batch{
		"READ only":       {Revoke: &models.Revocation{Tenant: "clinic", Session: &s, Kinds: ids.Read}},
		"STORE only":      {Revoke: &models.Revocation{Tenant: "clinic", Tokens: Digests("a"), Kinds: ids.Store}},
		"another session": {Revoke: &models.Revocation{Tenant: "clinic", Session: &other}}, "another token": {Revoke: &models.Revocation{Tenant: "clinic", Tokens: Digests("b")}},
		"no token": {Revoke: &models.Revocation{Tenant: "clinic", Session: &s, Tokens: []ids.Digest{}}}, "another tenant": {Revoke: &models.Revocation{Tenant: "bank", Tokens: Digests("a")}},
		"abortion by another session": {Abort: &models.AbortedUpload{Tenant: "clinic", Session: other, TokenID: Digest("a")}},
		"destruction by a tenant":     {Destroy: &models.Destruction{Tenant: "bank", Tokens: Digests("a")}},
		"purge":                       {Purge: Digests("a")}, "forgetting": {Forget: Digests("a")},
	} {
		b.Now = uploadUntil + 2000
		done, err := db.Write(ctx, b)
		require.NoError(t, err, name)
		require.Empty(t, done.Ended, name)
		require.NotNil(t, uploadOf(t, db, "s", "a", noon), name)
	}
	require.Equal(t, 1, count(t, db, "tokens"))
	for _, f := range []func() (int, error){
		func() (int, error) { due, err := db.DueTokens(ctx, uploadUntil-1, 10); return len(due), err },
		func() (int, error) { due, err := db.DueUploads(ctx, uploadUntil-1, 10); return len(due), err },
	} {
		n, err := f()
		require.NoError(t, err)
		require.Zero(t, n, "a value that has not come is spared until the upload's end")
	}
}

// testUploadMoves: an upload goes to another session with the grants.
func testUploadMoves(t *testing.T, db *Database) {
	begin(t, db, "visitor", "a")
	begin(t, db, "third", "b")
	require.NoError(t, second(db.MoveGrants(context.Background(), "clinic", Hash("visitor"), Hash("user"), noon)))
	require.Nil(t, uploadOf(t, db, "visitor", "a", noon))
	require.NotNil(t, uploadOf(t, db, "user", "a", noon))
	require.NotNil(t, uploadOf(t, db, "third", "b", noon))
	done, err := db.Write(context.Background(), Completed("user", "a", noon))
	require.NoError(t, err)
	require.True(t, done.Completed)
}

// testUploadBounds: a session and a tenant have a bounded number of uploads under way, also if they begin at once; the last places go
// to sessions without any.
func testUploadBounds(t *testing.T, db *Database) {
	ctx := context.Background()
	bounded := func(session, token, tenant string) error {
		b := UploadOf(session, token, tenant)
		b.Begin.MaxSession, b.Begin.MaxTenant = 3, 40
		return second(db.Write(ctx, b))
	}
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = bounded("s", fmt.Sprint("s", i), "clinic") })
	}
	all.Wait()
	began := 0
	for i, err := range errs {
		_, _, exists := Held(t, db, "clinic", "s", fmt.Sprint("s", i))
		if require.Equal(t, err == nil, exists, "a refused upload leaves no token"); err == nil {
			began++
		} else {
			require.ErrorIs(t, err, models.ErrUploads)
		}
	}
	require.Equal(t, 3, began)
	n, tenant, err := db.UploadsUnderWay(ctx, "clinic", Hash("s"), 40)
	require.NoError(t, err)
	require.Equal(t, [2]int{3, 3}, [2]int{n, tenant})
	_, tenant, err = db.UploadsUnderWay(ctx, "clinic", Hash("s"), 2)
	require.NoError(t, err)
	require.Equal(t, 2, tenant, "it stops counting")

	for i := 0; i < 37; i++ {
		require.NoError(t, bounded(fmt.Sprint("one", i), fmt.Sprint("one", i), "clinic"))
		if i == 25 { // 11 are free: a second one of a session is refused
			require.ErrorIs(t, bounded("one0", "second", "clinic"), models.ErrUploads)
		}
	}
	require.ErrorIs(t, bounded("last", "last", "clinic"), models.ErrUploads)
	require.NoError(t, bounded("s", "elsewhere", "bank"), "tenants do not share")

	session := Hash("one0")
	require.NoError(t, second(db.Write(ctx, models.Batch{Now: noon, Abort: &models.AbortedUpload{Tenant: "clinic", Session: session, TokenID: Digest("one0")}})))
	require.NoError(t, bounded("last", "last", "clinic"), "an ended upload frees its place")
}

// testDueUploads: expired uploads are due in batches, with their envelopes destroyed, those tried longest ago first.
func testDueUploads(t *testing.T, db *Database) {
	ctx := context.Background()
	for i := range 5 {
		begin(t, db, "s", fmt.Sprint(i))
	}
	first, err := db.DueUploads(ctx, uploadUntil+1, 3)
	require.NoError(t, err)
	require.Len(t, first, 3)
	second, err := db.DueUploads(ctx, uploadUntil+2, 3)
	require.NoError(t, err)
	require.Len(t, second, 3)
	seen := map[ids.Digest]bool{}
	for _, u := range append(first, second...) {
		seen[u.TokenID] = true
	}
	require.GreaterOrEqual(t, len(seen), 5, "those that were tried are behind the others")
	require.Zero(t, sealedUploads(t, db))
	tokens, err := db.DueTokens(ctx, uploadUntil, 10)
	require.NoError(t, err)
	require.Len(t, tokens, 5)
	all := make([]ids.Digest, 0, 5)
	for id := range seen {
		all = append(all, id)
	}
	_, err = db.Write(ctx, models.Batch{Now: uploadUntil + 2, Forget: all})
	require.NoError(t, err)
	require.Zero(t, count(t, db, "uploads"))
}
