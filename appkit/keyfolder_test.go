package appkit_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
)

// signer returns the id of the key that signs at a time.
func signer(t *testing.T, keys *appkit.Keys, now time.Time) string {
	t.Helper()
	kit := newKit(t, func(o *appkit.Options) { o.Keys, o.Now = keys, func() time.Time { return now } })
	token, _, err := kit.ApplicationToken(t.Context())
	require.NoError(t, err)
	message, err := jws.Parse([]byte(token))
	require.NoError(t, err)
	return message.Signatures()[0].ProtectedHeaders().KeyID()
}

func TestRotation(t *testing.T) {
	folder := t.TempDir()
	keys, err := appkit.LoadKeys(folder)
	require.NoError(t, err)
	first := signer(t, keys, clock)
	again, err := appkit.LoadKeys(folder)
	require.NoError(t, err)
	require.Equal(t, first, signer(t, again, clock), "the first key is kept")

	// Published before it signs.
	next, err := appkit.AddKey(folder, clock.Add(appkit.KeyLead))
	require.NoError(t, err)
	require.NotContains(t, string(keys.JWKS()), next.ID())
	require.NoError(t, keys.Reload())
	require.Contains(t, string(keys.JWKS()), next.ID())
	require.Equal(t, first, signer(t, keys, clock))
	require.Equal(t, first, signer(t, keys, clock.Add(appkit.KeyLead-time.Second)))

	// It signs from its time on, without a reload, and JWTs of the first key still verify.
	require.Equal(t, next.ID(), signer(t, keys, clock.Add(appkit.KeyLead)))
	require.Contains(t, string(keys.JWKS()), first)

	// The first key is deleted.
	require.NoError(t, os.Remove(filepath.Join(folder, "first.jwk")))
	require.NoError(t, keys.Reload())
	require.NotContains(t, string(keys.JWKS()), first)
	require.Equal(t, next.ID(), signer(t, keys, clock), "a key signs before its time if there is no other")
}

func TestAddKeyLeavesVerifiersTime(t *testing.T) {
	folder := t.TempDir()
	keys, err := appkit.LoadKeys(folder)
	require.NoError(t, err)
	key, err := appkit.AddKey(folder, time.Time{})
	require.NoError(t, err)
	require.NoError(t, keys.Reload())
	require.NotEqual(t, key.ID(), signer(t, keys, time.Now().Add(appkit.KeyLead-time.Minute)))
	require.Equal(t, key.ID(), signer(t, keys, time.Now().Add(appkit.KeyLead+time.Minute)))

	_, err = appkit.AddKey(folder, clock)
	require.NoError(t, err)
	_, err = appkit.AddKey(folder, clock)
	require.ErrorContains(t, err, "exists")
}

func TestABadFolderLeavesTheKeysAsTheyWere(t *testing.T) {
	folder := t.TempDir()
	keys, err := appkit.LoadKeys(folder)
	require.NoError(t, err)
	before := string(keys.JWKS())
	for name, content := range map[string]string{
		"20260504T100000Z.jwk": "rubbish", "second.jwk": "", "20260505T100000Z.jwk": "",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(folder, name)
			if content == "" {
				copied, err := os.ReadFile(filepath.Join(folder, "first.jwk"))
				require.NoError(t, err)
				content = string(copied) // the same key twice
			}
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			require.Error(t, keys.Reload(), name)
			require.Equal(t, before, string(keys.JWKS()))
			require.NoError(t, os.Remove(path))
		})
	}
	_, err = appkit.LoadOrCreateKey(filepath.Join(folder, "second.jwk"))
	require.NoError(t, err)
	require.ErrorContains(t, keys.Reload(), "no time in their names")
	require.NoError(t, os.RemoveAll(folder))
	require.Error(t, keys.Reload())
	require.NoError(t, os.Mkdir(folder, 0o700))
	require.ErrorContains(t, keys.Reload(), "any more", "no key is made in a folder that was emptied by mistake")
	require.Equal(t, before, string(keys.JWKS()))

	_, err = appkit.LoadKeys(filepath.Join(folder, "missing"))
	require.Error(t, err)
	plain, err := appkit.NewKeys(newKey(t))
	require.NoError(t, err)
	require.ErrorContains(t, plain.Reload(), "LoadKeys")
}

func TestKeysAreReplacedUnderWay(t *testing.T) {
	a, b := newKey(t), newKey(t)
	keys, err := appkit.NewKeys(a)
	require.NoError(t, err)
	kit := newKit(t, func(o *appkit.Options) { o.Keys = keys })
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for range 25 {
				token, _, err := kit.ApplicationToken(t.Context())
				assert.NoError(t, err)
				verify(t, kit, token)
			}
		})
	}
	for i := range 100 {
		newest, older := a, b
		if i%2 == 0 {
			newest, older = b, a
		}
		require.NoError(t, keys.Replace(newest, older))
	}
	running.Wait()
	require.Error(t, keys.Replace(nil))
	require.Equal(t, a.ID(), signer(t, keys, clock))
}

func TestTwoProcessesThatStartTogetherShareTheFirstKey(t *testing.T) {
	folder := t.TempDir()
	ids := make([]string, 8)
	var running sync.WaitGroup
	for i := range ids {
		running.Go(func() {
			keys, err := appkit.LoadKeys(folder)
			if err == nil {
				ids[i] = string(keys.JWKS())
			}
		})
	}
	running.Wait()
	for _, id := range ids {
		require.Equal(t, ids[0], id)
		require.NotEmpty(t, id)
	}
}

func TestWatchPublishesAKeyThatWasAdded(t *testing.T) {
	folder := t.TempDir()
	keys, err := appkit.LoadKeys(folder)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { keys.Watch(ctx, time.Millisecond, nil) })
	key, err := appkit.AddKey(folder, time.Time{})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Contains(string(keys.JWKS()), key.ID()) }, 10*time.Second, time.Millisecond)
	stop()
	running.Wait()
}
