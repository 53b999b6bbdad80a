package gateway_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// The content of testdata/c41d292.tar.gz: the data folder of a gateway of commit c41d292, after a session of the
// tenant own has tokenized two values, and its application has deleted one. The session's grant was for 15 minutes.
const (
	storedTenant = "own"
	storedToken  = "tok-f7e27249-f4ee-4f88-b5e8-4da3c8cedbb2"
	deletedToken = "tok-8552593d-41b2-4eb0-bab9-c642f3d10843"
	storedValue  = "kept since c41d292"
)

// unpack returns a folder with the content of an archive.
func unpack(t *testing.T, archive string) string {
	t.Helper()
	packed, err := os.Open(archive)
	require.NoError(t, err)
	defer packed.Close()
	zipped, err := gzip.NewReader(packed)
	require.NoError(t, err)
	dir := t.TempDir()
	for files := tar.NewReader(zipped); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		require.NoError(t, err)
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			require.NoError(t, os.MkdirAll(path, 0o700))
			continue
		}
		b, err := io.ReadAll(files)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, b, 0o600))
	}
}

// TestStoredValuesStay: values that were tokenized at commit c41d292 can be detokenized, as new values can, and each row
// names the master key that it needs.
func TestStoredValuesStay(t *testing.T) {
	dir := unpack(t, filepath.Join("testdata", "c41d292.tar.gz"))
	database := filepath.Join(dir, "cloakroom.db")
	g := gatewaytest.Start(t, func(c *gateway.Config) {
		c.Database.Path, c.Keys.File, c.Keys.Create = database, filepath.Join(dir, "keyset.json"), false
		c.Objects.Embedded.Dir = filepath.Join(dir, "objects")
		c.Issuers[len(c.Issuers)-1].Name = storedTenant
	})
	app := clientOf(t, g.URL, g.Application(gatewaytest.Other))
	first, another := clientOf(t, g.URL, g.Session(gatewaytest.Other, "s")), clientOf(t, g.URL, g.Session(gatewaytest.Other, "another"))

	_, err := another.Detokenize(t.Context(), storedToken)
	require.ErrorIs(t, err, client.ErrGrantRequired)
	for session, user := range map[string]*client.Client{"s": first, "another": another} {
		t.Run("session "+session, func(t *testing.T) {
			_, err := app.CreateGrants(t.Context(), appkit.SessionID(session), []directives.Grant{{Tokens: []string{storedToken}, Kinds: []directives.GrantKind{directives.GrantKindRead}}})
			require.NoError(t, err)
			requireRedeemed(t, user, storedToken, storedValue)
		})
	}
	t.Run("the deleted value stays deleted", func(t *testing.T) {
		_, err := first.Detokenize(t.Context(), deletedToken)
		require.ErrorIs(t, err, client.ErrGrantRequired)
	})
	made, err := first.Tokenize(t.Context(), client.Value{})
	require.NoError(t, err)
	status, _ := sendSigned(t, made.Upload, strings.NewReader("new"))
	require.Equal(t, http.StatusOK, status)
	requireRedeemed(t, first, made.Token, "new")

	t.Run("master keys", func(t *testing.T) {
		db, err := sql.Open("sqlite", "file:"+database+"?mode=ro")
		require.NoError(t, err)
		defer db.Close()
		rows, err := db.Query("SELECT sealed, master_key FROM tokens WHERE sealed IS NOT NULL ORDER BY created_at")
		require.NoError(t, err)
		defer rows.Close()
		keys, versions := map[uint32]int{}, []byte{}
		for rows.Next() {
			var sealed []byte
			var key uint32
			require.NoError(t, rows.Scan(&sealed, &key))
			require.NotZero(t, key)
			require.True(t, bytes.HasPrefix(sealed[1:], []byte{1, byte(key >> 24), byte(key >> 16), byte(key >> 8), byte(key)}))
			keys[key]++
			versions = append(versions, sealed[0])
		}
		require.NoError(t, rows.Err())
		require.Equal(t, []byte{1, 3}, versions)
		require.Len(t, keys, 1, "the keyset has one key")
	})
}

func requireRedeemed(t *testing.T, user *client.Client, token, value string) {
	t.Helper()
	read, err := user.Detokenize(t.Context(), token)
	require.NoError(t, err)
	status, got := sendSigned(t, read.Download, nil)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, value, got)
}
