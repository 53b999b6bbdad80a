package client_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/directives"
)

var (
	oneGrant   = []directives.Grant{{Tokens: []string{token}, Kinds: []directives.GrantKind{directives.GrantKindRead}}}
	bothChecks = []directives.Check{{Token: token, Kind: directives.GrantKindRead}, {Token: token, Kind: directives.GrantKindStore}}
)

// noSecrets requires that no way of printing an error shows a secret.
func noSecrets(t testing.TB, err error) {
	t.Helper()
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%v", err)} {
		for _, secret := range []string{jwt, token, signed, "secret-key"} {
			require.NotContains(t, text, secret)
		}
	}
}

func TestAnUnreachableGateway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	c := newClient(t, "http://"+l.Addr().String(), always, nil)
	for name, call := range calls(t.Context(), c) {
		err := call()
		require.ErrorIs(t, err, client.ErrUnavailable, name)
		var op *net.OpError
		require.ErrorAs(t, err, &op, name)
		noSecrets(t, err)
	}
}

// A request that can't have arrived is sent again, also if its operation is not repeatable.
func TestRequestsThatCouldNotArriveAreRepeated(t *testing.T) {
	f := newFake(t, ok(`{"data":{"tokenize":{"token":"`+token+`","upload":`+signedBody+`}}}`))
	dials := 0
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials < 3 {
			return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("refused")}
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	c := newClient(t, f.URL, always, func(o *client.Options) { o.HTTPClient = &http.Client{Transport: transport} })
	made, err := c.Tokenize(t.Context(), client.Value{})
	require.NoError(t, err)
	require.Equal(t, token, made.Token)
	require.EqualValues(t, 1, f.requests.Load())
}

func TestRetries(t *testing.T) {
	repeatable := map[string]bool{
		"CreateGrants": true, "VerifyGrants": true, "VerifyBoth": true, "Detokenize": true, "DetokenizeBatch": true,
		"Token": true, "Viewer": true, "EndSession": true,
	}
	for name, failing := range map[string]http.HandlerFunc{
		"dropped": dropped, "502": answer(502, "text/html", "<h1>bad gateway</h1>"), "503": answer(503, "text/plain", ""),
		"504": answer(504, "application/json", `{"message":"timeout"}`), "UNAVAILABLE": refusal("UNAVAILABLE"),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, failing)
			c := newClient(t, f.URL, always, nil)
			for method, call := range calls(t.Context(), c) {
				before := f.requests.Load()
				require.ErrorIs(t, call(), client.ErrUnavailable, "%s of %s", method, name)
				want := 1
				if repeatable[method] {
					want = client.DefaultAttempts
				}
				require.EqualValues(t, want, f.requests.Load()-before, "%s of %s", method, name)
			}
		})
	}
	f := newFake(t, dropped, refusal("UNAVAILABLE"), ok(grantedBody))
	granted, err := newClient(t, f.URL, always, nil).CreateGrants(t.Context(), "s", oneGrant)
	require.NoError(t, err)
	require.Len(t, granted, 1)
	f = newFake(t, refusal("UNAVAILABLE"))
	_, err = newClient(t, f.URL, always, func(o *client.Options) { o.Attempts = 1 }).Viewer(t.Context())
	require.ErrorIs(t, err, client.ErrUnavailable)
	require.EqualValues(t, 1, f.requests.Load())
	for _, code := range []string{"FORBIDDEN", "RATE_LIMITED", "INTERNAL", "LIMIT_EXCEEDED"} {
		f = newFake(t, refusal(code))
		_, err = newClient(t, f.URL, always, nil).CreateGrants(t.Context(), "s", oneGrant)
		require.ErrorIs(t, err, client.Code(code))
		require.EqualValues(t, 1, f.requests.Load(), code)
	}
}

// A gateway that is slow at any stage: the call ends at its deadline, its timeout or its cancellation.
func TestSlowAnswersEndInTime(t *testing.T) {
	release := make(chan struct{})
	arrived := make(chan struct{}, 100)
	hang := func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
	halfway := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":{"createGrants":`)
		w.(http.Flusher).Flush()
		hang(w, r)
	}
	for name, slow := range map[string]http.HandlerFunc{"before the header": hang, "within the body": halfway} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, slow)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := newClient(t, f.URL, always, nil).CreateGrants(ctx, "s", oneGrant)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, err, client.ErrUnavailable)
			require.Less(t, time.Since(start), 10*time.Second)

			c := newClient(t, f.URL, always, func(o *client.Options) { o.Timeout = 50 * time.Millisecond })
			_, err = c.VerifyGrants(t.Context(), "s", bothChecks)
			require.ErrorIs(t, err, context.DeadlineExceeded)

			for len(arrived) > 0 {
				<-arrived
			}
			ctx, cancel = context.WithCancel(t.Context())
			go func() { <-arrived; cancel() }()
			_, err = newClient(t, f.URL, always, nil).CreateGrants(ctx, "s", oneGrant)
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, client.ErrUnavailable)
		})
	}
	close(release)
}

// The client does not start a wait that the deadline would cut off.
func TestNoWaitBeyondTheDeadline(t *testing.T) {
	f := newFake(t, refusal("UNAVAILABLE"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	c := newClient(t, f.URL, always, func(o *client.Options) { o.Attempts, o.Timeout = 1000, time.Second })
	start := time.Now()
	_, err := c.Viewer(ctx)
	require.ErrorIs(t, err, client.ErrUnavailable)
	require.Less(t, time.Since(start), 10*time.Second)
	require.Less(t, f.requests.Load(), int64(100), "the client waits between attempts")
}

func TestMalformedAnswersAreErrors(t *testing.T) {
	huge := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for range 64 {
			_, _ = io.WriteString(w, strings.Repeat(" ", 1<<10))
		}
	}
	bomb := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(make([]byte, 1<<20))
		_ = z.Close()
	}
	for name, rubbish := range map[string]http.HandlerFunc{
		"HTML": answer(200, "text/html", "<html>"+jwt), "HTML as JSON": ok("<html>"), "nothing": ok(""), "null": ok("null"),
		"truncated": ok(grantedBody[:40]), "a list": ok("[]"), "a string": ok(`"x"`), "trailing": ok(grantedBody + "{}"),
		"no data": ok(`{}`), "null data": ok(`{"data":null}`), "data of another type": ok(`{"data":"` + jwt + `"}`),
		"an empty object": ok(`{"data":{}}`), "null fields": ok(`{"data":{"createGrants":null,"verifyGrants":null,` +
			`"tokenize":null,"tokenizeBatch":null,"detokenize":null,"detokenizeBatch":null,"viewer":null,"revokeGrants":null,"carryGrants":null,"endSession":null,"deleteTokens":null,"token":{}}}`),
		"null entries": ok(`{"data":{"createGrants":{"grants":[null]},"verifyGrants":{"valid":false,"missing":[null]},"tokenizeBatch":[null,null],` +
			`"detokenizeBatch":[null],"token":{"id":null}}}`),
		"an unknown type": ok(`{"data":{"detokenizeBatch":[{"__typename":"` + jwt + `"}],"token":{}}}`),
		"other tokens": ok(`{"data":{"verifyGrants":{"valid":false,"missing":[{"token":"tok-other","kind":"READ"}]},"token":{"id":"other"},` +
			`"detokenize":{"token":"other","download":` + signedBody + `}}}`),
		"another kind":                 ok(`{"data":{"verifyGrants":{"valid":false,"missing":[{"token":"` + token + `","kind":"BOTH"}]},"token":{}}}`),
		"a token without its kind":     ok(`{"data":{"verifyGrants":{"valid":false,"missing":[{"token":"` + token + `"}]},"token":{}}}`),
		"both":                         ok(`{"data":{"verifyGrants":{"valid":true,"missing":[{"token":"` + token + `","kind":"READ"}]},"token":{}}}`),
		"invalid with nothing missing": ok(`{"data":{"verifyGrants":{"valid":false,"missing":[]},"token":{}}}`),
		"valid without a list":         ok(`{"data":{"verifyGrants":{"valid":true},"token":{}}}`),
		"fewer grants than were asked": ok(`{"data":{"createGrants":{"grants":[]},"token":{}}}`),
		"more grants than were asked":  ok(`{"data":{"createGrants":{"grants":[{"expiresAt":"2030-01-01T00:00:00Z","missing":[]},{"expiresAt":null,"missing":[]}]},"token":{}}}`),
		"grants without a list":        ok(`{"data":{"createGrants":{"grants":[{"expiresAt":"2030-01-01T00:00:00Z"}]},"token":{}}}`),
		"grants without an expiry":     ok(`{"data":{"createGrants":{"grants":[{"expiresAt":null,"missing":[]}]},"token":{}}}`),
		"an expiry without a grant":    ok(`{"data":{"createGrants":{"grants":[{"expiresAt":"2030-01-01T00:00:00Z","missing":["` + token + `"]}]},"token":{}}}`),
		"another token is missing":     ok(`{"data":{"createGrants":{"grants":[{"expiresAt":null,"missing":["tok-other"]}]},"token":{}}}`),
		"wrong times":                  ok(`{"data":{"createGrants":{"grants":[{"expiresAt":"` + jwt + `","missing":[]}]}}}`),
		"huge":                         huge, "a gzip bomb": bomb, "too deep": ok(strings.Repeat(`{"data":`, 20_000)),
		"a null error": ok(`{"errors":[null]}`), "teapot": answer(418, "text/plain", jwt), "500": answer(500, "text/html", jwt),
		"500 in JSON": answer(500, "application/json", `{"data":{"token":null}}`),
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, newFake(t, rubbish).URL, always, func(o *client.Options) { o.MaxAnswer = 16 << 10 })
			for method, call := range calls(t.Context(), c) {
				err := call()
				require.ErrorIs(t, err, client.ErrBadAnswer, method)
				noSecrets(t, err)
			}
		})
	}
}

// A signed request that would send the value, or its key, in clear is refused.
func TestUnsafeSignedRequest(t *testing.T) {
	for _, url := range []string{"http://store.example/v?" + signed, "ftp://store.example/v", "//store.example", "%zz", ""} {
		body := strings.ReplaceAll(signedBody, "https://store.example/v/1?"+signed, url)
		c := newClient(t, newFake(t, ok(`{"data":{"tokenize":{"token":"`+token+`","upload":`+body+`}}}`)).URL, always, nil)
		_, err := c.Tokenize(t.Context(), client.Value{})
		require.ErrorIs(t, err, client.ErrBadAnswer, url)
		noSecrets(t, err)
		err = c.Upload(t.Context(), client.Tokenized{Upload: client.SignedRequest{Method: "PUT", URL: url}}, strings.NewReader("x"), 1)
		require.ErrorIs(t, err, client.ErrBadUserInput, url)
		noSecrets(t, err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	reached := newFake(t, ok(grantedBody))
	for _, status := range []int{301, 302, 303, 307, 308} {
		f := newFake(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, reached.URL, status) })
		for _, own := range []*http.Client{nil, {}, {CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}} {
			c := newClient(t, f.URL, always, func(o *client.Options) { o.HTTPClient = own })
			_, err := c.CreateGrants(t.Context(), "s", oneGrant)
			require.ErrorIs(t, err, client.ErrBadAnswer)
			err = c.Upload(t.Context(), client.Tokenized{Upload: client.SignedRequest{Method: "PUT", URL: f.URL + "/?" + signed}}, strings.NewReader("x"), 1)
			var refused *client.StorageError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, status, refused.Status)
			noSecrets(t, err)
		}
	}
	require.Zero(t, reached.requests.Load())
}

func TestStorageNeverGetsTheJWT(t *testing.T) {
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-Key") != "secret-key" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	c := newClient(t, "https://gateway.example", always, nil)
	r := client.SignedRequest{Method: "PUT", URL: store.URL + "/v?" + signed, Header: http.Header{"X-Key": {"secret-key"}}}
	require.NoError(t, c.Upload(t.Context(), client.Tokenized{Upload: r}, strings.NewReader("value"), 5))
	require.NoError(t, c.Upload(t.Context(), client.Tokenized{Upload: r}, strings.NewReader(""), 0))
	require.ErrorIs(t, c.Upload(t.Context(), client.Tokenized{Upload: r}, strings.NewReader("x"), 0), client.ErrBadUserInput, "longer than its size")
	require.ErrorIs(t, c.Upload(t.Context(), client.Tokenized{Upload: r}, strings.NewReader("x"), -1), client.ErrBadUserInput)
	err := c.Upload(t.Context(), client.Tokenized{Upload: r}, strings.NewReader("val"), 5)
	require.Error(t, err)
	noSecrets(t, err)
	noSecrets(t, fmt.Errorf("%v %+v %#v %s %q", r, r, &r, r, r))
	store.Close()
	_, err = c.Download(t.Context(), client.Detokenized{Download: r})
	require.ErrorIs(t, err, client.ErrUnavailable)
	noSecrets(t, err)
}
