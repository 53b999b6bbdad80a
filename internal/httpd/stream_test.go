package httpd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// until is an authenticator whose callers' credentials expire then.
type until time.Time

func (u until) Authenticate(*http.Request) (*caller.Caller, error) {
	return &caller.Caller{Tenant: "clinic", ExpiresAt: time.Time(u)}, nil
}

const subscribing = `{"query":"subscription { revocations { all } }"}`

type channel = chan *model.Revocation

// sending is a resolver whose subscription sends these events and ends; with open it does not end by itself.
func sending(open bool, events ...bool) resolver {
	return resolver{revoked: func(ctx context.Context, _ []*ids.Token) (<-chan *model.Revocation, error) {
		out := make(channel)
		go func() {
			defer close(out)
			for _, all := range events {
				select {
				case out <- &model.Revocation{All: all}:
				case <-ctx.Done():
					return
				}
			}
			if open {
				<-ctx.Done()
			}
		}()
		return out, nil
	}}
}

func newStreamServer(t testing.TB, r resolver, change func(*Options)) *server {
	return newServer(t, r, func(o *Options) {
		o.Authenticator = until(time.Now().Add(time.Hour))
		if change != nil {
			change(o)
		}
	})
}

func event(name, data string) string { return "event: " + name + "\ndata:" + data + "\n\n" }

var (
	trueEvent, falseEvent = event("next", ` {"data":{"revocations":{"all":true}}}`), event("next", ` {"data":{"revocations":{"all":false}}}`)
	completed             = event("complete", "")
)

// TestStream compares exact answers, by what the request accepts.
func TestStream(t *testing.T) {
	past := func(o *Options) { o.Authenticator = until(time.Now().Add(-time.Second)) }
	const query = `{"query":"{ viewer { tenant } }"}`
	for name, test := range map[string]struct {
		body, accept string
		change       func(*Options)
		r            resolver
		status       int
		media, want  string
	}{
		"events":                    {subscribing, mediaStream, nil, sending(false, false, true), 200, mediaStream, ":\n\n" + falseEvent + trueEvent + completed},
		"events, or JSON":           {subscribing, "application/json, text/event-stream;q=0.1", nil, sending(false, true), 200, mediaStream, ":\n\n" + trueEvent + completed},
		"no events":                 {subscribing, mediaStream, nil, sending(false), 200, mediaStream, ":\n\n" + completed},
		"not accepted":              {subscribing, "application/json", nil, sending(false), 406, mediaJSON, ""},
		"not named":                 {subscribing, "*/*", nil, sending(false), 406, mediaJSON, ""},
		"no Accept":                 {subscribing, "", nil, sending(false), 406, mediaJSON, ""},
		"refused by quality":        {subscribing, "text/event-stream;q=0, application/json", nil, sending(false), 406, mediaJSON, ""},
		"a query as a stream":       {query, mediaStream, nil, resolver{}, 200, mediaStream, ":\n\n" + event("next", ` {"data":{"viewer":{"tenant":"clinic"}}}`) + completed},
		"a query as JSON":           {query, "text/event-stream, application/json", nil, resolver{}, 200, mediaJSON, `{"data":{"viewer":{"tenant":"clinic"}}}`},
		"a document with an error":  {`{"query":"subscription { x }"}`, mediaStream, nil, resolver{}, 400, mediaGraphQL, ""},
		"two fields":                {`{"query":"subscription { revocations { all } a: revocations { all } }"}`, mediaStream, nil, resolver{}, 400, mediaGraphQL, ""},
		"no field":                  {`{"query":"subscription { revocations @skip(if: true) { all } }"}`, mediaStream, nil, resolver{}, 400, mediaGraphQL, ""},
		"no JSON":                   {`x`, mediaStream, nil, resolver{}, 400, mediaJSON, ""},
		"an expired credential":     {subscribing, mediaStream, past, sending(true), 200, mediaStream, ":\n\n"},
		"an error of the resolver":  {subscribing, mediaStream, nil, failing(fault.New(fault.Forbidden, "No.")), 200, mediaStream, ""},
		"a limit":                   {subscribing, mediaStream, nil, failing(fault.Limited(time.Second)), 200, mediaStream, ""},
		"a cause that stays secret": {subscribing, mediaStream, nil, failing(io.ErrUnexpectedEOF), 200, mediaStream, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStreamServer(t, test.r, test.change)
			r := post(test.body)
			r.Header.Set("Accept", test.accept)
			got := s.do(t, r)
			require.Equal(t, test.status, got.status, got.raw)
			require.Equal(t, test.media, strings.TrimSuffix(got.header.Get("Content-Type"), "; charset=utf-8"))
			require.Equal(t, "no-store", got.header.Get("Cache-Control"))
			if test.want != "" {
				require.Equal(t, test.want, got.raw)
			}
			require.NotContains(t, got.raw, "EOF")
			require.NotEqual(t, "INTERNAL", got.code())
			if test.r.revoked != nil && test.status == 200 && test.want == "" {
				require.Contains(t, got.raw, `"code":`)
				require.True(t, strings.HasSuffix(got.raw, completed))
			}
		})
	}
}

func failing(err error) resolver {
	return resolver{revoked: func(context.Context, []*ids.Token) (<-chan *model.Revocation, error) { return nil, err }}
}

// TestNoSubscriptionByGET: a GET's URL would hold the tokens.
func TestNoSubscriptionByGET(t *testing.T) {
	s := newStreamServer(t, sending(false), nil)
	r := httptest.NewRequest(http.MethodGet, publicURL+"/graphql?query=subscription%7Brevocations%7Ball%7D%7D", nil)
	r.Header.Set("Accept", mediaStream)
	require.Equal(t, http.StatusMethodNotAllowed, s.do(t, r).status)
}

// TestAStreamIsCharged as its root field, with each token.
func TestAStreamIsCharged(t *testing.T) {
	s := newStreamServer(t, sending(false), func(o *Options) { o.GraphQL.MaxComplexity = 60 })
	r := post(bodyOf(`subscription { revocations(tokens: [` + strings.Repeat(`"tok-00000000-0000-4000-8000-000000000001" `, 50) + `]) { all } }`))
	r.Header.Set("Accept", mediaStream)
	require.Equal(t, "LIMIT_EXCEEDED", s.do(t, r).code())
}

// listen serves a handler over HTTP. It is closed at the end of the test, which waits for all requests.
func (s *server) listen(t testing.TB, configure func(*http.Server)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(s)
	if configure != nil {
		configure(server.Config)
	}
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// subscribe opens a stream.
func subscribe(ctx context.Context, t testing.TB, url string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/graphql", strings.NewReader(subscribing))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", mediaStream)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return resp
}

// TestAStreamLivesOn with comments, for longer than a request may take to be received or executed.
func TestAStreamLivesOn(t *testing.T) {
	s := newStreamServer(t, sending(true, true), func(o *Options) {
		o.Heartbeat, o.HTTP.RequestTimeout = 5*time.Millisecond, 50*time.Millisecond
	})
	server := s.listen(t, func(h *http.Server) { h.ReadTimeout, h.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond })
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	lines := bufio.NewScanner(subscribe(ctx, t, server.URL).Body)
	beats := 0
	for beats < 60 && lines.Scan() {
		if lines.Text() == ":" {
			beats++
		}
	}
	require.Equal(t, 60, beats, "%v", lines.Err())
}

// TestAStreamStops when the gateway stops: without "complete", so that the client subscribes again.
func TestAStreamStops(t *testing.T) {
	stopping := make(chan struct{})
	s := newStreamServer(t, sending(true, true), func(o *Options) { o.Stopping = stopping })
	server := s.listen(t, func(h *http.Server) { h.RegisterOnShutdown(sync.OnceFunc(func() { close(stopping) })) })
	resp := subscribe(t.Context(), t, server.URL)
	body := bufio.NewReader(resp.Body)
	for range 5 { // the comment and the event
		_, err := body.ReadString('\n')
		require.NoError(t, err)
	}
	require.NoError(t, server.Config.Shutdown(t.Context()), "it does not wait for streams")
	rest, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NotContains(t, string(rest), "complete")
}

// TestStreamsLeaveNothing: however a stream ends, its resolver's context ends, and the handler returns.
func TestStreamsLeaveNothing(t *testing.T) {
	var open sync.WaitGroup
	endless := resolver{revoked: func(ctx context.Context, _ []*ids.Token) (<-chan *model.Revocation, error) {
		out := make(channel)
		open.Go(func() {
			for {
				select {
				case out <- &model.Revocation{}:
				case <-ctx.Done():
					return
				}
			}
		})
		return out, nil
	}}
	t.Run("clients that leave", func(t *testing.T) {
		server := newStreamServer(t, endless, nil).listen(t, nil)
		var clients sync.WaitGroup
		for i := range 60 {
			clients.Go(func() {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				body := subscribe(ctx, t, server.URL).Body
				_, _ = io.CopyN(io.Discard, body, int64(i*50))
			})
		}
		clients.Wait()
		open.Wait()
		server.Close()
	})
	t.Run("a client that does not read", func(t *testing.T) {
		server := newStreamServer(t, endless, func(o *Options) { o.HTTP.WriteTimeout = 20 * time.Millisecond }).listen(t, nil)
		subscribe(t.Context(), t, server.URL)
		open.Wait()
	})
	t.Run("a credential that expires", func(t *testing.T) {
		server := newStreamServer(t, endless, func(o *Options) { o.Authenticator = until(time.Now().Add(50 * time.Millisecond)) }).listen(t, nil)
		body, err := io.ReadAll(subscribe(t.Context(), t, server.URL).Body)
		require.NoError(t, err)
		require.NotContains(t, string(body), "complete")
		open.Wait()
	})
}

// TestStreamsAreLogged once, when they end, and measured until they begin.
func TestStreamsAreLogged(t *testing.T) {
	s := newStreamServer(t, sending(false, true), nil)
	r := post(subscribing)
	r.Header.Set("Accept", mediaStream)
	s.do(t, r)
	require.Equal(t, []string{"revocations:"}, s.seen.list)
	require.Equal(t, 1, strings.Count(s.log.String(), `"field":"revocations"`), fmt.Sprint(s.log))
}
