package vault_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

// TestNoURLOutlivesItsToken: the store gets the token's expiry for uploads and downloads.
func TestNoURLOutlivesItsToken(t *testing.T) {
	f := newFixture(t)
	user := session("clinic", "s")
	made, err := f.Tokenize(user, vault.TokenizeInput{TTL: ptr(2 * time.Second)})
	require.NoError(t, err)
	require.Equal(t, noon.Add(2*time.Second), made.Upload.ExpiresAt)
	require.Equal(t, made.ExpiresAt, &made.Upload.ExpiresAt)
	read, err := f.Detokenize(user, made.Token)
	require.NoError(t, err)
	require.Equal(t, noon.Add(2*time.Second), read.Download.ExpiresAt.UTC())

	f.store.fail(objects.ErrExpired)
	requireFault(t, second(f.Detokenize(user, made.Token)), fault.GrantRequired)
	f.store.fail(nil)
	kept := f.tokenize(t, user, 0)
	require.NoError(t, second(f.Detokenize(user, kept)))
	require.Zero(t, f.store.downloads[1].NotAfter, "a token without an expiry does not shorten its URLs")
}

// TestSignedRequestsNameTheSession: signed requests name the tenant and the session.
func TestSignedRequestsNameTheSession(t *testing.T) {
	f := newFixture(t)
	want := objects.Signer{Tenant: "clinic", Session: caller.HashSession("clinic", "s")}
	token := f.tokenize(t, session("clinic", "s"), 0)
	require.NoError(t, second(f.Detokenize(session("clinic", "s"), token)))
	require.Equal(t, want, f.store.downloads[0].Signer)
	require.Equal(t, want, f.store.uploads[f.store.downloads[0].Object].Signer)
}

// TestTombstoneWhileAnUploadCanArrive: deletion leaves a tombstone for as long as an upload can arrive, and later none.
func TestTombstoneWhileAnUploadCanArrive(t *testing.T) {
	f := newFixture(t)
	user, app := session("clinic", "s"), application("clinic")
	early, late := f.tokenize(t, user, 0), f.tokenize(t, user, 0)
	require.NoError(t, second(f.DetokenizeBatch(user, []ids.Token{early, late})))
	objectOf := map[ids.Token]string{early: f.store.downloads[0].Object, late: f.store.downloads[1].Object}
	require.NoError(t, second(f.DeleteTokens(app, []ids.Token{early})))
	require.Equal(t, map[string]int{objectOf[early]: 1}, f.store.tombstones)
	require.Empty(t, f.store.deleted)
	f.at = noon.Add(31 * time.Minute)
	require.NoError(t, second(f.DeleteTokens(app, []ids.Token{late})))
	require.Equal(t, map[string]int{objectOf[late]: 1}, f.store.deleted)
	require.NoError(t, f.Sweep(t.Context()))
	require.Equal(t, map[string]int{objectOf[early]: 1, objectOf[late]: 1}, f.store.deleted)
	require.Len(t, f.store.tombstones, 1)
}
