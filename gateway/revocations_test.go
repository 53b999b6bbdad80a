package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/gateway"
)

// unreadable is one event of the subscription revocations.
type unreadable struct {
	Tokens       []string
	All          bool
	SessionEnded bool
}

// subscription is an open stream.
type subscription struct {
	lines *bufio.Reader
	close func()
}

// subscribe opens a subscription at a URL for tokens, with the headers of a credential.
func subscribe(t *testing.T, client *http.Client, url string, tokens []string, headers ...string) *subscription {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"query": "subscription($t: [TokenID!]!) { revocations(tokens: $t) { tokens all sessionEnded } }", "variables": map[string]any{"t": tokens},
	})
	require.NoError(t, err)
	if tokens == nil {
		body = []byte(`{"query":"subscription { revocations { tokens all sessionEnded } }"}`)
	}
	r := newRequest(t, "POST", url+"/graphql", strings.NewReader(string(body)), append(headers, "Content-Type", "application/json", "Accept", "text/event-stream")...)
	resp, err := client.Do(r)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	s := &subscription{bufio.NewReader(resp.Body), func() { _ = resp.Body.Close() }}
	t.Cleanup(s.close)
	return s
}

// next returns the name and the data of the next event; "" once the stream has ended.
func (s *subscription) next(t *testing.T) (name, data string) {
	t.Helper()
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return "", ""
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "event: "):
			name = line[7:]
		case strings.HasPrefix(line, "data:"):
			data = line[5:]
		case line == "" && name != "":
			return name, data
		}
	}
}

// told returns the next event.
func (s *subscription) told(t *testing.T) (u unreadable) {
	t.Helper()
	name, data := s.next(t)
	require.Equal(t, "next", name)
	var r struct {
		Data   struct{ Revocations unreadable }
		Errors []any
	}
	require.NoError(t, json.Unmarshal([]byte(data), &r))
	require.Empty(t, r.Errors, data)
	return r.Data.Revocations
}

// tells takes events until one has the tokens, which are all that it may have. Any event may have All: a replica that can't poll for
// a while tells so.
func (s *subscription) tells(t *testing.T, tokens ...string) {
	t.Helper()
	for u := s.told(t); ; u = s.told(t) {
		if len(u.Tokens) > 0 || !u.All {
			require.Equal(t, tokens, u.Tokens)
			return
		}
	}
}

// tellsAll takes events until one has All.
func (s *subscription) tellsAll(t *testing.T) (u unreadable) {
	t.Helper()
	for u = s.told(t); !u.All; u = s.told(t) {
		require.NotEmpty(t, u.Tokens)
	}
	return u
}

// tellsEnd takes events until the session has ended; then the stream is complete.
func (s *subscription) tellsEnd(t *testing.T) {
	t.Helper()
	for u := s.tellsAll(t); !u.SessionEnded; u = s.tellsAll(t) {
		continue
	}
	name, _ := s.next(t)
	require.Equal(t, "complete", name)
	name, _ = s.next(t)
	require.Empty(t, name, "the stream has ended")
}

// revoker is a world with two replicas, and the credential of the clinic's backend.
type revoker struct {
	*framedWorld
	replica string // URL of the second one
	app     []string
}

func newRevoker(t *testing.T) *revoker {
	w := &framedWorld{world: newWorld(t, false, unhurriedPoll)}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w.cfg.Objects.Embedded.Dir = t.TempDir()
	second := w.open(t)
	server := &http.Server{Handler: second, ReadHeaderTimeout: time.Minute}
	server.RegisterOnShutdown(second.EndStreams)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return &revoker{w, "http://" + l.Addr().String(), []string{"Authorization", "Bearer " + w.secret(w.clinic.session(map[string]any{"sid": nil, "roles": []string{"application"}}))}}
}

// session returns a session's credential, as headers.
func (r *revoker) session(sid string) []string {
	return []string{"Authorization", "Bearer " + r.secret(r.clinic.session(map[string]any{"sid": sid}))}
}

// run runs an application's operation; on a busy machine a write may have to be tried again.
func (r *revoker) run(t *testing.T, document string) {
	t.Helper()
	b, err := json.Marshal(map[string]string{"query": document})
	require.NoError(t, err)
	got := r.graphql(t, nil, string(b), r.app...)
	for got.code() == "UNAVAILABLE" {
		got = r.graphql(t, nil, string(b), r.app...)
	}
	require.Empty(t, got.code(), got.body)
}

// both subscribes at both replicas, and takes the first events, which have the unreadable tokens.
func (r *revoker) both(t *testing.T, session, unreadable []string, tokens ...string) []*subscription {
	t.Helper()
	var all []*subscription
	for _, url := range []string{r.url, r.replica} {
		s := subscribe(t, http.DefaultClient, url, tokens, session...)
		require.Equal(t, unreadable, s.told(t).Tokens)
		all = append(all, s)
	}
	return all
}

// TestRevocationsAreTold at every replica, of this session's tokens alone.
func TestRevocationsAreTold(t *testing.T) {
	r := newRevoker(t)
	t.Cleanup(func() { r.checkLog(t) })
	unknown := "tok-00000000-0000-4000-8000-000000000001"
	for name, test := range map[string]struct {
		revoke string
		all    bool // of the session
	}{
		"a token of the session":     {`mutation { revokeGrants(input: {sessionId: "SESSION", tokens: ["TOKEN"]}) { revoked } }`, false},
		"READ of the token":          {`mutation { revokeGrants(input: {tokens: ["TOKEN"], kinds: [READ]}) { revoked } }`, false},
		"a token of all sessions":    {`mutation { revokeGrants(input: {tokens: ["TOKEN", "OTHER"]}) { revoked } }`, false},
		"a token that is deleted":    {`mutation { deleteTokens(tokens: ["TOKEN"]) { deleted } }`, false},
		"all tokens of the session":  {`mutation { revokeGrants(input: {sessionId: "SESSION"}) { revoked } }`, true},
		"grants that move elsewhere": {`mutation { carryGrants(input: {fromSessionId: "SESSION", toSessionId: "TARGET"}) { carried } }`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sid := "session of " + name
			session, other := r.session(sid), r.tokenize(t, r.session("other session of "+name)...)
			mine, stays := r.tokenize(t, session...), r.tokenize(t, session...)
			all := r.both(t, session, []string{unknown}, mine, unknown, stays)
			r.run(t, strings.NewReplacer("SESSION", sid, "TOKEN", mine, "OTHER", other, "TARGET", "target of "+name).Replace(test.revoke))
			for _, s := range all {
				if test.all {
					s.tellsAll(t)
				} else {
					s.tells(t, mine)
				}
			}
			r.both(t, session, []string{mine, unknown}, mine, unknown) // a page that comes back
		})
	}
	t.Run("STORE alone, and others' tokens, are not told", func(t *testing.T) {
		t.Parallel()
		session, other := r.session("a session with a marker"), r.tokenize(t, r.session("another session")...)
		mine, marker := r.tokenize(t, session...), r.tokenize(t, session...)
		all := r.both(t, session, []string{other}, mine, other, marker)
		r.run(t, fmt.Sprintf(`mutation { a: revokeGrants(input: {tokens: ["%s"], kinds: [STORE]}) { revoked } b: deleteTokens(tokens: ["%s"]) { deleted } }`, mine, other))
		r.run(t, fmt.Sprintf(`mutation { revokeGrants(input: {tokens: ["%s"]}) { revoked } }`, marker))
		for _, s := range all {
			s.tells(t, marker)
		}
	})
}

// TestTheEndOfASessionIsTold at every replica, and completes the stream.
func TestTheEndOfASessionIsTold(t *testing.T) {
	r := newRevoker(t)
	t.Run("by the application", func(t *testing.T) {
		t.Parallel()
		session := r.session("a session that is ended")
		all := r.both(t, session, []string{}, r.tokenize(t, session...))
		r.run(t, `mutation { endSession(input: {sessionId: "a session that is ended"}) { revoked } }`)
		for _, s := range all {
			s.tellsEnd(t)
		}
	})
	t.Run("by a sign-out", func(t *testing.T) {
		t.Parallel()
		cookie := []string{"Origin", r.clinic.URL, "Cookie", r.cookieName("session") + "=" + r.signIn(t, r.clinic)}
		token := r.tokenize(t, r.session(r.clinic.sid)...)
		all, byJWT := r.both(t, cookie, []string{}, token), r.both(t, r.session(r.clinic.sid), []string{}, token)
		got := r.do(t, newRequest(t, "POST", r.url+"/session/end", strings.NewReader("{}"), append(cookie, "Content-Type", "application/json")...), nil)
		// On a busy machine the write may be late; then the gateway itself tries again.
		require.Contains(t, []int{http.StatusOK, http.StatusServiceUnavailable}, got.StatusCode, got.body)
		for _, s := range all {
			s.tellsEnd(t)
		}
		for _, s := range byJWT {
			require.False(t, s.tellsAll(t).SessionEnded, "the session goes on, without grants")
		}
	})
}

// TestSubscriptionsNeedTheirOrigin: with a cookie, the rules of every POST apply; nobody else may subscribe.
func TestSubscriptionsNeedTheirOrigin(t *testing.T) {
	r := newRevoker(t)
	cookie := r.cookieName("session") + "=" + r.signIn(t, r.clinic)
	const document = `{"query":"subscription { revocations { all } }"}`
	for name, test := range map[string]struct {
		headers []string
		status  int
		code    string
	}{
		"no Origin":      {[]string{"Cookie", cookie}, http.StatusForbidden, "FORBIDDEN"},
		"another Origin": {[]string{"Cookie", cookie, "Origin", "https://evil.example"}, http.StatusForbidden, "FORBIDDEN"},
		"an application": {r.app, http.StatusOK, "FORBIDDEN"},
		"nobody":         {nil, http.StatusOK, "UNAUTHENTICATED"},
	} {
		t.Run(name, func(t *testing.T) {
			got := r.graphql(t, nil, document, append(test.headers, "Accept", "text/event-stream")...)
			require.Equal(t, test.status, got.StatusCode)
			require.Contains(t, got.body, `"code":"`+test.code+`"`)
		})
	}
}

// TestSubscriptionsAreBounded for each session, and closed ones make room.
func TestSubscriptionsAreBounded(t *testing.T) {
	w := &framedWorld{world: newWorld(t, false, func(c *gateway.Config) { unhurriedPoll(c); c.Subscriptions.MaxPerSession = 2 })}
	w.bearer = "Bearer " + w.secret(w.clinic.session(nil))
	open := func() *subscription {
		return subscribe(t, http.DefaultClient, w.url, nil, "Authorization", w.bearer)
	}
	first := open()
	first.told(t)
	open().told(t)
	_, data := open().next(t)
	require.Contains(t, data, "LIMIT_EXCEEDED")
	require.Contains(t, data, "subscriptions.max_per_session")
	first.close()
	for { // until the gateway has noticed
		if _, data := open().next(t); !strings.Contains(data, "LIMIT_EXCEEDED") {
			break
		}
	}
}

// TestServeEndsStreams: the program does not wait for subscriptions when it stops, and many that come and go leave nothing.
func TestServeEndsStreams(t *testing.T) {
	w := &framedWorld{world: newWorld(t, false, unhurriedPoll)}
	bearer := "Bearer " + w.secret(w.clinic.session(nil))
	w.cfg.Objects.Embedded.Dir = t.TempDir()
	g := w.open(t)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, gateway.Listeners{Gateway: l, Objects: o}) }()
	url := "http://" + l.Addr().String()
	var clients sync.WaitGroup
	for range 30 {
		clients.Go(func() {
			for range 3 {
				r := newRequest(t, "POST", url+"/graphql", strings.NewReader(`{"query":"subscription { revocations { all } }"}`),
					"Content-Type", "application/json", "Accept", "text/event-stream", "Authorization", bearer)
				if resp, err := http.DefaultClient.Do(r); err == nil {
					_, _ = io.CopyN(io.Discard, resp.Body, 40)
					_ = resp.Body.Close()
				}
			}
		})
	}
	clients.Wait()
	s := subscribe(t, http.DefaultClient, url, nil, "Authorization", bearer)
	for { // others may still be counted
		if _, data := s.next(t); !strings.Contains(data, "LIMIT_EXCEEDED") {
			break
		}
		s = subscribe(t, http.DefaultClient, url, nil, "Authorization", bearer)
	}
	stop()
	require.NoError(t, <-served, "nothing was left to finish within http.shutdown_timeout")
	name, _ := s.next(t)
	require.Empty(t, name, "cut, not complete")
}
