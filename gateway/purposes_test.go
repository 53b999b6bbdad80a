package gateway_test

import (
	"bytes"
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/cloakroomhq/cloakroom/gateway"
)

// TestReplicasStartAtOnce: replicas that start together with a new database and a new keyset make one set of keys, so that
// each accepts the others' cookies.
func TestReplicasStartAtOnce(t *testing.T) {
	w := newWorld(t, false, nil)
	server := httptest.NewUnstartedServer(nil)
	w.url = "http://" + server.Listener.Addr().String()
	w.clinic.gateway = w.url
	dir := t.TempDir()
	replicas := make([]*gateway.Gateway, 3)
	begin := make(chan struct{})
	var all sync.WaitGroup
	for i := range replicas {
		cfg := w.config(t, dir)
		cfg.Objects.Embedded.Dir = t.TempDir()
		all.Go(func() {
			<-begin
			var err error
			replicas[i], err = gateway.New(t.Context(), cfg, nil)
			assert.NoError(t, err)
		})
	}
	close(begin)
	all.Wait()
	for _, g := range replicas {
		require.NotNil(t, g)
		t.Cleanup(func() { require.NoError(t, g.Close(context.Background())) })
	}
	server.Config.Handler = replicas[0]
	server.Start()
	defer server.Close()
	w.server = server
	value := w.signIn(t, w.clinic)
	for _, g := range replicas {
		r := newRequest(t, "GET", w.url+"/session/verify", nil, "Cookie", w.cookieName("session")+"="+value)
		require.Equal(t, http.StatusOK, serve(g, r).Code)
	}
	r := newRequest(t, "GET", w.url+"/session/verify", nil, "Cookie", w.cookieName("session")+"="+value)
	require.Equal(t, http.StatusUnauthorized, serve(w.Gateway, r).Code, "of another database")
}

// TestMasterKeyOfPurposesIsMissing: a keyset that has the first master key, and lacks the master key that seals a
// purpose's keys, is refused. The error names the setting and the remedy.
func TestMasterKeyOfPurposesIsMissing(t *testing.T) {
	w := newWorld(t, false, nil)
	cfg := w.config(t, t.TempDir())
	keys := keyset.NewManager()
	add := func() {
		id, err := keys.Add(aead.AES256GCMKeyTemplate())
		require.NoError(t, err)
		require.NoError(t, keys.SetPrimary(id))
	}
	write := func() []byte {
		h, err := keys.Handle()
		require.NoError(t, err)
		var b bytes.Buffer
		require.NoError(t, insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b)))
		return b.Bytes()
	}
	start := func(text []byte) error {
		require.NoError(t, os.WriteFile(cfg.Keys.File, text, 0o600))
		cfg.Objects.Embedded.Dir = t.TempDir()
		g, err := gateway.New(t.Context(), cfg, nil)
		if err == nil {
			require.NoError(t, g.Close(context.Background()))
		}
		return err
	}
	add()
	first := write()
	require.NoError(t, start(first))
	add()
	both := write()
	require.NoError(t, start(both), "the keys of purposes are opened with the older master key")

	db, err := sql.Open("sqlite", "file:"+cfg.Database.Path)
	require.NoError(t, err)
	defer db.Close()
	gone, err := db.Exec("DELETE FROM settings WHERE name LIKE 'purpose-keys/%'")
	require.NoError(t, err)
	n, err := gone.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	require.NoError(t, start(both), "new keys of purposes are sealed under the newer master key")

	err = start(first)
	require.ErrorContains(t, err, "keys.file")
	require.ErrorContains(t, err, "sign-in-state")
	require.ErrorContains(t, err, "name the keyset that has all master keys of database.path")
	require.Regexp(t, `lacks the master key of the keys for sign-in-cookie`, diagnosis(t, cfg))
	require.NoError(t, start(both))
	require.NotContains(t, diagnosis(t, cfg), "master key")
}

// diagnosis returns the output of `cloakroom doctor` for the settings.
func diagnosis(t *testing.T, cfg *gateway.Config) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, gateway.Diagnose(t.Context(), cfg, "").Write(&b))
	return b.String()
}
