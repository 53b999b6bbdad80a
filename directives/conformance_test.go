package directives_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/conformance"
	"github.com/cloakroomhq/cloakroom/directives"
)

// TestConformance runs the cases that every runtime of @token has to pass. A case of a suite's schema runs on a server
// that gqlgen generated; a case with its own schema tests inputs only, and runs on a server without resolvers.
func TestConformance(t *testing.T) {
	suites, err := conformance.Load()
	require.NoError(t, err)
	for _, s := range suites {
		for _, c := range s.Cases {
			t.Run(s.Name+"/"+c.Name, func(t *testing.T) {
				if c.Refused != nil {
					require.Equal(t, c.Refused, refusedAtStart(t, c.Schema))
					return
				}
				w := worldOf(t, s.Schema, &c)
				for i, step := range c.Sequence() {
					runStep(t, w, &step, fmt.Sprintf("step %d", i))
				}
			})
		}
	}
}

// refusedAtStart returns the coordinates for which a schema is refused.
func refusedAtStart(t *testing.T, sdl string) []string {
	t.Helper()
	coordinates := []string{}
	err := directives.CheckSchema(load(t, directives.Declaration, directives.TokenIDDeclaration, sdl))
	for _, e := range flatten(err) {
		var wrong *directives.SchemaError
		require.ErrorAs(t, e, &wrong)
		coordinates = append(coordinates, wrong.Coordinate)
	}
	slices.Sort(coordinates)
	return slices.Compact(coordinates)
}

func flatten(err error) []error {
	if err == nil {
		return nil
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

// conforming is a server under test, and how many of its resolvers have run.
type conforming struct {
	*world
	ran func() int64
}

func worldOf(t *testing.T, schema string, c *conformance.Case) *conforming {
	t.Helper()
	w := serverOf(t, schema, c)
	for token, kinds := range c.Held {
		for _, k := range kinds {
			w.grants.hold(directives.GrantKind(k), token)
		}
	}
	for _, token := range c.Foreign {
		w.grants.foreign[token] = true
	}
	switch c.Gateway {
	case conformance.Fails:
		w.grants.failing = errBroken
	case conformance.Hangs:
		w.grants.during = untilItEnds
	}
	return w
}

// serverOf starts the server of a case.
func serverOf(t *testing.T, schema string, c *conformance.Case) *conforming {
	t.Helper()
	options := func(o *directives.Options) {
		o.MaxTokens, o.Remember = c.MaxTokens, -1
		if c.Remember != "" {
			o.Remember = duration(t, c.Remember)
		}
		if c.Gateway == conformance.Hangs {
			o.Timeout = time.Millisecond
		}
	}
	switch {
	case c.Schema != "":
		require.Empty(t, c.Resolved, "a case with its own schema runs without resolvers")
		return serveBlank(t, c.Schema, options)
	case schema == "shapes.graphqls":
		w := newWorld(t, options)
		resolveShapes(t, w.Resolver, c)
		return &conforming{w, w.Ran.Load}
	case schema == "subgraph.graphqls":
		require.Empty(t, c.Resolved, "README.md defines what these resolvers return")
		require.Empty(t, c.Failing, "README.md defines what these resolvers return")
		s := newSubgraph(t, options)
		return &conforming{s.world, func() int64 { return int64(len(s.Got())) }}
	}
	t.Fatalf("no server of %s", schema)
	return nil
}

// serveBlank starts a server of any schema, without resolvers.
func serveBlank(t *testing.T, sdl string, options func(*directives.Options)) *conforming {
	t.Helper()
	w := newWorld(t, options)
	blank := &blankSchema{schema: load(t, directives.Declaration, directives.TokenIDDeclaration, sdl)}
	o := directives.Options{Grants: w.grants, Session: session, Now: w.clock.now}
	options(&o)
	tokens, err := directives.New(o)
	require.NoError(t, err)
	w.handler = handler.New(blank)
	withTransports(w.handler)
	w.handler.Use(tokens)
	return &conforming{w, blank.ran.Load}
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	require.NoError(t, err)
	return d
}

func runStep(t *testing.T, w *conforming, step *conformance.Step, name string) {
	t.Helper()
	if step.After != "" {
		w.clock.pass(duration(t, step.After))
	}
	if step.Revoked != nil {
		w.grants.revoke(step.SessionID(), step.Revoked)
	}
	ran := w.ran()
	creates, verifies := w.grants.calls()
	want := step.Expect
	var have []conformance.Response
	switch {
	case strings.HasPrefix(step.Operation, "subscription"):
		have = subscribed(t, w.world, step)
	case strings.Contains(step.Operation, "@defer"):
		w.deferred(t, step.Operation, func(payload map[string]any) { have = append(have, response(t, payload)) })
	default:
		have = []conformance.Response{response(t, asked(t, w.world, step))}
	}
	require.Equal(t, sorted(want.Verified), w.verifiedSince(t, verifies), "%s: the verifying call", name)
	require.Equal(t, want.Ran, w.ran() > ran, "%s: whether resolvers ran", name)
	require.Len(t, have, len(want.All()), "%s: responses", name)
	var calls [][]string
	for i, r := range want.All() {
		at := fmt.Sprintf("%s, response %d", name, i)
		require.Equal(t, lines(r.Errors, nil), lines(have[i].Errors, r.Errors), "%s: errors", at)
		if r.Data != nil {
			require.JSONEq(t, string(r.Data), string(have[i].Data), "%s: data", at)
		}
		require.Equal(t, fmt.Sprint(r.Path), fmt.Sprint(have[i].Path), "%s: path", at)
		if r.Created != nil {
			calls = append(calls, sorted(r.Created))
		}
	}
	require.Equal(t, calls, w.createdSince(creates), "%s: the creating calls", name)
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// verifiedSince returns the checks of the one verifying call since the first n.
func (w *world) verifiedSince(t *testing.T, n int) (checks []string) {
	t.Helper()
	w.grants.mu.Lock()
	defer w.grants.mu.Unlock()
	calls := w.grants.verifies[n:]
	require.LessOrEqual(t, len(calls), 1, "verifying calls")
	for _, call := range calls {
		for _, c := range call {
			checks = append(checks, c.Token+" "+string(c.Kind))
		}
	}
	slices.Sort(checks)
	return checks
}

// createdSince returns the creating calls since the first n, as a case writes them.
func (w *world) createdSince(n int) (calls [][]string) {
	w.grants.mu.Lock()
	defer w.grants.mu.Unlock()
	for _, call := range w.grants.creates[n:] {
		var grants []string
		for _, g := range call {
			kinds := make([]string, len(g.Kinds))
			for i, k := range g.Kinds {
				kinds[i] = string(k)
			}
			line := " " + strings.Join(kinds, "+")
			if g.Duration != 0 {
				line += fmt.Sprintf(" %ds", g.Duration/time.Second)
			}
			for _, token := range g.Tokens {
				grants = append(grants, token+line)
			}
		}
		slices.Sort(grants)
		calls = append(calls, grants)
	}
	return calls
}

func asked(t *testing.T, w *world, step *conformance.Step) map[string]any {
	t.Helper()
	var variables map[string]any
	if step.Variables != nil {
		require.NoError(t, json.Unmarshal(step.Variables, &variables))
	}
	r := request(t, step.Operation, variables)
	if step.SessionID() == "" {
		r.Header.Del("Session")
	} else {
		r.Header.Set("Session", step.SessionID())
	}
	var payload map[string]any
	require.NoError(t, json.Unmarshal([]byte(w.send(t, r).raw), &payload))
	return payload
}

// response reads a payload as a case writes it.
func response(t *testing.T, payload map[string]any) (r conformance.Response) {
	t.Helper()
	var p struct {
		Path   []any
		Data   json.RawMessage
		Errors []struct {
			Path       []any
			Extensions struct{ Code string }
		}
	}
	b, err := json.Marshal(payload)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &p))
	r.Path, r.Data = p.Path, p.Data
	if len(r.Data) == 0 {
		r.Data = json.RawMessage("null")
	}
	for _, e := range p.Errors {
		r.Errors = append(r.Errors, conformance.Error{Code: e.Extensions.Code, Path: e.Path})
	}
	return r
}

// lines returns errors as sorted lines; an expected error without a code stands for the application's own code.
func lines(errs, expected []conformance.Error) (list []string) {
	own := map[string]bool{}
	for _, e := range expected {
		own[fmt.Sprint(e.Path)] = e.Code == ""
	}
	for _, e := range errs {
		if own[fmt.Sprint(e.Path)] {
			e.Code = ""
		}
		list = append(list, fmt.Sprint(e.Code, e.Path))
	}
	slices.Sort(list)
	return list
}

// subscribed reads a subscription to its end.
func subscribed(t *testing.T, w *world, step *conformance.Step) (all []conformance.Response) {
	t.Helper()
	e := overSSE(t, w, step.Operation, step.SessionID())
	for a := e.next(); a != nil; a = e.next() {
		var payload map[string]any
		require.NoError(t, json.Unmarshal([]byte(a.raw), &payload))
		all = append(all, response(t, payload))
	}
	return all
}
