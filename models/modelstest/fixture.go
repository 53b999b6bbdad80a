// Package modelstest is the test suite for the contract of models.Rows: Run checks each obligation against an engine.
// Properties of one engine (its files, its query plans, how it groups commits) are tested in the engine's package.
package modelstest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// Noon is the moment of most tests, Unix milliseconds.
const Noon = int64(1_777_888_800_000)

const noon = Noon

// many is a number of grants that an engine may store in another form than a few grants.
const many = 64

// Database is an engine's database, with a connection for what the contract can't do.
type Database struct {
	Writer
	SQL *gorm.DB // a separate connection, which may write
}

// Writer has methods for the batches that tests write most.
type Writer struct{ models.Rows }

// InsertTokens stores tokens, and the grants that come with them.
func (w Writer) InsertTokens(ctx context.Context, tokens []models.Token, grants []models.Grant) error {
	_, err := w.Write(ctx, models.Batch{Tokens: tokens, Grants: grants})
	return err
}

// SaveGrants creates and extends grants.
func (w Writer) SaveGrants(ctx context.Context, grants []models.Grant) error {
	_, err := w.Write(ctx, models.Batch{Grants: grants})
	return err
}

// RevokeGrants revokes grants that are in force at the moment now, and returns how many.
func (w Writer) RevokeGrants(ctx context.Context, tenant string, r models.Revocation, now int64) (int, error) {
	r.Tenant = tenant
	done, err := w.Write(ctx, models.Batch{Now: now, Revoke: &r})
	return done.Revoked, err
}

// MoveGrants moves grants, and returns how many were in force at the moment now.
func (w Writer) MoveGrants(ctx context.Context, tenant string, from, to ids.SessionHash, now int64) (int, error) {
	done, err := w.Write(ctx, models.Batch{Now: now, Move: &models.Move{Tenant: tenant, From: from, To: to}})
	return done.Moved, err
}

// DestroyTokens destroys keys.
func (w Writer) DestroyTokens(ctx context.Context, tenant string, tokens []ids.Digest, now int64) ([]models.Token, error) {
	done, err := w.Write(ctx, models.Batch{Now: now, Destroy: &models.Destruction{Tenant: tenant, Tokens: tokens}})
	return done.Destroyed, err
}

// PurgeTokens purges destroyed tokens.
func (w Writer) PurgeTokens(ctx context.Context, tokens []models.Token, now int64) error {
	purged := make([]ids.Digest, len(tokens))
	for i := range tokens {
		purged[i] = tokens[i].ID
	}
	_, err := w.Write(ctx, models.Batch{Now: now, Purge: purged})
	return err
}

// End writes a row of ended.
func (w Writer) End(ctx context.Context, e models.Ended) error {
	_, err := w.Write(ctx, models.Batch{Ended: []models.Ended{e}})
	return err
}

// EndSession writes a session's row of ended, revokes its grants, and returns how many were in force.
func (w Writer) EndSession(ctx context.Context, tenant string, e models.Ended) (int, error) {
	done, err := w.Write(ctx, models.Batch{Now: e.EndedAt, Ended: []models.Ended{e}, Revoke: &models.Revocation{Tenant: tenant, Session: &e.ID}})
	return done.Revoked, err
}

// ConsumeState uses one state, and reports whether this was the first use.
func (w Writer) ConsumeState(ctx context.Context, digest ids.Digest, expiresAt int64) (bool, error) {
	done, err := w.Write(ctx, models.Batch{Used: []models.UsedState{{Digest: digest, ExpiresAt: expiresAt}}})
	return err == nil && done.FirstUse[0], err
}

// Digest returns the digest of a token of this name.
func Digest(name string) ids.Digest { return sha256.Sum256([]byte(name)) }

// Digests returns the digest of each name.
func Digests(names ...string) []ids.Digest {
	out := make([]ids.Digest, len(names))
	for i, n := range names {
		out[i] = Digest(n)
	}
	return out
}

// Hash returns the hash of a session of this name.
func Hash(name string) ids.SessionHash { return ids.SessionHash(Digest(name)) }

// Row returns a token of this name.
func Row(name, tenant string) models.Token {
	return models.Token{
		ID: Digest(name), Tenant: tenant, Object: "v/" + name, Sealed: []byte("sealed " + name), CreatedAt: noon, UploadUntil: noon + 1000,
	}
}

// Expiring is Row for a token that ends at the moment.
func Expiring(name, tenant string, at int64) models.Token {
	t := Row(name, tenant)
	t.ExpiresAt, t.PurgeAt = &at, &at
	return t
}

// Grant returns a session's grants on a token.
func Grant(session, token string, read, store int64) models.Grant {
	return models.Grant{SessionID: Hash(session), TokenID: Digest(token), ReadUntil: read, StoreUntil: store, ExpiresAt: max(read, store)}
}

// GrantsOn returns grants that end together.
func GrantsOn(session string, read, store int64, names ...string) []models.Grant {
	grants := make([]models.Grant, len(names))
	for i, n := range names {
		grants[i] = Grant(session, n, read, store)
	}
	return grants
}

// ManyTokens returns n tokens of the tenant clinic, and their names.
func ManyTokens(prefix string, n int) (tokens []models.Token, names []string) {
	for i := range n {
		names = append(names, fmt.Sprint(prefix, i))
		tokens = append(tokens, Row(names[i], "clinic"))
	}
	return tokens, names
}

// Insert stores tokens and grants.
func Insert(t *testing.T, db models.Rows, tokens []models.Token, grants ...models.Grant) {
	t.Helper()
	require.NoError(t, Writer{db}.InsertTokens(context.Background(), tokens, grants))
}

// Readable returns the names of the tokens that a session may read.
func Readable(t *testing.T, db models.Rows, tenant, session string, now int64, names ...string) []string {
	t.Helper()
	rows, err := db.ReadableTokens(context.Background(), tenant, Hash(session), Digests(names...), now)
	require.NoError(t, err)
	return ObjectsOf(rows)
}

// ObjectsOf returns the names of tokens.
func ObjectsOf(rows []models.Token) []string {
	out := []string{}
	for _, r := range rows {
		out = append(out, strings.TrimPrefix(r.Object, "v/"))
	}
	return out
}

// Held returns a session's grants on a token: until when it may read and store.
func Held(t *testing.T, db models.Rows, tenant, session, token string) (read, store int64, exists bool) {
	t.Helper()
	rows, err := db.TokenGrants(context.Background(), tenant, Hash(session), Digests(token), noon)
	require.NoError(t, err)
	if len(rows) == 0 {
		return 0, 0, false
	}
	require.Len(t, rows, 1)
	require.Equal(t, Digest(token), rows[0].TokenID)
	return rows[0].ReadUntil, rows[0].StoreUntil, true
}

// EndedSince returns the rows of ended since a moment, in the order in which the engine returned them.
func EndedSince(t *testing.T, db models.Rows, since, now int64) (all []models.Ended) {
	t.Helper()
	require.NoError(t, db.EndedSince(context.Background(), since, now, func(e models.Ended) { all = append(all, e) }))
	return all
}

// Ended returns the end of a session of this name, for all of its credentials.
func Ended(name string, at, until int64) models.Ended {
	return models.Ended{ID: Hash(name), IssuedBefore: 1 << 62, EndedAt: at, ExpiresAt: until}
}

// RequireHeld checks a session's grants on tokens of the tenant clinic, read together and one by one.
func RequireHeld(t *testing.T, db models.Rows, session string, read, store int64, names ...string) {
	t.Helper()
	found, err := db.TokenGrants(context.Background(), "clinic", Hash(session), Digests(names...), noon)
	require.NoError(t, err)
	require.Len(t, found, len(names))
	for _, g := range found {
		require.Equal(t, [2]int64{read, store}, [2]int64{g.ReadUntil, g.StoreUntil})
	}
	for _, n := range []string{names[0], names[len(names)-1]} {
		r, s, exists := Held(t, db, "clinic", session, n)
		require.True(t, exists)
		require.Equal(t, [2]int64{read, store}, [2]int64{r, s})
		require.Equal(t, read > noon, len(Readable(t, db, "clinic", session, noon, n)) == 1)
	}
	want := 0
	if read > noon {
		want = len(names)
	}
	require.Len(t, Readable(t, db, "clinic", session, noon, names...), want)
}

func count(t *testing.T, db *Database, table string) (n int) {
	t.Helper()
	require.NoError(t, db.SQL.Raw("SELECT count(*) FROM "+table).Scan(&n).Error)
	return n
}

func second[T any](_ T, err error) error { return err }
