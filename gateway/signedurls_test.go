package gateway_test

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// sendSigned sends a signed request as any holder of its URL can, and returns the status and the body.
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

// TestSignedRequestsOfADeletedTokenAreRefused, whether they were used before or not.
func TestSignedRequestsOfADeletedTokenAreRefused(t *testing.T) {
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

// TestUploadsUnderWayEndWithTheirTokenAndSession: the client gets its answer in the middle of its body, no temporary file
// is left, and the same URL is refused from then on. A slow client would be cut later than a test may take.
func TestUploadsUnderWayEndWithTheirTokenAndSession(t *testing.T) {
	g := gatewaytest.Start(t, func(c *gateway.Config) { c.Objects.Embedded.Grace = 5 * time.Minute })
	app, err := client.New(client.Options{Endpoint: g.URL, Credentials: g.Application(gatewaytest.Own)})
	require.NoError(t, err)
	for name, test := range map[string]struct {
		end        func(t *testing.T, token, session string)
		during     int
		reason     string
		afterwards int
		code       string
	}{
		"deleteTokens": {func(t *testing.T, token, _ string) {
			n, err := app.DeleteTokens(t.Context(), []string{token})
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}, http.StatusNotFound, "missing", http.StatusPreconditionFailed, "NoSuchKey"},
		"endSession": {func(t *testing.T, _, session string) {
			n, err := app.EndSession(t.Context(), appkit.SessionID(session))
			require.NoError(t, err)
			require.Equal(t, 2, n)
		}, http.StatusForbidden, "ended", http.StatusForbidden, "AccessDenied"},
		"/session/end": {func(t *testing.T, _, session string) {
			res, err := http.DefaultClient.Do(newRequest(t, http.MethodPost, g.URL+"/session/end", strings.NewReader("{}"),
				"Authorization", "Bearer "+jwtOf(t, g.Session(gatewaytest.Own, session)), "Content-Type", "application/json"))
			require.NoError(t, err)
			defer func() { _ = res.Body.Close() }()
			text, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.JSONEq(t, `{"revoked":2}`, string(text))
		}, http.StatusForbidden, "ended", http.StatusForbidden, "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			session := "session of " + name
			user, err := client.New(client.Options{Endpoint: g.URL, Credentials: g.Session(gatewaytest.Own, session)})
			require.NoError(t, err)
			made, err := user.Tokenize(t.Context(), client.Value{})
			require.NoError(t, err)
			under := beginUpload(t, made.Upload)
			before := refusals(t, g, test.reason)
			test.end(t, made.Token, session)
			status, text := under.answer(t)
			require.Equal(t, test.during, status, text)
			require.Contains(t, text, "<Code>"+test.code+"</Code>")
			left, err := os.ReadDir(filepath.Join(g.Config.Objects.Embedded.Dir, "values", "tmp"))
			require.NoError(t, err)
			require.Empty(t, left)
			require.Equal(t, before+1, refusals(t, g, test.reason))
			status, _ = sendSigned(t, made.Upload, strings.NewReader("again"))
			require.Equal(t, test.afterwards, status)
		})
	}
}

// TestASignedDownloadOutlivesItsGrantOnly, as docs/threat-model.md says of signed URLs.
func TestASignedDownloadOutlivesItsGrantOnly(t *testing.T) {
	g := gatewaytest.Start(t, nil)
	app, err := client.New(client.Options{Endpoint: g.URL, Credentials: g.Application(gatewaytest.Own)})
	require.NoError(t, err)
	read := func(t *testing.T, session string, v client.Value) (*client.Client, client.Tokenized, client.SignedRequest) {
		t.Helper()
		user, err := client.New(client.Options{Endpoint: g.URL, Credentials: g.Session(gatewaytest.Own, session)})
		require.NoError(t, err)
		made, err := user.Tokenize(t.Context(), v)
		require.NoError(t, err)
		status, _ := sendSigned(t, made.Upload, strings.NewReader("value"))
		require.Equal(t, http.StatusOK, status)
		before := time.Now()
		redeemed, err := user.Detokenize(t.Context(), made.Token)
		require.NoError(t, err)
		require.False(t, redeemed.Download.ExpiresAt.After(before.Add(g.Config.Objects.DownloadLifetime+time.Minute)), "the URL expires after its own lifetime")
		return user, made, redeemed.Download
	}
	t.Run("a grant that is revoked", func(t *testing.T) {
		user, made, download := read(t, "revoked", client.Value{})
		n, err := app.RevokeGrants(t.Context(), client.Revocation{Session: appkit.SessionID("revoked")})
		require.NoError(t, err)
		require.Equal(t, 2, n)
		_, err = user.Detokenize(t.Context(), made.Token)
		require.ErrorIs(t, err, client.ErrGrantRequired)
		status, text := sendSigned(t, download, nil)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "value", text)
	})
	t.Run("a session that is ended", func(t *testing.T) {
		_, _, download := read(t, "ended", client.Value{})
		_, err := app.EndSession(t.Context(), appkit.SessionID("ended"))
		require.NoError(t, err)
		status, text := sendSigned(t, download, nil)
		require.Equal(t, http.StatusForbidden, status)
		require.NotContains(t, text, "value")
	})
	t.Run("a token that ends", func(t *testing.T) {
		_, made, download := read(t, "ttl", client.Value{TTL: 30 * time.Second})
		require.False(t, download.ExpiresAt.After(made.ExpiresAt))
	})
}

// underWay is an upload whose body does not end.
type underWay struct {
	answered chan *http.Response
	failed   chan error
}

// beginUpload returns once the store reads the upload's body, which it announces with 100 Continue.
func beginUpload(t *testing.T, r client.SignedRequest) *underWay {
	t.Helper()
	reads := make(chan struct{})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(reads) }})
	body, feed := io.Pipe()
	t.Cleanup(func() { _ = feed.Close() })
	in, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	require.NoError(t, err)
	in.Header = r.Header.Clone()
	in.Header.Set("Expect", "100-continue")
	transport := &http.Transport{ExpectContinueTimeout: time.Minute}
	t.Cleanup(transport.CloseIdleConnections)
	u := &underWay{make(chan *http.Response, 1), make(chan error, 1)}
	go func() {
		res, err := transport.RoundTrip(in)
		if err != nil {
			u.failed <- err
			return
		}
		u.answered <- res
	}()
	select {
	case <-reads:
	case err := <-u.failed:
		require.NoError(t, err)
	case res := <-u.answered:
		t.Fatalf("refused before its body: %d", res.StatusCode)
	}
	_, err = feed.Write(make([]byte, 100_000))
	require.NoError(t, err)
	return u
}

// answer waits for the store's answer while the body goes on.
func (u *underWay) answer(t *testing.T) (int, string) {
	t.Helper()
	select {
	case err := <-u.failed:
		require.NoError(t, err)
		return 0, ""
	case res := <-u.answered:
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(text)
	}
}

// refusals returns the gateway's counts of the embedded store's refusals.
func refusals(t *testing.T, g *gatewaytest.Gateway, reason string) (n int) {
	t.Helper()
	found := regexp.MustCompile(`(?m)^cloakroom_objects_refused_total\{reason="` + reason + `"\} (\d+)$`).FindStringSubmatch(metrics(t, g))
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(found[1])
	require.NoError(t, err)
	return n
}

// TestAnUploadEndsWithItsToken: an upload's URL expires when its token does.
func TestAnUploadEndsWithItsToken(t *testing.T) {
	g := gatewaytest.Start(t, nil)
	user, err := client.New(client.Options{Endpoint: g.URL, Credentials: g.Session(gatewaytest.Own, "s")})
	require.NoError(t, err)
	made, err := user.Tokenize(t.Context(), client.Value{TTL: time.Minute})
	require.NoError(t, err)
	require.False(t, made.ExpiresAt.IsZero())
	require.False(t, made.Upload.ExpiresAt.After(made.ExpiresAt))
}

// TestADownloadMayOutlastTheTimeouts: a client that goes on reading is not cut.
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
	value, err := user.Download(t.Context(), read)
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
