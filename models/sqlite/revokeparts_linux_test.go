package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/disktest"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// many grants change several times as many pages as smallReserve has.
const (
	many         = 5000
	listed       = 1200 // grants of lists beside them
	smallDisk    = 24 << 20
	smallReserve = 3 << 19
)

func openSmall(t *testing.T, path string) *database {
	t.Helper()
	db := openWith(t, Options{Path: path, Reserve: smallReserve})
	require.NoError(t, db.KeepReserve(context.Background()))
	return db
}

// addGrants inserts rows of both kinds directly, without a request. Without a session or a token it is random.
func addGrants(t *testing.T, db *database, session, token string, until int64) {
	t.Helper()
	of := func(name string) string {
		if name == "" {
			return "randomblob(32)"
		}
		id := digest(name)
		return fmt.Sprintf("x'%x'", id[:])
	}
	for range many / 500 {
		require.NoError(t, db.write.Exec(fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO grants (session_id, token_id, read_until, store_until, expires_at) SELECT %s, %s, %d, %[3]d, %[3]d FROM n`,
			of(session), of(token), until)).Error)
	}
}

// addLists gives a session grants on n tokens, as lists.
func addLists(t *testing.T, db *database, session string, n int) {
	t.Helper()
	const each = 400
	for from := 0; from < n; from += each {
		var tokens []models.Token
		var grants []models.Grant
		for i := range each {
			name := fmt.Sprint("listed", from+i)
			tokens = append(tokens, row(name, "clinic"))
			grants = append(grants, grant(session, name, noon+1000, noon+1000))
		}
		insert(t, db, tokens)
		require.NoError(t, db.SaveGrants(context.Background(), grants))
	}
}

// fill fills a disk, and checks that a filter's grants don't fit one transaction.
func fill(t *testing.T, db *database, dir string, f models.Revocation) {
	t.Helper()
	f.Tenant = "clinic"
	disktest.Fill(t, dir)
	require.ErrorIs(t, fillUp(db, 10_000), models.ErrFull)
	_, err := db.revokeAtOnce(context.Background(), revocation{f, noon}, candidates{})
	require.True(t, isFull(err), "%v", err)
}

// killed opens a copy of the database as a kill would leave it.
func killed(t *testing.T, path string) *database {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "rows.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(copied+suffix, b, 0o600))
	}
	return openFile(t, copied)
}

// TestALargeSessionEndsOnAFullDisk: a session with more grants than fit one transaction ends, also if a kill follows.
func TestALargeSessionEndsOnAFullDisk(t *testing.T) {
	t.Parallel()
	for name, until := range map[string]int64{"grants of the usual life": noon + 1000, "grants that expire after the end's row": noon + 5000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disktest.On(t, smallDisk, func(t *testing.T, dir string) {
				path := filepath.Join(dir, "rows.db")
				db := openSmall(t, path)
				addLists(t, db, "s", listed)
				addGrants(t, db, "s", "", until)
				id := hash("s")
				fill(t, db, dir, models.Revocation{Session: &id})

				revoked, err := db.EndSession(context.Background(), "clinic", ended("s", noon, noon+1001))
				require.NoError(t, err)
				require.Equal(t, 2*(many+listed), revoked)
				for _, db := range []*database{db, killed(t, path)} {
					require.Equal(t, []models.Ended{ended("s", noon, max(noon+1000, until)+1)}, endedSince(t, db, 0, noon))
					require.Zero(t, count(t, db, "grants"))
					require.Zero(t, count(t, db, "grant_lists"))
				}
			})
		})
	}
}

// TestASessionEndsThoughItsGrantsStay: if its grants can't be removed, it still ends, and the row expires after them.
func TestASessionEndsThoughItsGrantsStay(t *testing.T) {
	t.Parallel()
	disktest.On(t, smallDisk, func(t *testing.T, dir string) {
		path := filepath.Join(dir, "rows.db")
		db := openSmall(t, path)
		addLists(t, db, "s", 1000)
		insert(t, db, nil, grant("s", "listed1", noon+7000, 0))
		require.NoError(t, db.write.Exec(`CREATE TRIGGER stay BEFORE DELETE ON grants BEGIN SELECT RAISE(ABORT, 'stay'); END`).Error)
		disktest.Fill(t, dir)
		require.ErrorIs(t, fillUp(db, 10_000), models.ErrFull)
		_, err := db.EndSession(context.Background(), "clinic", ended("s", noon, noon+10))
		require.NoError(t, err)
		for _, db := range []*database{db, killed(t, path)} {
			require.Equal(t, []models.Ended{ended("s", noon, noon+7001)}, endedSince(t, db, 0, noon))
			require.NotZero(t, count(t, db, "grants"))
		}
	})
}

// TestManyGrantsAreRevokedOnAFullDisk: all matching grants are revoked, in parts, and no others.
func TestManyGrantsAreRevokedOnAFullDisk(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := hash("s")
	const some = listed / 4 * 3
	names := make([]string, some)
	for i := range names {
		names[i] = fmt.Sprint("listed", i)
	}
	for name, c := range map[string]struct {
		session, token string // of the rows
		f              models.Revocation
		want           int // revoked
		stay           int // others
	}{
		"of a session":            {"s", "", models.Revocation{Session: &s}, 2 * (many + listed), 0},
		"on a token":              {"", "t", models.Revocation{Tokens: digests("t")}, 2 * many, listed},
		"on tokens, of lists too": {"", "t", models.Revocation{Tokens: digests(slices.Concat(names, []string{"t"})...)}, 2 * (many + some), listed - some},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disktest.On(t, smallDisk, func(t *testing.T, dir string) {
				db := openSmall(t, filepath.Join(dir, "rows.db"))
				insert(t, db, []models.Token{row("t", "clinic"), row("u", "clinic")}, grant("other", "u", noon+1000, noon+1000))
				addLists(t, db, "s", listed)
				addGrants(t, db, c.session, c.token, noon+1000)
				fill(t, db, dir, c.f)

				revoked, err := db.RevokeGrants(ctx, "clinic", c.f, noon)
				require.NoError(t, err)
				require.Equal(t, c.want, revoked)
				var told []models.Revoked
				require.NoError(t, db.RevokedSince(ctx, 0, func(r models.Revoked) { r.Seq = 0; told = append(told, r) }))
				require.Equal(t, []models.Revoked{{Tenant: "clinic", SessionID: c.f.Session, RevokedAt: noon}}, told, "without the tokens, so that it is small")
				again, err := db.RevokeGrants(ctx, "clinic", c.f, noon)
				require.NoError(t, err)
				require.Zero(t, again)
				require.Equal(t, []string{"u"}, readable(t, db, "clinic", "other", noon, "u"))
				require.Equal(t, 1+c.stay, countGrants(t, db))
			})
		})
	}
}

// countGrants counts grants, of rows and lists.
func countGrants(t *testing.T, db *database) int {
	t.Helper()
	n := 0
	require.NoError(t, db.read.Raw("SELECT COALESCE(SUM(length(tokens)), 0) / 32 FROM grant_lists").Scan(&n).Error)
	return n + count(t, db, "grants")
}

// TestPartsRevokeTheSameAsOneTransaction: parts revoke and count the same grants as one transaction, whatever the kinds.
func TestPartsRevokeTheSameAsOneTransaction(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := hash("s")
	var some []string
	for i := range 300 {
		some = append(some, fmt.Sprint("listed", 2*i))
	}
	filters := map[string]models.Revocation{
		"a session": {Session: &s}, "tokens": {Tokens: digests(some...)}, "a session's tokens": {Session: &s, Tokens: digests(some...)},
		"of another tenant's and none": {Tokens: digests("foreign", "nothing")},
	}
	for name, f := range filters {
		for _, kinds := range []ids.Kind{ids.Read, ids.Store, ids.Read | ids.Store} {
			t.Run(fmt.Sprintf("%s %d", name, kinds), func(t *testing.T) {
				t.Parallel()
				f := f
				f.Tenant = "clinic"
				f.Kinds = kinds % (ids.Read | ids.Store)
				var counts, stay [2]int
				var left [2][]models.TokenGrant
				for i, revoke := range []func(*database) (int, error){
					func(db *database) (int, error) { return db.RevokeGrants(ctx, "clinic", f, noon) },
					func(db *database) (int, error) {
						return db.revokeInParts(ctx, revocation{f, noon}, mustFindLists(t, db, f))
					},
				} {
					db := openFile(t, filepath.Join(t.TempDir(), "rows.db"))
					addLists(t, db, "s", 400)
					insert(t, db, []models.Token{row("foreign", "bank")}, grant("s", "foreign", noon+9, noon+9), grant("s", "listed0", noon+2000, 0), grant("s2", "listed2", noon+9, 0))
					require.NoError(t, db.SaveGrants(ctx, []models.Grant{grant("s3", "listed4", noon+9, noon-1), grant("s", "listed6", noon-9, noon-9)}))
					var err error
					counts[i], err = revoke(db)
					require.NoError(t, err)
					again, err := revoke(db)
					require.NoError(t, err)
					require.Zero(t, again)
					stay[i] = countGrants(t, db)
					left[i], err = db.TokenGrants(ctx, "clinic", s, digests(some...), noon)
					require.NoError(t, err)
				}
				require.Equal(t, counts[0], counts[1])
				require.Equal(t, stay[0], stay[1])
				require.ElementsMatch(t, left[0], left[1])
			})
		}
	}
}

// mustFindLists finds the same lists as RevokeGrants.
func mustFindLists(t *testing.T, db *database, f models.Revocation) (found candidates) {
	t.Helper()
	if f.Session == nil {
		var err error
		found, err = db.findLists(context.Background(), f.Tokens)
		require.NoError(t, err)
	}
	return found
}

// TestATokenWithManyGrantsIsDestroyedOnAFullDisk: its key is destroyed, and its grants open nothing.
func TestATokenWithManyGrantsIsDestroyedOnAFullDisk(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, destroy := range map[string]func(*database) ([]models.Token, error){
		"by a deletion": func(db *database) ([]models.Token, error) { return db.DestroyTokens(ctx, "clinic", digests("t"), noon) },
		"by the sweep":  func(db *database) ([]models.Token, error) { return db.DueTokens(ctx, noon, 500) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disktest.On(t, smallDisk, func(t *testing.T, dir string) {
				db := openSmall(t, filepath.Join(dir, "rows.db"))
				due := row("t", "clinic")
				due.PurgeAt = new(noon)
				insert(t, db, []models.Token{due}, grant("s", "t", noon+1000, noon+1000))
				addGrants(t, db, "", "t", noon+1000)
				fill(t, db, dir, models.Revocation{Tokens: digests("t")})
				gone, err := destroy(db)
				require.NoError(t, err)
				require.Len(t, gone, 1)
				require.Empty(t, readable(t, db, "clinic", "s", noon, "t"))
				require.Equal(t, 1, count(t, db, "tokens WHERE sealed IS NULL"))
			})
		})
	}
}
