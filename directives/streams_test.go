package directives_test

import (
	"context"
	"encoding/json"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/directives/internal/testserver"
)

func TestEachEventCreatesItsOwnGrants(t *testing.T) { overEach(t, eachEventCreatesItsOwnGrants) }

func eachEventCreatesItsOwnGrants(t *testing.T, subscribe subscriber) {
	w := newWorld(t, func(o *directives.Options) { o.Remember = -1 })
	in := make(chan *testserver.Record)
	w.OnStream = give((<-chan *testserver.Record)(in))
	e := subscribe(t, w, `subscription { r: records { text list } }`, "alice")
	for n := range 3 {
		in <- record(n * 20)
		a := e.next()
		require.Empty(t, a.Errors)
		require.Len(t, w.grants.created(), n+1)
		require.Equal(t, []string{tok(n*20+2) + " READ 0s", tok(n*20+7) + " READ 0s", tok(n*20+8) + " READ 0s"}, w.grants.created()[n])
	}
	w.grants.mu.Lock()
	w.grants.failing = errBroken
	w.grants.mu.Unlock()
	in <- record(0)
	require.Equal(t, []string{"UNAVAILABLE r.list.0", "UNAVAILABLE r.list.1", "UNAVAILABLE r.text"}, e.next().refused())
	close(in)
	require.Nil(t, e.next())
}

func TestAnAnnotatedSubscriptionFieldItself(t *testing.T) {
	overEach(t, anAnnotatedSubscriptionFieldItself)
}

func anAnnotatedSubscriptionFieldItself(t *testing.T, subscribe subscriber) {
	w := newWorld(t)
	in, lists := make(chan directives.TokenID, 2), make(chan []string, 2) // both events are there at once
	w.OnTokens = give((<-chan directives.TokenID)(in))
	w.OnLists = give((<-chan []string)(lists))
	in <- directives.TokenID(tok(1))
	in <- "rubbish"
	close(in)
	e := subscribe(t, w, `subscription { t: tokens }`, "alice")
	a := e.next()
	require.Equal(t, tok(1), a.Data["t"])
	require.Empty(t, a.Errors)
	require.Equal(t, [][]string{{tok(1) + " READ 0s"}}, w.grants.created())
	require.Equal(t, []string{"GRANT_REQUIRED t"}, e.next().refused())
	require.Nil(t, e.next())

	lists <- []string{tok(2), tok(3)}
	lists <- []string{tok(4)}
	e = subscribe(t, w, `subscription { lists }`, "alice")
	e.next()
	require.Equal(t, []string{tok(2) + " READ 2m0s", tok(3) + " READ 2m0s"}, w.grants.created()[1])
	e.next()
	require.Equal(t, []string{tok(4) + " READ 2m0s"}, w.grants.created()[2])

	require.Equal(t, []string{"UNAUTHENTICATED t"}, subscribe(t, w, `subscription { t: tokens }`, "").next().refused())
}

func TestASubscriptionsInputIsVerified(t *testing.T) { overEach(t, aSubscriptionsInputIsVerified) }

func aSubscriptionsInputIsVerified(t *testing.T, subscribe subscriber) {
	w := newWorld(t)
	in := make(chan *testserver.Record, 1)
	w.OnStream = give((<-chan *testserver.Record)(in))
	query := `subscription { watch(token: "` + tok(1) + `") { text } }`
	e := subscribe(t, w, query, "alice")
	require.Equal(t, []string{"GRANT_REQUIRED watch.token"}, e.next().refused())
	require.Nil(t, e.next())
	require.Zero(t, w.Ran.Load())

	w.grants.hold(store, tok(1))
	in <- record(0)
	require.Empty(t, subscribe(t, w, query, "alice").next().Errors)
	require.Len(t, w.grants.created(), 1)
}

// deferred sends a query over the multipart transport and calls each with every payload.
func (w *world) deferred(t *testing.T, query string, each func(payload map[string]any)) {
	t.Helper()
	srv := httptest.NewServer(w)
	defer srv.Close()
	body, err := json.Marshal(map[string]any{"query": query})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader(string(body)))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "multipart/mixed")
	r.Header.Set("Session", "alice")
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	_, params, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	require.NoError(t, err)
	parts := multipart.NewReader(response.Body, params["boundary"])
	for {
		part, err := parts.NextPart()
		if err != nil {
			return
		}
		var payload map[string]any
		if json.NewDecoder(part).Decode(&payload) != nil {
			return
		}
		if list, ok := payload["incremental"].([]any); ok {
			for _, p := range list {
				each(p.(map[string]any))
			}
			continue
		}
		each(payload)
	}
}

const deferQuery = `{ record { text ... @defer(label: "one") { one: slow(name: "one") } ... @defer(label: "two") { two: slow(name: "two") } } }`

func TestEachDeferredPayloadCreatesItsOwnGrants(t *testing.T) {
	w := newWorld(t)
	w.OnRecord = give(record(0))
	gates := map[string]chan struct{}{"one": make(chan struct{}), "two": make(chan struct{})}
	answers := map[string]string{"one": tok(31), "two": tok(32)}
	w.OnSlow = func(_ context.Context, _ *testserver.Record, name string) (string, error) {
		<-gates[name]
		return answers[name], nil
	}
	n := 0
	w.deferred(t, deferQuery, func(payload map[string]any) {
		n++
		created := w.grants.created()
		require.NotContains(t, payload, "errors")
		require.Len(t, created, n)
		want := [][]string{{tok(2) + " READ 0s"}, {tok(32) + " READ 0s"}, {tok(31) + " READ 0s"}}
		require.Equal(t, want[n-1], created[n-1])
		switch n { // two comes before one
		case 1:
			close(gates["two"])
		case 2:
			close(gates["one"])
		}
	})
	require.Equal(t, 3, n)
}

func TestAnEarlyDeferredTokenIsGrantedWithItsOwnPayload(t *testing.T) {
	w := newWorld(t)
	first := record(0)
	early := make(chan struct{})
	w.OnRecord = give(first)
	// The deferred field resolves while the first payload still waits for its own slow field.
	w.OnSlow = func(_ context.Context, _ *testserver.Record, name string) (string, error) {
		if name == "late" {
			<-early
			return tok(42), nil
		}
		defer close(early)
		return tok(41), nil
	}
	w.grants.foreign[tok(41)] = true
	w.OnNode = func(context.Context) (testserver.Node, error) { <-early; return nil, nil }
	var seen []string
	w.deferred(t, `{ node { id } record { text ... @defer(label: "d") { early: slow(name: "early") } } }`, func(payload map[string]any) {
		b, err := json.Marshal(payload["errors"])
		require.NoError(t, err)
		seen = append(seen, string(b))
	})
	require.Len(t, seen, 2)
	require.Equal(t, "null", seen[0])
	require.Contains(t, seen[1], `"path":["record","early"]`)
	require.Equal(t, [][]string{{tok(2) + " READ 0s"}, {tok(41) + " READ 0s"}}, w.grants.created())
}
