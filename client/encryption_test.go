package client_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"

	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

func clientMode(c *config.Config) { c.Objects.Encryption = config.EncryptionClient }

// TestClientEncrypts: the gateway's answers carry the key, the store gets a ciphertext that Tink opens, and the value comes
// back.
func TestClientEncrypts(t *testing.T) {
	g := gatewaytest.Start(t, clientMode)
	session := newClient(t, g.URL, g.Session(gatewaytest.Own, "login"), nil)
	for _, size := range []int{0, 1, 1000, 1<<20 - 56, 1<<20 - 55, 3 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			value := make([]byte, size)
			_, _ = rand.Read(value)
			made, err := session.Tokenize(t.Context(), client.Value{Size: new(int64(size)), Metadata: &client.Metadata{ContentType: "text/plain"}})
			require.NoError(t, err)
			require.NotNil(t, made.Encryption)
			for name := range made.Upload.Header {
				require.NotContains(t, strings.ToLower(name), "x-amz-")
			}
			require.Equal(t, "application/octet-stream", made.Upload.Header.Get("Content-Type"))
			noSecrets(t, fmt.Errorf("%v %+v %#v %s", made, made, made, made.Encryption))
			require.NotContains(t, fmt.Sprintf("%v %+v %#v %x", made, made, made, made), fmt.Sprintf("%x", made.Encryption.Key[:8]))
			require.NoError(t, session.Upload(t.Context(), made, bytes.NewReader(value), int64(size)))

			d, err := session.Detokenize(t.Context(), made.Token)
			require.NoError(t, err)
			require.Equal(t, made.Encryption, d.Encryption)
			require.Equal(t, "text/plain", d.Metadata.ContentType)
			body, err := session.Download(t.Context(), d)
			require.NoError(t, err)
			read, err := io.ReadAll(body)
			require.NoError(t, err)
			require.NoError(t, body.Close())
			require.True(t, bytes.Equal(value, read))

			ciphertext := stored(t, session, d)
			if size >= 1000 { // a short value can be part of a ciphertext by chance
				require.False(t, bytes.Contains(ciphertext, value), "the value is in the store in clear")
			}
			tink, err := subtle.NewAESGCMHKDF(d.Encryption.Key, "SHA256", 32, 1<<20, 0)
			require.NoError(t, err)
			opened, err := tink.NewDecryptingReader(bytes.NewReader(ciphertext), d.Encryption.AssociatedData)
			require.NoError(t, err)
			read, err = io.ReadAll(opened)
			require.NoError(t, err)
			require.True(t, bytes.Equal(value, read))
		})
	}
}

// stored returns the object's bytes.
func stored(t *testing.T, session *client.Client, d client.Detokenized) []byte {
	t.Helper()
	d.Encryption = nil
	body, err := session.Download(t.Context(), d)
	require.NoError(t, err)
	ciphertext, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	return ciphertext
}

// TestPlaintextIsRefused: a client that does not encrypt is refused by the store, because the ciphertext's size is signed.
func TestPlaintextIsRefused(t *testing.T) {
	g := gatewaytest.Start(t, clientMode)
	session := newClient(t, g.URL, g.Session(gatewaytest.Own, "login"), nil)
	_, err := session.Tokenize(t.Context(), client.Value{})
	require.ErrorIs(t, err, client.ErrBadUserInput, "without a size")
	made, err := session.Tokenize(t.Context(), client.Value{Size: new(int64(11))})
	require.NoError(t, err)
	plain := made
	plain.Encryption = nil
	var refused *client.StorageError
	require.ErrorAs(t, session.Upload(t.Context(), plain, strings.NewReader("123-45-6789"), 11), &refused)
	require.Equal(t, http.StatusForbidden, refused.Status)
	require.ErrorIs(t, session.Upload(t.Context(), made, strings.NewReader("123-45-678"), 11), client.ErrBadUserInput, "shorter")
	require.ErrorIs(t, session.Upload(t.Context(), made, strings.NewReader("123-45-67890"), 11), client.ErrBadUserInput, "longer")
	require.Eventually(t, func() bool { // 409 while the store still has the upload that was cut
		return session.Upload(t.Context(), made, strings.NewReader("123-45-6789"), 11) == nil
	}, time.Minute, 20*time.Millisecond, "nothing was stored before")
}

// TestUnknownEncryption: an answer that this client can't act on is refused, and the value is not sent in clear.
func TestUnknownEncryption(t *testing.T) {
	for name, encryption := range map[string]string{
		"another scheme": `{"scheme":"TINK_AES256_GCM_HKDF_4KB","key":"` + strings.Repeat("A", 43) + `=","associatedData":""}`,
		"no scheme":      `{"key":"` + strings.Repeat("A", 43) + `=","associatedData":""}`,
		"a short key":    `{"scheme":"TINK_AES256_GCM_HKDF_1MB","key":"AAAA","associatedData":""}`,
		"not base64":     `{"scheme":"TINK_AES256_GCM_HKDF_1MB","key":"%","associatedData":""}`,
		"a list":         `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			answer := `{"data":{"tokenize":{"token":"` + token + `","upload":` + signedBody + `,"encryption":` + encryption + `}}}`
			_, err := newClient(t, newFake(t, ok(answer)).URL, always, nil).Tokenize(t.Context(), client.Value{})
			require.ErrorIs(t, err, client.ErrBadAnswer)
			noSecrets(t, err)
		})
	}
}

// TestChangedObject: a value that was changed in the store gives an error, and no changed byte.
func TestChangedObject(t *testing.T) {
	store := newFake(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte{40}, 200)) })
	c := newClient(t, "https://gateway.example", always, nil)
	for name, size := range map[string]int{"a key": 32, "no key": 0} {
		t.Run(name, func(t *testing.T) {
			d := client.Detokenized{
				Download: client.SignedRequest{Method: "GET", URL: store.URL + "/v"}, Encryption: &client.Encryption{Key: make([]byte, size)},
			}
			body, err := c.Download(t.Context(), d)
			if size == 0 {
				require.ErrorIs(t, err, client.ErrBadUserInput)
				return
			}
			require.NoError(t, err)
			read, err := io.ReadAll(body)
			require.ErrorIs(t, err, client.ErrCiphertext)
			require.Empty(t, read)
		})
	}
}
