package directives_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/directives/internal/subgraph"
)

// subgraphWorld is a federated subgraph and its environment.
type subgraphWorld struct {
	*world
	*subgraph.Resolver
}

func newSubgraph(t testing.TB, change ...func(*directives.Options)) *subgraphWorld {
	t.Helper()
	s := &subgraphWorld{newWorld(t, change...), &subgraph.Resolver{}}
	o := directives.Options{Grants: s.grants, Session: session, Now: s.clock.now}
	for _, c := range change {
		c(&o)
	}
	tokens, err := directives.New(o)
	require.NoError(t, err)
	config := subgraph.Config{Resolvers: s.Resolver}
	config.Directives.Token = tokens.Directive
	s.handler = handler.New(subgraph.NewExecutableSchema(config))
	s.handler.AddTransport(transport.POST{})
	s.handler.Use(tokens)
	return s
}

const allEntities = `query($r: [_Any!]!) { _entities(representations: $r) { __typename
	... on Note { id text } ... on Author { name card { token } } ... on Letter { text }
	... on Visit { id summary digest echo } ... on Parcel { ref } ... on Plain { ref } } }`

// rep makes a representation of names and values in turn.
func rep(typename string, pairs ...any) map[string]any {
	m := v(pairs...)
	m["__typename"] = typename
	return m
}

// entityCase is a request of a router; wants names for each path the token and the grants that it needs.
type entityCase struct {
	name            string
	representations []any
	wants           map[string]string
	kinds           []directives.GrantKind
}

func entityCases() []entityCase {
	const at = "_entities.representations."
	reads := []directives.GrantKind{read}
	return []entityCase{
		{"key", []any{rep("Note", "text", tok(1))}, map[string]string{at + "0.text": tok(1)}, reads},
		{"one of two keys, with a field that is not selected", []any{rep("Note", "id", "7", "attachment", tok(1))},
			map[string]string{at + "0.attachment": tok(1)}, reads},
		{"nested key, whose field gives both kinds", []any{rep("Author", "card", v("token", tok(1)))},
			map[string]string{at + "0.card.token": tok(1)}, []directives.GrantKind{read, store}},
		{"many at once", []any{rep("Letter", "text", tok(1)), rep("Letter", "text", tok(2)), rep("Plain", "ref", tok(9)), rep("Letter", "text", tok(1))},
			map[string]string{at + "0.text": tok(1), at + "1.text": tok(2), at + "3.text": tok(1)}, reads},
		{"required fields, also in lists", []any{rep("Visit", "id", "1", "scan", tok(1), "scans", []any{[]any{tok(2), nil}, nil, tok(3)})},
			map[string]string{at + "0.scan": tok(1), at + "0.scans.0.0": tok(2), at + "0.scans.2.0": tok(3)}, reads},
		{"a required union", []any{rep("Visit", "id", "1", "bill", rep("Paid", "receipt", tok(1)))},
			map[string]string{at + "0.bill.receipt": tok(1)}, reads},
		{"a nested union with a false __typename", []any{rep("Visit", "id", "1", "bills", []any{nil, rep("Paid", "reminder", v("text", tok(1)))})},
			map[string]string{at + "0.bills.1.reminder.text": tok(1)}, []directives.GrantKind{store}},
		{"an interface whose type has the annotation", []any{rep("Item", "ref", tok(1))}, map[string]string{at + "0.ref": tok(1)}, reads},
		{"the type that implements it", []any{rep("Parcel", "ref", tok(1))}, map[string]string{at + "0.ref": tok(1)}, reads},
	}
}

func TestTokensOfRepresentationsAreVerifiedInOneCall(t *testing.T) {
	for _, c := range entityCases() {
		t.Run(c.name, func(t *testing.T) {
			s := newSubgraph(t)
			for token := range maps.Values(c.wants) {
				for _, k := range c.kinds {
					s.grants.hold(k, token)
				}
			}
			a := s.ask(t, allEntities, v("r", c.representations))
			require.Empty(t, a.Errors)
			require.NotEmpty(t, s.Got())
			creates, verifies := s.grants.calls()
			require.Equal(t, 1, verifies)
			require.LessOrEqual(t, creates, 1)
			var wanted []directives.Check
			for _, token := range slices.Compact(slices.Sorted(maps.Values(c.wants))) {
				for _, k := range c.kinds {
					wanted = append(wanted, directives.Check{Token: token, Kind: k})
				}
			}
			require.ElementsMatch(t, wanted, s.grants.verifies[0])
		})
	}
}

func TestAForeignTokenInARepresentationIsRefused(t *testing.T) {
	for _, c := range entityCases() {
		for _, without := range c.kinds {
			t.Run(c.name+"/without "+string(without), func(t *testing.T) {
				s := newSubgraph(t)
				var refused []string
				for path, token := range c.wants {
					refused = append(refused, "GRANT_REQUIRED "+path)
					for _, k := range []directives.GrantKind{read, store} {
						if k != without {
							s.grants.hold(k, token)
						}
					}
				}
				slices.Sort(refused)
				a := s.ask(t, allEntities, v("r", c.representations))
				require.Equal(t, refused, a.refused())
				require.Nil(t, a.Data)
				require.Empty(t, s.Got(), "no resolver ran")
				creates, verifies := s.grants.calls()
				require.Zero(t, creates)
				require.Equal(t, 1, verifies)
			})
		}
	}
}

func TestRepresentationsInTheDocument(t *testing.T) {
	for name, query := range map[string]string{
		"literal":              `{ _entities(representations: [{__typename: "Note", text: "TOK"}]) { __typename } }`,
		"one for a list":       `{ _entities(representations: {__typename: "Note", text: "TOK"}) { __typename } }`,
		"enum for a name":      `{ _entities(representations: [{__typename: Note, text: "TOK"}]) { __typename } }`,
		"default":              `query($r: [_Any!]! = [{__typename: "Note", text: "TOK"}]) { _entities(representations: $r) { __typename } }`,
		"variable inside":      `query($t: _Any = "TOK") { _entities(representations: [{__typename: "Note", text: $t}]) { __typename } }`,
		"name in a variable":   `query($n: _Any = "Note") { _entities(representations: [{__typename: $n, text: "TOK"}]) { __typename } }`,
		"fragment on Query":    `{ ...F } fragment F on Query { _entities(representations: [{__typename: "Note", text: "TOK"}]) { __typename } }`,
		"alias":                `{ a: _entities(representations: []) { __typename } b: _entities(representations: [{__typename: "Note", text: "TOK"}]) { __typename } }`,
		"beside a known token": `{ note(text: "TOK") { id } _entities(representations: [{__typename: "Note", text: "TOK"}]) { __typename } }`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSubgraph(t)
			s.grants.hold(store, tok(1))
			query := replaceToken(query)
			a := s.ask(t, query, nil)
			require.Len(t, a.refused(), 1)
			require.Regexp(t, `^GRANT_REQUIRED (_entities|b)\.representations\.0\.text$`, a.refused()[0])
			require.Empty(t, s.Got())
			s.grants.hold(read, tok(1))
			require.Empty(t, s.ask(t, query, nil).Errors)
			require.Contains(t, s.Got(), tok(1))
		})
	}
}

func TestMalformedRepresentationsAreRefused(t *testing.T) {
	for name, r := range map[string]any{
		"no name":                     v("text", tok(1)),
		"a name that is not a string": v("__typename", 7, "text", tok(1)),
		"an unknown type":             rep("Nobody", "text", tok(1)),
		"a scalar":                    rep("TokenID", "text", tok(1)),
		"text":                        tok(1),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSubgraph(t)
			s.grants.all = true
			a := s.ask(t, allEntities, v("r", []any{rep("Plain", "ref", "1"), r}))
			require.Equal(t, []string{"BAD_USER_INPUT _entities.representations.1"}, a.refused())
			require.Empty(t, s.Got())
			creates, verifies := s.grants.calls()
			require.Zero(t, creates+verifies)
		})
	}
	t.Run("a key of another shape", func(t *testing.T) {
		s := newSubgraph(t)
		s.grants.all = true
		a := s.ask(t, allEntities, v("r", []any{rep("Author", "card", tok(1))}))
		require.Equal(t, []string{"BAD_USER_INPUT _entities.representations.0.card"}, a.refused())
		a = s.ask(t, allEntities, v("r", []any{rep("Note", "text", v("a", tok(1)))}))
		require.Equal(t, []string{"GRANT_REQUIRED _entities.representations.0.text"}, a.refused())
		require.Empty(t, s.Got())
	})
}

func TestRepresentationsWithTokensNeedASession(t *testing.T) {
	s := newSubgraph(t)
	s.grants.all = true
	r := request(t, allEntities, v("r", []any{rep("Note", "text", tok(1))}))
	r.Header.Del("Session")
	require.Equal(t, []string{"UNAUTHENTICATED _entities.representations.0.text"}, s.send(t, r).refused())
	r = request(t, allEntities, v("r", []any{rep("Plain", "ref", "1")}))
	r.Header.Del("Session")
	require.Empty(t, s.send(t, r).Errors)
	require.Equal(t, []string{"1"}, s.Got())
}

// An entity's returned tokens are granted: here its key, which the session may read, and a token of its row.
func TestFieldsOfEntitiesCreateGrants(t *testing.T) {
	s := newSubgraph(t)
	s.grants.hold(read, tok(1), tok(2))
	a := s.ask(t, allEntities, v("r", []any{rep("Note", "text", tok(1)), rep("Note", "id", "7"), rep("Visit", "id", "1", "scan", tok(2))}))
	require.Empty(t, a.Errors)
	require.Equal(t, [][]string{{tok(1) + " READ 0s", tok(2) + " READ 0s", tok(99) + " READ 0s"}}, s.grants.created())
	require.Len(t, s.grants.verifies, 1)
}

func replaceToken(query string) string { return strings.ReplaceAll(query, "TOK", tok(1)) }
