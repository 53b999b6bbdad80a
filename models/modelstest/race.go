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

// testListRace: while grants are created, moved and read, nothing undoes a revocation that has returned, except grants
// created after it began.
func testListRace(t *testing.T, db *Database) {
	ctx := context.Background()
	tokens, names := ManyTokens("t", 2*many)
	Insert(t, db, tokens)
	tokenIDs := Digests(names...)
	var all sync.WaitGroup
	for w := range 3 {
		all.Go(func() {
			for i := range 15 {
				from := (w*15 + i) % many
				assert.NoError(t, db.SaveGrants(ctx, GrantsOn(fmt.Sprint("s", w), noon+100+int64(i), noon+100, names[from:from+many]...)))
			}
		})
	}
	all.Go(func() {
		for i := range 30 {
			assert.NoError(t, second(db.MoveGrants(ctx, "clinic", Hash(fmt.Sprint("s", i%3)), Hash(fmt.Sprint("s", (i+1)%3)), noon)))
		}
	})
	all.Go(func() {
		for i := range 30 {
			assert.NoError(t, second(db.RevokeGrants(ctx, "clinic", models.Revocation{Tokens: tokenIDs[i : i+5], Kinds: ids.Kind(i % 4)}, noon)))
			assert.NoError(t, second(db.SweepGrants(ctx, noon, 100)))
		}
	})
	all.Go(func() {
		for i := range 60 {
			session := Hash(fmt.Sprint("s", i%3))
			assert.NoError(t, second(db.ReadableTokens(ctx, "clinic", session, tokenIDs, noon)))
			assert.NoError(t, second(db.TokenGrants(ctx, "clinic", session, tokenIDs, noon)))
		}
	})
	all.Wait()
	inForce := 0
	for w := range 3 {
		found, err := db.TokenGrants(ctx, "clinic", Hash(fmt.Sprint("s", w)), tokenIDs, noon)
		require.NoError(t, err)
		for _, g := range found {
			for _, until := range []int64{g.ReadUntil, g.StoreUntil} {
				if until > noon {
					inForce++
				}
			}
		}
	}
	n, err := db.RevokeGrants(ctx, "clinic", models.Revocation{Tokens: tokenIDs}, noon)
	require.NoError(t, err)
	require.Equal(t, inForce, n)
	for w := range 3 {
		require.Empty(t, Readable(t, db, "clinic", fmt.Sprint("s", w), noon, names...))
	}
}
