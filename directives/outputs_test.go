package directives_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/directives/internal/testserver"
)

type tokenDirective = func(ctx context.Context, obj any, next graphql.Resolver, grants []directives.GrantKind, duration *string) (any, error)

// record returns a record with a token in every field that can hold one: n+1 to n+12.
func record(n int) *testserver.Record {
	id := directives.TokenID(tok(n + 1))
	code := testserver.Code(tok(n + 6))
	ref := func(n int) *testserver.Ref { return &testserver.Ref{UUID: tok(n)[len(testserver.RefPrefix):]} }
	return &testserver.Record{
		ID: "1", Name: "r", Token: &id, Text: ptr(tok(n + 2)), Required: tok(n + 3), IDToken: ptr(tok(n + 4)),
		Ref: ref(n + 5), Refs: []*testserver.Ref{ref(n + 12)}, Code: &code, List: []string{tok(n + 7), tok(n + 8)},
		Grid:   [][]*string{{ptr(tok(n + 9)), nil}, {}},
		Mapped: map[string]any{"token": tok(n + 10), "tokens": []string{tok(n + 11)}},
	}
}

func give[T any](v T) func(context.Context) (T, error) {
	return func(context.Context) (T, error) { return v, nil }
}

const everything = `{ record { token text required idToken ref refs code list grid mapped { token tokens } } }`

func TestEveryReturnedShapeIsGrantedInOneCall(t *testing.T) {
	w := newWorld(t)
	w.OnRecord = give(record(0))
	a := w.ask(t, everything, nil)
	require.Empty(t, a.Errors)
	require.Equal(t, [][]string{{
		tok(1) + " READ 0s", tok(2) + " READ 0s", tok(3) + " READ+STORE 1m30s", tok(4) + " READ 0s",
		tok(5) + " READ 15m0s", tok(6) + " READ 0s", tok(7) + " READ 0s", tok(8) + " READ 0s", tok(9) + " READ 0s",
		tok(10) + " READ 0s", tok(11) + " READ 0s", tok(12) + " READ 0s",
	}}, w.grants.created())
	require.Equal(t, []string{"alice"}, w.grants.sessions)
	require.JSONEq(t, `{"data":{"record":{"token":"`+tok(1)+`","text":"`+tok(2)+`","required":"`+tok(3)+`","idToken":"`+tok(4)+
		`","ref":"`+tok(5)+`","refs":["`+tok(12)+`"],"code":"`+tok(6)+`","list":["`+tok(7)+`","`+tok(8)+`"],"grid":[["`+tok(9)+
		`",null],[]],"mapped":{"token":"`+tok(10)+`","tokens":["`+tok(11)+`"]}}}}`, a.raw)
}

func TestNothingReturnedMakesNoCall(t *testing.T) {
	w := newWorld(t)
	w.OnRecord = give(&testserver.Record{})
	for _, query := range []string{
		`{ record { id name } }`, `{ __typename }`, `{ secret }`, `{ record { token text idToken ref refs code grid mapped { token } } }`,
	} {
		require.Empty(t, w.ask(t, query, nil).Errors, query)
	}
	creates, verifies := w.grants.calls()
	require.Zero(t, creates+verifies)
}

func TestATokenIsGrantedOnceAndForItsLongestLife(t *testing.T) {
	w := newWorld(t)
	same := record(0)
	same.Ref.UUID = tok(3)[4:] // READ for 15m as a ref, READ and STORE for 90s as the required one
	same.List = []string{tok(3), tok(3), tok(2)}
	w.OnRecord = give(same)
	require.Empty(t, w.ask(t, `{ record { ref required list again: list text } }`, nil).Errors)
	require.Equal(t, [][]string{{tok(2) + " READ 0s", tok(3) + " READ 15m0s", tok(3) + " STORE 1m30s"}}, w.grants.created())
}

func TestAliasesFragmentsInterfacesAndUnions(t *testing.T) {
	w := newWorld(t)
	note := directives.TokenID(tok(50))
	w.OnNode = give[testserver.Node](&testserver.Note{ID: "n", Token: &note, Body: tok(51)})
	w.OnItems = give([]testserver.Item{record(0), &testserver.Note{ID: "n", Body: tok(52)}})
	a := w.ask(t, `
		{ first: node { t: token ...on Note { b: body } } items { ...R ...on Note { body } } }
		fragment R on Record { text ...Deeper } fragment Deeper on Record { aliased: text required }`, nil)
	require.Empty(t, a.Errors)
	require.Equal(t, [][]string{{
		tok(2) + " READ 0s", tok(3) + " READ+STORE 1m30s", tok(50) + " READ 1h0m0s", tok(51) + " READ 0s", tok(52) + " READ 0s",
	}}, w.grants.created())
}

func TestMalformedTokensGetAnErrorAtTheirPath(t *testing.T) {
	w := newWorld(t)
	r := record(0)
	r.List = []string{tok(1), "", "not a token"}
	r.Grid = [][]*string{nil, {nil, ptr(tok(99))}}
	w.OnRecords = give([]*testserver.Record{record(20), r})
	w.grants.foreign[tok(99)] = true
	a := w.ask(t, `{ r: records { l: list grid } }`, nil)
	require.Equal(t, []string{"GRANT_REQUIRED r.1.grid.1.1", "GRANT_REQUIRED r.1.l.1", "GRANT_REQUIRED r.1.l.2"}, a.refused())
	require.Contains(t, a.raw, tok(99), "the token stays in the data")
	require.Len(t, w.grants.creates, 1)
	require.NotContains(t, a.raw, `"data":null`)
}

func TestFailedCreationLeavesTheTokensAndNamesEach(t *testing.T) {
	w := newWorld(t)
	w.OnRecord = give(record(0))
	w.grants.failing = errBroken
	a := w.ask(t, `{ record { name text list mapped { tokens } } }`, nil)
	require.Equal(t, []string{
		"UNAVAILABLE record.list.0", "UNAVAILABLE record.list.1", "UNAVAILABLE record.mapped.tokens.0", "UNAVAILABLE record.text",
	}, a.refused())
	require.NotContains(t, a.raw, errBroken.Error())
	require.Equal(t, tok(2), a.Data["record"].(map[string]any)["text"])

	w.grants.failing = nil
	require.Empty(t, w.ask(t, `{ record { text } }`, nil).Errors, "it is created again, not remembered")
	require.Len(t, w.grants.creates, 2)
}

func TestSlowCreationEndsAtTheTimeout(t *testing.T) {
	w := newWorld(t, func(o *directives.Options) { o.Timeout = time.Millisecond })
	w.OnRecord = give(record(0))
	w.grants.during = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	require.Equal(t, []string{"UNAVAILABLE record.text"}, w.ask(t, `{ record { text } }`, nil).refused())
	w.grants.during = nil
	require.Empty(t, w.ask(t, `{ record { text } }`, nil).Errors)
}

func TestFailingSiblingsLoseNoGrants(t *testing.T) {
	w := newWorld(t)
	w.OnRecord = give(record(0))
	w.Panicking, w.OnFails = "boom", errBroken
	a := w.ask(t, `{ record { text fails panics list } }`, nil)
	require.Len(t, a.Errors, 2)
	require.Equal(t, [][]string{{tok(2) + " READ 0s", tok(7) + " READ 0s", tok(8) + " READ 0s"}}, w.grants.created())
}

func TestATokenWhoseParentFailedIsNotGranted(t *testing.T) {
	w := newWorld(t)
	refuse := false
	w.OnStrict = func(context.Context) (string, error) {
		if refuse {
			return "", errBroken
		}
		return "", nil
	}
	w.OnRecord = give(record(0))
	w.OnSecret = give(ptr(tok(70)))
	refuse = true
	a := w.ask(t, `{ secret record { text strict } }`, nil) // strict is not null: its failure removes the record
	require.Len(t, a.Errors, 1)
	require.Nil(t, a.Data["record"])
	require.Equal(t, [][]string{{tok(70) + " READ 0s"}}, w.grants.created())
}

func TestReturnedTokensNeedASession(t *testing.T) {
	w := newWorld(t)
	w.OnRecord = give(record(0))
	r := request(t, `{ record { name text list mapped { token } } }`, nil)
	r.Header.Del("Session")
	a := w.send(t, r)
	require.Equal(t, []string{
		"UNAUTHENTICATED record.list", "UNAUTHENTICATED record.mapped.token", "UNAUTHENTICATED record.text",
	}, a.refused())
	require.NotContains(t, a.raw, "tok-")
	require.Empty(t, w.grants.creates)
}

// recorder notes how many creating calls came before the first written byte.
type recorder struct {
	*httptest.ResponseRecorder
	grants *fakeGrants
	before int
	wrote  bool
}

func (r *recorder) Write(b []byte) (int, error) {
	if !r.wrote {
		r.wrote = true
		r.before, _ = r.grants.calls()
	}
	return r.ResponseRecorder.Write(b)
}

func TestGrantsExistBeforeTheFirstByte(t *testing.T) {
	w := newWorld(t)
	w.OnRecord = give(record(0))
	rec := &recorder{ResponseRecorder: httptest.NewRecorder(), grants: w.grants}
	w.ServeHTTP(rec, request(t, `{ record { text } }`, nil))
	require.True(t, rec.wrote)
	require.Equal(t, 1, rec.before)
}

func TestTooManyReturnedTokens(t *testing.T) {
	w := newWorld(t, func(o *directives.Options) { o.MaxTokens = 2 })
	w.OnRecord = give(record(0))
	require.Empty(t, w.ask(t, `{ record { list } }`, nil).Errors)
	a := w.ask(t, `{ record { token text required } }`, nil)
	require.Equal(t, []string{"LIMIT_EXCEEDED record.required", "LIMIT_EXCEEDED record.text", "LIMIT_EXCEEDED record.token"}, a.refused())
	require.Len(t, w.grants.creates, 1)
}
