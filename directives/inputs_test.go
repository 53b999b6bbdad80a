package directives_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/directives"
)

const (
	read  = directives.GrantKindRead
	store = directives.GrantKindStore
)

func TestEveryInputShapeIsVerifiedInOneCall(t *testing.T) {
	for _, c := range inputCases() {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			for token := range maps.Values(c.wants) {
				for _, k := range c.kinds {
					w.grants.hold(k, token)
				}
			}
			a := w.ask(t, c.query, c.variables)
			require.Empty(t, a.Errors)
			require.Positive(t, w.Ran.Load())
			require.Len(t, w.grants.verifies, 1)
			var asked, wanted []directives.Check
			asked = w.grants.verifies[0]
			for _, token := range slices.Compact(slices.Sorted(maps.Values(c.wants))) {
				for _, k := range c.kinds {
					wanted = append(wanted, directives.Check{Token: token, Kind: k})
				}
			}
			require.ElementsMatch(t, wanted, asked, "each once")
		})
	}
}

func TestOneBadTokenAmongValidOnesIsRefusedBeforeAnyResolver(t *testing.T) {
	for _, c := range inputCases() {
		for bad := range maps.Values(c.wants) {
			t.Run(c.name+"/"+bad[len(bad)-2:], func(t *testing.T) {
				w := newWorld(t)
				var paths []string
				for path, token := range c.wants {
					if token == bad {
						paths = append(paths, "GRANT_REQUIRED "+path)
						continue
					}
					for _, k := range c.kinds {
						w.grants.hold(k, token)
					}
				}
				slices.Sort(paths)
				a := w.ask(t, c.query, c.variables)
				require.Equal(t, paths, a.refused())
				require.Nil(t, a.Data)
				require.Zero(t, w.Ran.Load(), "no resolver ran")
				require.Len(t, w.grants.verifies, 1)
			})
		}
	}
}

func TestNullAndAbsentInputsAreAccepted(t *testing.T) {
	w := newWorld(t)
	for _, query := range []string{
		`mutation { take }`, `mutation { take(token: null, list: null, grid: [null, [null]], deep: null, deeps: []) }`,
		`mutation($a: String, $d: Deep) { take(token: $a, deep: $d) }`, `mutation { take(deep: {token: null, deep: {}}, plain: "tok") }`,
	} {
		r := request(t, query, nil)
		r.Header.Del("Session")
		require.Empty(t, w.send(t, r).Errors, query)
	}
	creates, verifies := w.grants.calls()
	require.Zero(t, creates+verifies)
}

func TestMalformedTokensAreRefusedWithoutACall(t *testing.T) {
	w := newWorld(t)
	w.grants.all = true
	for _, bad := range []string{`""`, `" "`, `"tok"`, `"` + strings.ToUpper(tok(1)) + `"`, `"` + tok(1) + ` "`} {
		require.Equal(t, []string{"GRANT_REQUIRED take.token"}, w.ask(t, `mutation { take(token: `+bad+`) }`, nil).refused(), bad)
	}
	require.Equal(t, []string{"GRANT_REQUIRED take.id"}, w.ask(t, `mutation { take(id: 7) }`, nil).refused())
	require.Equal(t, []string{"GRANT_REQUIRED take.ref"}, w.ask(t, `mutation { take(ref: {a: 1}) }`, nil).refused())
	require.Zero(t, w.Ran.Load())
	require.Empty(t, w.grants.verifies)
}

func TestInputsNeedASession(t *testing.T) {
	w := newWorld(t)
	w.grants.all = true
	r := request(t, `mutation { take(token: "`+tok(1)+`", deep: {id: "`+tok(2)+`"}) }`, nil)
	r.Header.Del("Session")
	require.Equal(t, []string{"UNAUTHENTICATED take.deep.id", "UNAUTHENTICATED take.token"}, w.send(t, r).refused())
	require.Zero(t, w.Ran.Load())
	require.Empty(t, w.grants.verifies)
}

func TestVerificationThatFailsRefuses(t *testing.T) {
	w := newWorld(t, func(o *directives.Options) { o.Timeout = time.Millisecond })
	w.grants.all = true
	w.grants.failing = errBroken
	query := `mutation { take(token: "` + tok(1) + `") }`
	require.Equal(t, []string{"UNAVAILABLE take.token"}, w.ask(t, query, nil).refused())
	w.grants.failing = nil
	w.grants.during = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	a := w.ask(t, query, nil)
	require.Equal(t, []string{"UNAVAILABLE take.token"}, a.refused())
	require.NotContains(t, a.raw, "broken")
	require.Zero(t, w.Ran.Load())
}

func TestInputAndOutputOfOneField(t *testing.T) {
	w := newWorld(t)
	w.grants.hold(read, tok(1))
	require.Empty(t, w.ask(t, `{ echo(token: "`+tok(1)+`") }`, nil).Errors)
	require.Equal(t, [][]string{{tok(1) + " READ 0s"}}, w.grants.created())
	require.Equal(t, [][]directives.Check{{{Token: tok(1), Kind: read}}}, w.grants.verifies)
}

func TestTooManyInputTokensAreRefused(t *testing.T) {
	w := newWorld(t, func(o *directives.Options) { o.MaxTokens = 3 }) // a token that needs both kinds is two checks
	w.grants.all = true
	query := `mutation($l: [String!]) { take(list: $l, deep: {both: "` + tok(1) + `"}) }`
	require.Empty(t, w.ask(t, query, map[string]any{"l": []string{tok(1), tok(2), tok(2)}}).Errors)
	require.Len(t, w.ask(t, query, map[string]any{"l": []string{tok(1), tok(2), tok(3)}}).Errors, 1)
	require.Len(t, w.grants.verifies, 1)
}

func TestNumbersThatPanicAreRefused(t *testing.T) {
	w := newWorld(t)
	a := w.ask(t, `mutation { take(id: 999999999999999999999999999999) }`, nil)
	require.NotEmpty(t, a.Errors)
	require.Zero(t, w.Ran.Load())
}

func TestFragmentsThatUnfoldExponentiallyEnd(t *testing.T) {
	for name, leaf := range map[string]string{"with tokens": `slow(name: "x")`, "without": `name`} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var b strings.Builder
			b.WriteString(`{ record { ...F0 } }`)
			for i := range 24 {
				fmt.Fprintf(&b, ` fragment F%d on Record { a: child { ...F%d } b: child { ...F%d } }`, i, i+1, i+1)
			}
			fmt.Fprintf(&b, ` fragment F24 on Record { %s }`, leaf)
			start := time.Now()
			a := w.ask(t, b.String(), nil)
			if name == "with tokens" {
				require.Equal(t, []string{"LIMIT_EXCEEDED "}, a.refused())
			} else {
				require.Empty(t, a.Errors)
			}
			require.Less(t, time.Since(start), 5*time.Second)
		})
	}
}
