package e2e_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/gateway"
)

// The data folder, the logs and the metrics hold no value, token, session or key in clear.
func TestNoSecretIsWritten(t *testing.T) {
	for _, encryption := range []string{config.EncryptionSSEC, config.EncryptionClient} {
		t.Run(encryption, func(t *testing.T) { noSecretIsWritten(t, encryption) })
	}
}

func noSecretIsWritten(t *testing.T, encryption string) {
	s := stack.Start(t, stack.Configure(func(c *gateway.Config) {
		c.GraphQL.DocumentCache, c.Objects.Encryption = 0, encryption
	}))
	me, other := s.Session(t), s.Session(t)
	app := s.ApplicationJWT(t)
	value := "value-" + rand.Text() + " naïve " + rand.Text()
	filename := "file-" + rand.Text() + ".txt"
	token, _ := s.Store(t, me.JWT, []byte(value), stack.Vars{
		"filename": filename, "contentType": "text/x-" + strings.ToLower(rand.Text()), "custom": stack.Vars{"note": filename}})
	unfinished := s.Reserve(t, me.JWT)

	secrets := &stack.Needles{}
	secrets.Add("value", []byte(value))
	secrets.Add("filename", []byte(filename))
	key := s.DataKey(t, me.JWT, token)
	secrets.Add("data key", key)
	for _, name := range []string{token, unfinished} {
		id := uuid.MustParse(strings.TrimPrefix(name, "tok-"))
		secrets.Add("token", []byte(name))
		secrets.Add("token's UUID", id[:])
	}
	for _, session := range []*stack.Session{me, other} {
		addSession(t, secrets, session)
	}
	secrets.Add("application's JWT", []byte(strings.SplitN(app, ".", 2)[1]))
	proveThatSearchFinds(t, secrets, map[string]string{
		"value": value, "filename": filename, "token": token, "token's UUID": uuidBytes(token), "session id": me.ID(t), "cookie": me.Cookie(t),
		"data key": string(key), "JWT": me.JWT, "application's JWT": app,
	})

	useEverySecret(t, s, me, other, app, token, []byte(value))
	nothing := func(when string) {
		assert.Empty(t, secrets.FindInFolder(t, s.Data), when)
		assert.Empty(t, secrets.Find([]byte(s.Logs.String())), "in the log, %s", when)
		assert.Empty(t, secrets.Find([]byte(s.Out.String())), "on standard output, %s", when)
	}
	nothing("while it runs")
	_, err := os.Stat(filepath.Join(s.Data, "cloakroom.db-wal"))
	require.NoError(t, err, "the write-ahead log was there to be searched")
	require.Contains(t, s.Logs.String(), `"level":"INFO","msg":"request"`, "the log must have entries to search")
	metrics := s.Get(t, s.GatewayURL+"/metrics")
	require.Contains(t, string(metrics.Body), "cloakroom_requests_total")
	assert.Empty(t, secrets.Find(metrics.Body), "in the metrics")

	s.Query(t, app, stack.DeleteTokens, stack.Vars{"tokens": []any{token}}).OK(t)
	nothing("after deletion")
	s.Stop(t)
	nothing("after the end")
}

// useEverySecret runs each operation and causes each kind of refusal with the secrets.
func useEverySecret(t *testing.T, s *stack.Stack, me, other *stack.Session, app, token string, value []byte) {
	t.Helper()
	assert.Equal(t, value, s.Read(t, me.JWT, token))
	of := func(session *stack.Session, more stack.Vars) stack.Vars {
		more["sessionId"] = session.ID(t)
		return stack.Vars{"input": more}
	}
	s.Query(t, me.JWT, stack.Viewer, nil).OK(t)
	s.Query(t, me.JWT, stack.Describe, stack.Vars{"id": token}).OK(t)
	assert.Equal(t, "GRANT_REQUIRED", s.Detokenize(t, other.JWT, token).Code())
	s.Query(t, app, stack.CreateGrants, of(other, stack.Vars{"grants": []any{stack.Vars{"tokens": []string{token}}}})).OK(t)
	s.Query(t, app, stack.VerifyGrants, of(other, stack.Vars{"checks": stack.Checks("STORE", token)})).OK(t)
	s.Query(t, app, stack.RevokeGrants, of(other, stack.Vars{"tokens": []any{token}})).OK(t)
	// A client that sends secrets in the wrong place.
	assert.NotEmpty(t, s.Detokenize(t, me.JWT, token+"x").Code())
	assert.NotEmpty(t, s.Query(t, me.JWT, `mutation { detokenize(token: "`+token+`", x: "`+string(value)+`") { token } }`, nil).Code())
	assert.NotEmpty(t, s.Query(t, me.JWT, stack.Detokenize, stack.Vars{"token": []any{token, me.JWT}}).Code())
	assert.NotEmpty(t, s.Query(t, app, stack.CreateGrants, of(me, stack.Vars{"grants": []any{stack.Vars{"tokens": []string{token}, "duration": me.ID(t)}}})).Code())
	assert.NotEmpty(t, s.Query(t, me.JWT+"x", stack.Detokenize, stack.Vars{"token": token}).Code())
	assert.NotEmpty(t, s.Post(t, me.JWT, []byte(`{"query": "`+token+` `+me.ID(t)+`"`)).Code())
	get := s.Do(t, http.MethodGet, s.GatewayURL+"/graphql?query="+token, http.Header{"Authorization": {"Bearer " + me.JWT}}, nil)
	assert.Less(t, get.Status, 500)
	for _, path := range []string{"/", "/readyz", "/" + token, "/.cloakroom/" + me.ID(t)} {
		s.Do(t, http.MethodGet, s.GatewayURL+path, http.Header{"Cookie": {"session=" + me.Cookie(t)}}, nil)
		s.Do(t, http.MethodPost, s.AppURL+path, http.Header{"Origin": {"https://" + token + ".example"}}, nil)
	}
	// Invalid requests to the store.
	signed := stack.Signed(t, s.Detokenize(t, me.JWT, token).OK(t).At("detokenize", "download"))
	signed.Method = http.MethodPut
	assert.Equal(t, http.StatusForbidden, s.Send(t, signed, value).Status)
	// The URL alone gets nothing, or the ciphertext.
	if a := s.Get(t, signed.URL); a.Status == http.StatusOK {
		assert.NotContains(t, string(a.Body), string(value))
	}
}

func addSession(t *testing.T, n *stack.Needles, session *stack.Session) {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(session.ID(t))
	require.NoError(t, err)
	n.Add("session id", []byte(session.ID(t)))
	n.Add("session id's bytes", raw)
	n.Add("cookie", []byte(session.Cookie(t)))
	// The header of a JWT is not secret: it is the same for all, and names the public key.
	parts := strings.Split(session.JWT, ".")
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	require.NoError(t, err)
	n.Add("JWT", []byte(parts[2]))
	n.Add("JWT's signature", signature)
}

func uuidBytes(token string) string {
	id := uuid.MustParse(strings.TrimPrefix(token, "tok-"))
	return string(id[:])
}

// proveThatSearchFinds writes each secret in many forms, one at a time, and checks that the search finds it.
func proveThatSearchFinds(t *testing.T, n *stack.Needles, secrets map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, secret := range secrets {
		middle := secret[len(secret)/4:]
		if len(secret) <= 16 {
			middle = secret
		}
		for form, planted := range map[string]string{
			"whole": secret, "a part": middle, "hex": hex.EncodeToString([]byte(middle)),
			"bytes":     fmt.Sprint(string([]byte(middle))),
			"base64":    base64.StdEncoding.EncodeToString([]byte(secret)),
			"base64url": base64.RawURLEncoding.EncodeToString([]byte("x" + secret)),
		} {
			t.Run(form, func(t *testing.T) {
				file := filepath.Join(dir, "deep", "file")
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
				require.NoError(t, os.WriteFile(file, []byte("\x00\x01noise "+planted+"\xffnoise"), 0o600))
				require.NotEmpty(t, n.FindInFolder(t, dir), "%s planted as %s is not found", name, form)
			})
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "deep", "file"), []byte("tok-"+uuid.NewString()), 0o600))
	require.Empty(t, n.FindInFolder(t, dir), "other text must not be found")
}
