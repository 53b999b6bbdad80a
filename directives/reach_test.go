package directives_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloakroomhq/cloakroom/directives"
)

// requestDrawer draws requests to servers whose resolvers record every string that reaches them. Some of the tokens in
// annotated positions are foreign.
type requestDrawer struct {
	*rapid.T
	held, foreign []string
}

func (s *requestDrawer) chance(percent int) bool {
	return rapid.IntRange(1, 100).Draw(s.T, "chance") <= percent
}

// token draws a token for an annotated position, in 8 % of cases a foreign one.
func (s *requestDrawer) token() string {
	token := tok(len(s.held) + len(s.foreign) + 1)
	if s.chance(8) {
		s.foreign = append(s.foreign, token)
	} else {
		s.held = append(s.held, token)
	}
	return token
}

func (s *requestDrawer) some(fields map[string]func() any) map[string]any {
	object := map[string]any{}
	for _, name := range sortedKeys(fields) {
		if s.chance(60) {
			object[name] = fields[name]()
		}
	}
	return object
}

func (s *requestDrawer) tokenValue() any {
	if s.chance(10) {
		return nil
	}
	return s.token()
}

func (s *requestDrawer) bill() any {
	return s.some(map[string]func() any{
		"__typename": func() any { return rapid.SampledFrom([]string{"Paid", "Open", "Note"}).Draw(s.T, "lie") },
		"receipt":    s.tokenValue,
		"reminder":   func() any { return s.some(map[string]func() any{"text": s.tokenValue}) },
	})
}

func (s *requestDrawer) list(element func() any) func() any {
	return func() any {
		if s.chance(20) {
			return element()
		}
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(s.T, "length") {
			list = append(list, element())
		}
		return list
	}
}

func (s *requestDrawer) representation() map[string]any {
	free := func() any { return fmt.Sprint("free", rapid.IntRange(0, 9).Draw(s.T, "free")) }
	name := rapid.SampledFrom([]string{"Note", "Author", "Letter", "Visit", "Item", "Parcel", "Plain"}).Draw(s.T, "typename")
	fields := map[string]map[string]func() any{
		"Note":   {"id": free, "text": s.tokenValue, "attachment": s.tokenValue},
		"Author": {"name": free, "card": func() any { return s.some(map[string]func() any{"token": s.tokenValue}) }},
		"Letter": {"text": s.tokenValue},
		"Visit":  {"id": free, "scan": s.tokenValue, "scans": s.list(s.list(s.tokenValue)), "bill": s.bill, "bills": s.list(s.bill)},
		"Item":   {"ref": s.tokenValue}, "Parcel": {"ref": s.tokenValue}, "Plain": {"ref": free},
	}
	r := s.some(fields[name])
	r["__typename"] = name
	return r
}

// written returns a value as a document has it.
func written(t require.TestingT, value any) string {
	raw, err := json.Marshal(value)
	require.NoError(t, err)
	return regexp.MustCompile(`"(\w+)":`).ReplaceAllString(string(raw), "$1:")
}

// request draws an operation on the subgraph.
func (s *requestDrawer) request() (query string, variables map[string]any) {
	entities := strings.TrimSuffix(allEntities[strings.Index(allEntities, ") { __typename")+1:], " }")
	var list []any
	for range rapid.IntRange(0, 4).Draw(s.T, "representations") {
		list = append(list, s.representation())
	}
	variables = map[string]any{"r": append([]any{}, list...)}
	body := "_entities(representations: $r)" + entities
	if s.chance(30) {
		body += " more: _entities(representations: [" + written(s.T, s.representation()) + "])" + entities
	}
	if s.chance(30) {
		body += fmt.Sprintf(` note(text: %q) { id text }`, s.token())
	}
	if s.chance(30) {
		body = "... on Query { " + body + " }"
	}
	return "query($r: [_Any!]!) { " + body + " }", variables
}

// The oracle does not use the walk: it compares the strings that reached resolvers with the checks that were made.
func TestNoForeignTokenReachesAResolver(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := &requestDrawer{T: rt}
		query, variables := s.request()
		w := newSubgraph(t)
		w.grants.hold(read, s.held...)
		w.grants.hold(store, s.held...)
		a := w.ask(rt, query, variables)
		creates, verifies := w.grants.calls()
		require.LessOrEqual(rt, verifies, 1)
		require.LessOrEqual(rt, creates, 1)
		if len(s.foreign) > 0 {
			require.Nil(rt, a.Data, a.raw)
			require.Empty(rt, w.Got(), "no resolver ran")
			require.Zero(rt, creates, "nothing was granted")
			require.NotEmpty(rt, a.refused())
			return
		}
		require.NotContains(rt, strings.Join(a.refused(), " "), "representations", a.raw)
		for _, got := range w.Got() {
			if strings.HasPrefix(got, "tok-") {
				require.Contains(rt, s.held, got)
				require.True(rt, wasAsked(w.grants.verifies, got), "%s was not verified", got)
			}
		}
	})
}

// wasAsked reports whether the gateway was asked for a token's grant.
func wasAsked(calls [][]directives.Check, token string) bool {
	for _, call := range calls {
		for _, c := range call {
			if c.Token == token {
				return true
			}
		}
	}
	return false
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
