package modelstest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/models"
)

// RevokedSince returns the rows that tell of revocations, without their Seq, and the last Seq.
func RevokedSince(t *testing.T, db models.Rows, after int64) (rows []models.Revoked, last int64) {
	t.Helper()
	last = after
	require.NoError(t, db.RevokedSince(context.Background(), after, func(r models.Revoked) {
		require.Greater(t, r.Seq, last)
		last, r.Seq = r.Seq, 0
		rows = append(rows, r)
	}))
	return rows, last
}

// testRevoked: each batch that ends grants of READ in force is told of by one row for each of its parts, and others by none.
func testRevoked(t *testing.T, db *Database) {
	ctx := context.Background()
	s, from := Hash("s"), Hash("from")
	joined := func(names ...string) (b []byte) {
		for _, id := range Digests(names...) {
			b = append(b, id[:]...)
		}
		return b
	}
	Insert(t, db, []models.Token{Row("a", "clinic"), Row("b", "clinic"), Row("c", "clinic")},
		Grant("s", "a", noon+100, noon+100), Grant("s", "b", noon+100, 0), Grant("s2", "b", noon+100, 0), Grant("from", "a", noon+100, 0))
	last := int64(0)
	for _, step := range []struct {
		name string
		do   func() error
		want []models.Revoked
	}{
		{"STORE", func() error {
			return second(db.RevokeGrants(ctx, "clinic", models.Revocation{Session: &s, Kinds: ids.Store}, noon))
		}, nil},
		{"another tenant", func() error {
			return second(db.RevokeGrants(ctx, "bank", models.Revocation{Tokens: Digests("a")}, noon))
		}, nil},
		{"nothing in force", func() error {
			return second(db.RevokeGrants(ctx, "clinic", models.Revocation{Tokens: Digests("c")}, noon))
		}, nil},
		{"a session's token", func() error {
			return second(db.RevokeGrants(ctx, "clinic", models.Revocation{Session: &s, Tokens: Digests("a"), Kinds: ids.Read}, noon))
		}, []models.Revoked{{Tenant: "clinic", SessionID: &s, Tokens: joined("a"), RevokedAt: noon}}},
		{"tokens of all sessions", func() error {
			return second(db.RevokeGrants(ctx, "clinic", models.Revocation{Tokens: Digests("b", "c")}, noon))
		}, []models.Revoked{{Tenant: "clinic", Tokens: joined("b", "c"), RevokedAt: noon}}},
		{"a move", func() error { return second(db.MoveGrants(ctx, "clinic", from, s, noon)) }, []models.Revoked{{Tenant: "clinic", SessionID: &from, RevokedAt: noon}}},
		{"a session", func() error { return second(db.EndSession(ctx, "clinic", Ended("s", noon, noon+1))) }, []models.Revoked{{Tenant: "clinic", SessionID: &s, RevokedAt: noon}}},
		{"a deletion", func() error { return second(db.DestroyTokens(ctx, "clinic", Digests("a", "unknown"), noon)) }, []models.Revoked{{Tenant: "clinic", Tokens: joined("a"), RevokedAt: noon}}},
		{"a deletion again", func() error { return second(db.DestroyTokens(ctx, "clinic", Digests("a"), noon)) }, nil},
		{"a new grant", func() error { return db.SaveGrants(ctx, []models.Grant{Grant("s", "b", noon+100, 0)}) }, nil},
	} {
		require.NoError(t, step.do(), step.name)
		var rows []models.Revoked
		rows, last = RevokedSince(t, db, last)
		require.Equal(t, step.want, rows, step.name)
	}
	all, _ := RevokedSince(t, db, 0)
	require.Len(t, all, 5)
	require.Equal(t, Digests("b", "c"), all[1].TokenIDs())
}

// testRevokedOrder: a row that is committed later has a higher Seq, with concurrent writers, and after all rows were swept.
func testRevokedOrder(t *testing.T, db *Database) {
	ctx := context.Background()
	const n = 60 // more than an engine may read at once
	var tokens []models.Token
	var grants []models.Grant
	for i := range n {
		tokens, grants = append(tokens, Row(fmt.Sprint(i), "clinic")), append(grants, Grant("s", fmt.Sprint(i), noon+100, 0))
	}
	Insert(t, db, tokens, grants...)
	var writers sync.WaitGroup
	for i := range n {
		writers.Go(func() {
			_, err := db.RevokeGrants(ctx, "clinic", models.Revocation{Tokens: Digests(fmt.Sprint(i))}, noon)
			assert.NoError(t, err)
		})
	}
	written := make(chan struct{})
	go func() { writers.Wait(); close(written) }()
	seen, last := 0, int64(0)
	for done := false; !done; {
		select {
		case <-written:
			done = true
		default:
		}
		var rows []models.Revoked
		rows, last = RevokedSince(t, db, last)
		seen += len(rows)
	}
	require.Equal(t, n, seen, "none was committed behind a row that had been read")
	for _, want := range []int{50, 10, 0} {
		swept, err := db.SweepRevoked(ctx, noon, 50)
		require.NoError(t, err)
		require.Equal(t, want, swept)
	}
	require.NoError(t, db.SaveGrants(ctx, grants[:1]))
	require.NoError(t, second(db.RevokeGrants(ctx, "clinic", models.Revocation{Tokens: Digests("0")}, noon+1)))
	rows, _ := RevokedSince(t, db, last)
	require.Len(t, rows, 1, "a Seq is not used again")
	swept, err := db.SweepRevoked(ctx, noon, 50)
	require.NoError(t, err)
	require.Zero(t, swept, "a later row stays")
}
