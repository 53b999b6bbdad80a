package cloakroomtest_test

import (
	"fmt"
	"net/http"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/cloakroomtest"
	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/grant"
)

func TestAValueAndItsGrants(t *testing.T) {
	gw := cloakroomtest.Start(t)
	ada, bob := gw.Session("ada"), gw.Session("bob")
	token := gw.Tokenize(t, ada, "123-45-6789")
	require.Equal(t, "123-45-6789", gw.Detokenize(t, ada, token))
	require.Equal(t, []grant.Kind{grant.Read, grant.Store}, gw.Held(t, ada.ID, token))
	require.Empty(t, gw.Held(t, bob.ID, token))
	gw.RequireNoGrant(t, bob.ID, token, grant.Read)
	_, err := bob.Client(t).Detokenize(t.Context(), token)
	require.ErrorIs(t, err, client.ErrGrantRequired)

	_, err = gw.Client().CreateGrants(t.Context(), bob.ID, []grant.Request{{Tokens: []string{token}, Kinds: []grant.Kind{grant.Read}}})
	require.NoError(t, err)
	gw.RequireGrant(t, bob.ID, token, grant.Read)
	gw.RequireNoGrant(t, bob.ID, token, grant.Store)
	require.Equal(t, "123-45-6789", gw.Detokenize(t, bob, token))
}

// TestAKitOfTheApplications: an application under test signs with its own kit, and the gateway accepts the JWTs.
func TestAKitOfTheApplications(t *testing.T) {
	gw := cloakroomtest.Start(t)
	kit, err := appkit.New(appkit.Options{
		Issuer: cloakroomtest.Issuer, Audience: gw.URL, Keys: gw.Keys,
		Session: func(http.ResponseWriter, *http.Request) (appkit.Session, error) {
			return appkit.Session{}, appkit.ErrNoSession
		},
	})
	require.NoError(t, err)
	c, err := client.New(client.Options{Endpoint: gw.URL, Credentials: kit.ApplicationToken})
	require.NoError(t, err)
	who, err := c.Viewer(t.Context())
	require.NoError(t, err)
	require.Equal(t, []any{cloakroomtest.Tenant, []string{"application"}}, []any{who.Tenant, who.Roles})
}

// TestSettings: a test can change settings.
func TestSettings(t *testing.T) {
	gw := cloakroomtest.Start(t, func(c *gateway.Config) { c.Tokens.Prefix = "card" }, func(c *gateway.Config) { c.Tokens.MaxBatch = 2 })
	require.Contains(t, gw.Tokenize(t, gw.Session("ada"), "x"), "card-")
	_, err := gw.Session("ada").Client(t).TokenizeBatch(t.Context(), make([]client.Value, 3))
	require.ErrorIs(t, err, client.ErrLimitExceeded)
}

// failing is a test that records a failure instead of failing; like testing.T, it then ends its goroutine.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Helper() {}
func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// TestFailures: an assertion that does not hold fails the test, without the token in its message.
func TestFailures(t *testing.T) {
	gw := cloakroomtest.Start(t)
	ada, bob := gw.Session("ada"), gw.Session("bob")
	token := gw.Tokenize(t, ada, "x")
	for name, test := range map[string]struct {
		call func(testing.TB)
		want string
	}{
		"no grant":       {func(t testing.TB) { gw.RequireGrant(t, bob.ID, token, grant.Store) }, "has no STORE grant"},
		"a grant":        {func(t testing.TB) { gw.RequireNoGrant(t, ada.ID, token, grant.Read) }, "has a READ grant"},
		"not redeemable": {func(t testing.TB) { gw.Detokenize(t, bob, token) }, "GRANT_REQUIRED"},
		"not startable":  {func(t testing.TB) { cloakroomtest.Start(t, func(c *gateway.Config) { c.Tokens.Prefix = "" }) }, "tokens.prefix"},
	} {
		t.Run(name, func(t *testing.T) {
			f, done := &failing{TB: t}, make(chan struct{})
			go func() {
				defer close(done)
				test.call(f)
			}()
			<-done
			require.Contains(t, f.message, test.want)
			require.NotContains(t, f.message, token)
		})
	}
}

// TestDatabaseFoldersAreRemoved: a gateway's files are removed with its test, and are below TMPDIR if that is set.
func TestDatabaseFoldersAreRemoved(t *testing.T) {
	start := func(t *testing.T) []string {
		t.Helper()
		gw := cloakroomtest.Start(t)
		gw.Tokenize(t, gw.Session("ada"), "x")
		require.FileExists(t, gw.Config.Database.Path)
		return []string{gw.Config.Database.Path, gw.Config.Keys.File, gw.Config.Objects.Embedded.Dir}
	}
	var paths []string
	t.Run("by default", func(t *testing.T) { paths = append(paths, start(t)...) })
	dir := t.TempDir()
	t.Run("in TMPDIR", func(t *testing.T) {
		t.Setenv("TMPDIR", dir)
		here := start(t)
		for _, path := range here {
			require.Contains(t, path, dir)
		}
		paths = append(paths, here...)
	})
	require.Len(t, paths, 6)
	for _, path := range paths {
		require.NoFileExists(t, path)
		require.NoDirExists(t, path)
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		cloakroomtest.Start(b)
	}
}
