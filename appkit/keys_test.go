package appkit_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
)

// The key of RFC 7517, appendix A.2. Its thumbprint below was computed without jwx.
const rfcKey = `{"kty":"EC","crv":"P-256",
	"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
	"y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
	"d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
	"use":"sig","kid":"1","password":"hunter2"}`

func TestLoadOrCreateKeyKeepsTheKey(t *testing.T) {
	path := inFolder(t, "key.jwk")
	first, err := appkit.LoadOrCreateKey(path)
	require.NoError(t, err)
	second, err := appkit.LoadOrCreateKey(path)
	require.NoError(t, err)
	require.Equal(t, first.ID(), second.ID())

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	var file map[string]string
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &file))
	require.Equal(t, first.ID(), file["kid"])
	require.Equal(t, "ES256", file["alg"])
	require.Equal(t, "sig", file["use"])

	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1, "no temporary file is left")
}

func TestLoadOrCreateKeyGivesProcessesThatRaceOneKey(t *testing.T) {
	path := inFolder(t, "key.jwk")
	ids := make([]string, 16)
	var group sync.WaitGroup
	for i := range ids {
		group.Go(func() {
			if key, err := appkit.LoadOrCreateKey(path); err == nil {
				ids[i] = key.ID()
			}
		})
	}
	group.Wait()
	for _, id := range ids {
		require.NotEmpty(t, id)
		require.Equal(t, ids[0], id)
	}
}

func TestLoadOrCreateKeyRefusesWhatOthersCanRead(t *testing.T) {
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o622} {
		path := inFolder(t, "key.jwk")
		_, err := appkit.LoadOrCreateKey(path)
		require.NoError(t, err)
		require.NoError(t, os.Chmod(path, mode))

		_, err = appkit.LoadOrCreateKey(path)
		require.ErrorContains(t, err, "chmod 600 "+path)
	}
}

func TestLoadOrCreateKeyNamesTheFileAndTheWayOut(t *testing.T) {
	for name, content := range map[string]string{
		"empty":  "",
		"text":   "hello",
		"public": strings.Replace(rfcKey, `"d"`, `"dropped"`, 1),
		"curve":  strings.Replace(rfcKey, "P-256", "P-384", 1),
		"other":  strings.Replace(rfcKey, "MKBC", "MKBD", 1),
		"zero":   strings.Replace(rfcKey, "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE", strings.Repeat("A", 43), 1),
		"use":    strings.Replace(rfcKey, `"sig"`, `"enc"`, 1),
		"alg":    strings.Replace(rfcKey, `"use"`, `"alg":"ES384","use"`, 1),
		"huge":   strings.Repeat(" ", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			path := inFolder(t, "key.jwk")
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			_, err := appkit.LoadOrCreateKey(path)
			require.ErrorContains(t, err, path)
			require.NotContains(t, err.Error(), "870MB6g")
		})
	}
	_, err := appkit.LoadOrCreateKey(t.TempDir())
	require.ErrorContains(t, err, "is not a regular file")
	_, err = appkit.LoadOrCreateKey(inFolder(t, "missing/key.jwk"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestLoadOrCreateSecretKeepsTheSecret(t *testing.T) {
	path := inFolder(t, "secret")
	first, err := appkit.LoadOrCreateSecret(path)
	require.NoError(t, err)
	require.Len(t, first, 32)
	second, err := appkit.LoadOrCreateSecret(path)
	require.NoError(t, err)
	require.Equal(t, first, second)
	other, err := appkit.LoadOrCreateSecret(inFolder(t, "secret"))
	require.NoError(t, err)
	require.NotEqual(t, first, other)

	require.NoError(t, os.WriteFile(path, []byte("short"), 0o600))
	_, err = appkit.LoadOrCreateSecret(path)
	require.ErrorContains(t, err, path)
}

func TestKeyIDIsTheThumbprint(t *testing.T) {
	key, err := appkit.ParseKey([]byte(rfcKey))
	require.NoError(t, err)
	require.Equal(t, "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s", key.ID())
}

func TestJWKSHoldsNothingButThePublicKey(t *testing.T) {
	key, err := appkit.ParseKey([]byte(rfcKey))
	require.NoError(t, err)
	keys, err := appkit.NewKeys(key)
	require.NoError(t, err)

	var set struct{ Keys []map[string]any }
	require.NoError(t, json.Unmarshal(keys.JWKS(), &set))
	require.Len(t, set.Keys, 1)
	require.Equal(t, map[string]any{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": key.ID(),
		"x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
		"y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
	}, set.Keys[0])
}

func TestNoVerbPrintsASecret(t *testing.T) {
	key, err := appkit.ParseKey([]byte(rfcKey))
	require.NoError(t, err)
	keys, err := appkit.NewKeys(key)
	require.NoError(t, err)
	session := appkit.Session{ID: "cookie-value", Subject: "s"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed := fmt.Sprintf(strings.Repeat(verb+" ", 4), key, keys, session, appkit.Options{Keys: keys})
		require.NotContains(t, printed, "870MB6g", verb)
		require.NotContains(t, printed, "cookie-value", verb)
	}
}

func TestRotationSignsWithTheNewestAndVerifiesTheOld(t *testing.T) {
	old, fresh := newKey(t), newKey(t)
	before, err := appkit.NewKeys(old)
	require.NoError(t, err)
	token, _, err := newKit(t, func(o *appkit.Options) { o.Keys = before }).ApplicationToken(t.Context())
	require.NoError(t, err)

	both, err := appkit.NewKeys(fresh, old)
	require.NoError(t, err)
	kit := newKit(t, func(o *appkit.Options) { o.Keys = both })
	verify(t, kit, token)
	next, _, err := kit.ApplicationToken(t.Context())
	require.NoError(t, err)
	verify(t, kit, next)
	message, err := jws.ParseString(next)
	require.NoError(t, err)
	require.Equal(t, fresh.ID(), message.Signatures()[0].ProtectedHeaders().KeyID())

	published := send(kit, http.MethodGet, "/.cloakroom/jwks.json", nil).Body.String()
	require.Less(t, strings.Index(published, fresh.ID()), strings.Index(published, old.ID()))
	require.NotContains(t, published, `"d"`)
}

func TestNewKeysRefusesMissingAndRepeatedKeys(t *testing.T) {
	key := newKey(t)
	_, err := appkit.NewKeys(nil)
	require.ErrorContains(t, err, "LoadOrCreateKey")
	_, err = appkit.NewKeys(key, &appkit.Key{})
	require.ErrorContains(t, err, "LoadOrCreateKey")
	_, err = appkit.NewKeys(key, key)
	require.ErrorContains(t, err, "give each key once")
}

func FuzzParseKey(f *testing.F) {
	f.Add([]byte(rfcKey))
	f.Add([]byte(`{"kty":"EC"}`))
	f.Add([]byte(`{"keys":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := appkit.ParseKey(data)
		if err != nil {
			return
		}
		keys, err := appkit.NewKeys(key)
		require.NoError(t, err)
		kit := newKit(t, func(o *appkit.Options) { o.Keys = keys })
		token, _, err := kit.ApplicationToken(t.Context())
		require.NoError(t, err)
		verify(t, kit, token)
	})
}
