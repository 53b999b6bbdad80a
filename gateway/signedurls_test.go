package gateway_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// sendSigned sends a signed request as whoever holds it could, and returns the status and the body.
func sendSigned(t *testing.T, r client.SignedRequest, body io.Reader) (int, string) {
	t.Helper()
	in, err := http.NewRequestWithContext(t.Context(), r.Method, r.URL, body)
	require.NoError(t, err)
	in.Header = r.Header.Clone()
	res, err := http.DefaultClient.Do(in)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(text)
}

// TestWhatWasSignedForADeletedToken is of no use, be it used before or not.
func TestWhatWasSignedForADeletedToken(t *testing.T) {
	g := gatewaytest.Start(t, nil)
	user, err := client.New(client.Options{Endpoint: g.URL, Credentials: g.Session(gatewaytest.Own, "s")})
	require.NoError(t, err)
	app, err := client.New(client.Options{Endpoint: g.URL, Credentials: g.Application(gatewaytest.Own)})
	require.NoError(t, err)
	used, err := user.Tokenize(t.Context(), client.Value{})
	require.NoError(t, err)
	unused, err := user.Tokenize(t.Context(), client.Value{})
	require.NoError(t, err)
	status, _ := sendSigned(t, used.Upload, strings.NewReader("value"))
	require.Equal(t, http.StatusOK, status)
	read, err := user.Detokenize(t.Context(), used.Token)
	require.NoError(t, err)
	n, err := app.DeleteTokens(t.Context(), []string{used.Token, unused.Token})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	for _, r := range []client.SignedRequest{used.Upload, unused.Upload} {
		status, _ = sendSigned(t, r, strings.NewReader("another's bytes"))
		require.Equal(t, http.StatusPreconditionFailed, status)
	}
	status, text := sendSigned(t, read.Download, nil)
	require.Equal(t, http.StatusNotFound, status)
	require.NotContains(t, text, "value")
}

// TestUploadsUnderWayEndWithTheirTokenAndSession: nothing is left of them in temporary files.
func TestUploadsUnderWayEndWithTheirTokenAndSession(t *testing.T) {
	g := gatewaytest.Start(t, nil)
	user, err := client.New(client.Options{Endpoint: g.URL, Credentials: g.Session(gatewaytest.Own, "s")})
	require.NoError(t, err)
	app, err := client.New(client.Options{Endpoint: g.URL, Credentials: g.Application(gatewaytest.Own)})
	require.NoError(t, err)
	under := func() int {
		all, err := os.ReadDir(filepath.Join(g.Config.Objects.Embedded.Dir, "values", "tmp"))
		require.NoError(t, err)
		return len(all)
	}
	endUpload(t, user, under, func(token string) error { _, err := app.DeleteTokens(t.Context(), []string{token}); return err })
	endUpload(t, user, under, func(string) error { _, err := app.EndSession(t.Context(), "s"); return err })
}

// endUpload begins an upload, ends what it is for, and waits until it is over.
func endUpload(t *testing.T, user *client.Client, under func() int, end func(token string) error) {
	made, err := user.Tokenize(t.Context(), client.Value{})
	require.NoError(t, err)
	body, feed := io.Pipe()
	in, err := http.NewRequestWithContext(t.Context(), made.Upload.Method, made.Upload.URL, body)
	require.NoError(t, err)
	in.Header = made.Upload.Header.Clone()
	status := make(chan int, 1)
	go func() {
		res, err := http.DefaultClient.Do(in)
		if err != nil {
			status <- 0
			return
		}
		_ = res.Body.Close()
		status <- res.StatusCode
	}()
	_, err = feed.Write(make([]byte, 100_000))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return under() == 1 }, time.Minute, time.Millisecond)
	require.NoError(t, end(made.Token))
	require.Eventually(t, func() bool { return under() == 0 }, time.Minute, time.Millisecond)
	_ = feed.Close()
	require.NotEqual(t, http.StatusOK, <-status)
}

// TestAnUploadEndsWithItsToken: its URL says so.
func TestAnUploadEndsWithItsToken(t *testing.T) {
	g := gatewaytest.Start(t, nil)
	user, err := client.New(client.Options{Endpoint: g.URL, Credentials: g.Session(gatewaytest.Own, "s")})
	require.NoError(t, err)
	made, err := user.Tokenize(t.Context(), client.Value{TTL: time.Minute})
	require.NoError(t, err)
	require.False(t, made.ExpiresAt.IsZero())
	require.False(t, made.Upload.ExpiresAt.After(made.ExpiresAt))
}

// TestADownloadMayOutlastTheTimeouts: a client that reads goes on, however long that takes.
func TestADownloadMayOutlastTheTimeouts(t *testing.T) {
	g := gatewaytest.Start(t, func(c *gateway.Config) { c.HTTP.ReadTimeout = time.Second })
	user, err := client.New(client.Options{Endpoint: g.URL, Credentials: g.Session(gatewaytest.Own, "s")})
	require.NoError(t, err)
	const size = 32 << 20
	made, err := user.Tokenize(t.Context(), client.Value{Size: new(int64(size))})
	require.NoError(t, err)
	status, _ := sendSigned(t, made.Upload, strings.NewReader(strings.Repeat("v", size)))
	require.Equal(t, http.StatusOK, status)
	read, err := user.Detokenize(t.Context(), made.Token)
	require.NoError(t, err)
	value, err := user.Download(t.Context(), read.Download)
	require.NoError(t, err)
	defer func() { _ = value.Close() }()
	total := 0
	for range 5 { // more than the kernel keeps, in more time than ReadTimeout
		n, err := io.ReadFull(value, make([]byte, 1<<20))
		require.NoError(t, err)
		total += n
		time.Sleep(400 * time.Millisecond)
	}
	rest, err := io.Copy(io.Discard, value)
	require.NoError(t, err)
	require.EqualValues(t, size, total+int(rest))
}
