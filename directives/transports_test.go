package directives_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/require"
)

// events is a subscription that runs; next returns its next event, nil at the end.
type events interface{ next() *answer }

type subscriber func(t *testing.T, w *world, query, session string) events

// overEach runs a test of subscriptions over each transport that gqlgen has for them.
func overEach(t *testing.T, test func(*testing.T, subscriber)) {
	t.Run("server-sent events", func(t *testing.T) { test(t, overSSE) })
	t.Run("websocket", func(t *testing.T) { test(t, overWebsocket) })
}

// serverSent is the "distinct connections mode" of GraphQL over Server-Sent Events.
type serverSent struct {
	t    *testing.T
	body *bufio.Scanner
}

func overSSE(t *testing.T, w *world, query, session string) events {
	t.Helper()
	srv := httptest.NewServer(w)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { cancel(); srv.Close() })
	body, err := json.Marshal(map[string]any{"query": query})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL, strings.NewReader(string(body)))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Session", session)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return &serverSent{t, bufio.NewScanner(response.Body)}
}

func (e *serverSent) next() *answer {
	for e.body.Scan() {
		if data, ok := strings.CutPrefix(e.body.Text(), "data: "); ok {
			return decode(e.t, data)
		}
		if e.body.Text() == "event: complete" {
			return nil
		}
	}
	return nil
}

// socket speaks graphql-transport-ws, the protocol of npm graphql-ws.
type socket struct {
	t    *testing.T
	ctx  context.Context
	conn *websocket.Conn
}

type frame struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

func overWebsocket(t *testing.T, w *world, query, session string) events {
	t.Helper()
	srv := httptest.NewServer(w)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { cancel(); srv.Close() })
	conn, _, err := websocket.Dial(ctx, srv.URL, &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"Session": {session}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.CloseNow() })
	s := &socket{t, ctx, conn}
	s.send(frame{Type: "connection_init"})
	require.Equal(t, "connection_ack", s.receive().Type)
	payload, err := json.Marshal(map[string]any{"query": query})
	require.NoError(t, err)
	s.send(frame{ID: "1", Type: "subscribe", Payload: payload})
	return s
}

func (s *socket) send(f frame) { require.NoError(s.t, wsjson.Write(s.ctx, s.conn, f)) }

func (s *socket) receive() (f frame) {
	require.NoError(s.t, wsjson.Read(s.ctx, s.conn, &f))
	return f
}

func (s *socket) next() *answer {
	switch f := s.receive(); f.Type {
	case "next":
		return decode(s.t, string(f.Payload))
	case "error":
		return decode(s.t, `{"errors":`+string(f.Payload)+`}`)
	default:
		require.Equal(s.t, "complete", f.Type)
		return nil
	}
}
