package vault_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

// TestNoGrantOutlivesItsToken: neither grants of tokenize nor grants that an application creates.
func TestNoGrantOutlivesItsToken(t *testing.T) {
	f := newFixture(t)
	user, app := session("clinic", "s"), application("clinic")
	token := f.tokenize(t, user, 5*time.Minute)
	granted, err := f.CreateGrants(app, "s", []vault.GrantRequest{{Tokens: []ids.Token{token}, Kinds: ids.Read | ids.Store, Duration: ptr(time.Hour)}})
	require.NoError(t, err)
	require.Equal(t, []vault.Granted{{ExpiresAt: ptr(noon.Add(5 * time.Minute))}}, granted)
	f.at = noon.Add(5*time.Minute - time.Millisecond)
	require.NoError(t, second(f.Detokenize(user, token)))
	f.at = noon.Add(5 * time.Minute)
	requireFault(t, second(f.Detokenize(user, token)), fault.GrantRequired)
	granted, err = f.CreateGrants(app, "s", []vault.GrantRequest{{Tokens: []ids.Token{token}, Kinds: ids.Read}})
	require.NoError(t, err)
	require.Equal(t, []vault.Granted{{Missing: []ids.Token{token}}}, granted, "an expired token gets no grant, even before it is swept")
}

// TestSameTokenTwice: if a call names a token several times, the longest life wins, and each request has its result.
func TestSameTokenTwice(t *testing.T) {
	f := newFixture(t)
	token := f.tokenize(t, session("clinic", "s"), 0)
	granted, err := f.CreateGrants(application("clinic"), "s2", []vault.GrantRequest{
		{Tokens: []ids.Token{token}, Kinds: ids.Read, Duration: ptr(time.Hour)}, {Tokens: []ids.Token{unknown}, Kinds: ids.Read}, {Tokens: []ids.Token{token}, Kinds: ids.Read | ids.Store, Duration: ptr(time.Minute)},
	})
	require.NoError(t, err)
	require.Equal(t, []vault.Granted{
		{ExpiresAt: ptr(noon.Add(time.Hour))}, {Missing: []ids.Token{unknown}}, {ExpiresAt: ptr(noon.Add(time.Minute))},
	}, granted)
	f.at = noon.Add(time.Minute)
	missing, err := f.VerifyGrants(application("clinic"), "s2", checksOf(ids.Store, token))
	require.NoError(t, err)
	require.Equal(t, checksOf(ids.Store, token), missing)
	require.NoError(t, second(f.Detokenize(session("clinic", "s2"), token)))
}

// TestDeleteWhileTheStoreIsDown: the keys are destroyed at once. The object is replaced by a tombstone as soon as the store
// is back, and the tombstone is deleted when no upload can arrive any more.
func TestDeleteWhileTheStoreIsDown(t *testing.T) {
	f := newFixture(t)
	ctx, user, app := context.Background(), session("clinic", "s"), application("clinic")
	token := f.tokenize(t, user, 0)
	require.NoError(t, second(f.Detokenize(user, token)))
	object := f.store.downloads[0].Object
	f.store.fail(errDown)
	n, err := f.DeleteTokens(app, []ids.Token{token})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	requireFault(t, second(f.Detokenize(user, token)), fault.GrantRequired)
	d, err := f.Describe(app, token)
	require.NoError(t, err)
	require.Nil(t, d)
	require.ErrorIs(t, f.Sweep(ctx), errDown)
	require.Zero(t, f.store.tombstones[object])
	f.store.fail(nil)
	require.NoError(t, f.Sweep(ctx))
	require.Equal(t, 1, f.store.tombstones[object], "a tombstone refuses uploads signed earlier")
	require.NoError(t, f.Sweep(ctx))
	require.Equal(t, 1, f.store.tombstones[object], "nothing is due")
	f.at = noon.Add(30 * time.Minute)
	require.NoError(t, f.Sweep(ctx))
	require.Zero(t, f.store.deleted[object], "an upload that began at the last moment may still be running")
	f.at = noon.Add(31 * time.Minute)
	require.NoError(t, f.Sweep(ctx))
	require.Equal(t, 1, f.store.deleted[object], "the tombstone is deleted when no upload can arrive")
	f.at = noon.Add(time.Hour)
	require.NoError(t, f.Sweep(ctx))
	require.Equal(t, 1, f.store.deleted[object])
	require.Equal(t, 1, f.store.tombstones[object])
	n, err = f.DeleteTokens(app, []ids.Token{token})
	require.NoError(t, err)
	require.Zero(t, n)
}

// TestDeleteOnlyOwnTokens: a tenant deletes its own tokens only, and existing tokens are counted once.
func TestDeleteOnlyOwnTokens(t *testing.T) {
	f := newFixture(t)
	user := session("clinic", "s")
	a, b := f.tokenize(t, user, 0), f.tokenize(t, user, 0)
	n, err := f.DeleteTokens(application("bank"), []ids.Token{a, b})
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = f.DeleteTokens(application("clinic"), []ids.Token{a, a, unknown})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, second(f.Detokenize(user, b)))
}

// TestSweep: Sweep removes expired tokens with their objects, and expired grants, also more than one batch.
func TestSweep(t *testing.T) {
	f := newFixture(t)
	ctx, user := context.Background(), session("clinic", "s")
	f.with(t, func(o *vault.Options) { o.Limits.Batch = 2000 })
	inputs := make([]vault.TokenizeInput, 1200)
	for i := range inputs {
		inputs[i].TTL = ptr(time.Minute)
	}
	require.NoError(t, second(f.TokenizeBatch(user, inputs)))
	kept := f.tokenize(t, user, time.Hour)
	require.NoError(t, f.Sweep(ctx))
	require.Zero(t, f.sums["swept tokens"])
	f.at = noon.Add(20 * time.Minute)
	require.NoError(t, f.Sweep(ctx))
	require.Equal(t, 1200, f.sums["swept tokens"])
	require.Len(t, f.store.deleted, 1200)
	require.Equal(t, 1, f.sums["swept grants"], "the others were deleted with their tokens")
	d, err := f.Describe(application("clinic"), kept)
	require.NoError(t, err)
	require.NotNil(t, d)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, f.Sweep(gone), context.Canceled)
}

// TestSweepContinuesPastAStuckObject: the oldest object, first in each batch, can't be deleted, because its session
// blocks it.
func TestSweepContinuesPastAStuckObject(t *testing.T) {
	f := newFixture(t)
	ctx, user := context.Background(), session("clinic", "s")
	f.tokenize(t, user, 4*time.Minute)
	for object := range f.store.uploads {
		f.store.stuck = map[string]bool{object: true}
	}
	f.with(t, func(o *vault.Options) { o.Limits.Batch = 2000 })
	inputs := make([]vault.TokenizeInput, 1200)
	for i := range inputs {
		inputs[i].TTL = ptr(5 * time.Minute)
	}
	require.NoError(t, second(f.TokenizeBatch(user, inputs)))
	f.at = noon.Add(6 * time.Minute)
	require.ErrorIs(t, f.Sweep(ctx), errDown)
	require.Equal(t, 1200, f.sums["swept tokens"])
	require.Len(t, f.store.tombstones, 1200)
	f.store.stuck = nil
	require.NoError(t, f.Sweep(ctx))
	require.Equal(t, 1201, f.sums["swept tokens"])
}

// TestSweepContinuesPastBatchesOfStuckObjects: more than two batches of objects that can't be deleted come before the others.
func TestSweepContinuesPastBatchesOfStuckObjects(t *testing.T) {
	for name, after := range map[string]time.Duration{"tombstones": 6 * time.Minute, "deletion": time.Hour} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			ctx, user := context.Background(), session("clinic", "s")
			f.with(t, func(o *vault.Options) { o.Limits.Batch = 2000 })
			inputs := make([]vault.TokenizeInput, 1200)
			for i := range inputs {
				inputs[i].TTL = ptr(4 * time.Minute)
			}
			require.NoError(t, second(f.TokenizeBatch(user, inputs)))
			f.store.stuck = map[string]bool{}
			for object := range f.store.uploads {
				f.store.stuck[object] = true
			}
			for i := range inputs {
				inputs[i].TTL = ptr(5 * time.Minute)
			}
			require.NoError(t, second(f.TokenizeBatch(user, inputs[:700])))
			f.at = noon.Add(after)
			require.ErrorIs(t, f.Sweep(ctx), errDown)
			require.Equal(t, 700, f.sums["swept tokens"])
		})
	}
}

// TestNoSecretsInTheDatabase: the database holds no token, session id, key or metadata in clear.
func TestNoSecretsInTheDatabase(t *testing.T) {
	f := newFixture(t)
	user := session("clinic", "SECRET-session-id")
	made, err := f.Tokenize(user, vault.TokenizeInput{Metadata: &vault.Metadata{Filename: ptr("SECRET-name"), Custom: map[string]any{"SECRET-k": "SECRET-v"}}})
	require.NoError(t, err)
	require.NoError(t, second(f.Detokenize(user, made.Token)))
	key := f.store.downloads[0].Key
	for _, suffix := range []string{"", "-wal", "-shm"} {
		b, err := os.ReadFile(f.path + suffix)
		require.NoError(t, err)
		for _, s := range []string{"SECRET", made.Token.String(), made.Token.String()[4:], string(key[:]), string(key[:8])} {
			require.NotContains(t, string(b), s)
		}
	}
}

func TestNewRequiresItsOptions(t *testing.T) {
	f := newFixture(t)
	for _, drop := range []func(*vault.Options){
		func(o *vault.Options) { o.Rows = nil }, func(o *vault.Options) { o.Keys = nil }, func(o *vault.Options) { o.Objects = nil },
		func(o *vault.Options) { o.Observer = nil }, func(o *vault.Options) { o.Sessions = nil }, func(o *vault.Options) { o.Rates = nil }, func(o *vault.Options) { o.Logger = nil }, func(o *vault.Options) { o.Prefixes = nil },
	} {
		o := f.options
		drop(&o)
		require.Error(t, second(vault.New(o)))
	}
}
