package claimpath_test

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/claimpath"
)

func claims(t testing.TB, text string) (c map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &c))
	return c
}

func TestCompileRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "half": "a.", "garbage": "a b", "unclosed": "a[?b", "unknown function": "nope(a)",
		"to_string of a constant": "to_string(`1`)", "to_number": "to_number(sid)", "padding": "pad_left(sid, `1000000000`)", "repetition": "replace(sid, 'a', 'aaaa')",
		"nested": "a.b[?pad_right(c, `9`) == 'x']", "the root": "a[*].($.a[*])", "let": "let $x = a in $x", "too long": strings.Repeat("a", 513),
		"a constant": "'everybody'", "a fallback": "sid || 'guest'", "a constant list": "['application']", "a constant from a literal": "`\"x\"`",
		"a constant number": "`1`", "a type's name": "type(sid)", "a constant by a condition": "!sid && 'guest'",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := claimpath.CompileString(text)
			require.Error(t, err, name)
			_, err = claimpath.CompileStrings(text)
			require.Error(t, err, name)
		})
	}
}

// TestCompileStringRefuses: expressions that could give several users one result are refused.
func TestCompileStringRefuses(t *testing.T) {
	for _, text := range []string{
		"iss", "aud", "aud[0]", "aud[1]", "scope", "typ", "roles[0]", "sid || iss", "not_null(sid, azp)", "join('', [iss])", "join('', [not_null(sid, ''), client_id])", "split(scope, ' ')[0]",
		"exp", "to_string(exp)", "to_string(auth_time)", "join('-', ['x', to_string(auth_time)])", "values(@)[0]", "keys(@) | [0]", "{a: iss}.a", "iss && sid || azp", "upper(typ)",
		"sid && 'x'", "sid && `\"x\"`", "'x' && sid", "ext.sid && 'x'", "none.a || (sid && 'x')", "not_null(sid && 'x')", "sid && ['x'][0]", "sid && ['x'] | [0]", "sid && lower('X')",
		"sid && {a: 'x'}.a", "ext.['x'] | [0]", "map(&'x', list) | [0]", "sid && `1`", "join('', [sid && 'x'])",
	} {
		_, err := claimpath.CompileString(text)
		require.Error(t, err, text)
	}
	for _, text := range []string{"sid", "none || sid", "join('-', ['idp', sid])", "contains(scope, 'vault') && sid", "iss && sid", "identities[?provider=='b' && active==`true`].id | [0]", "split(sid, 's')[1]"} {
		_, err := claimpath.CompileString(text)
		require.NoError(t, err, text)
	}
}

// TestCompileStringsRefuses: expressions that would give every user a role are refused; words of shared claims are not, as
// they are no roles by themselves.
func TestCompileStringsRefuses(t *testing.T) {
	for _, text := range []string{
		"iss && ['application']", "not_null(azp) && 'admin'", "aud && ['application']", "contains(scope, 'openid') && ['application']", "exp > `5` && ['admin']", "aud[1] && ['admin']",
		"[typ, 'admin']", "roles[?id==`12345678901234567890`] && ['application']", "roles[?@==`9007199254740993`]", "roles[?@==`[{\"a\":-9007199254740992}]`]",
	} {
		_, err := claimpath.CompileStrings(text)
		require.Error(t, err, text)
	}
	for _, text := range []string{"roles", "split(scope, ' ')", "contains(scope, 'vault') && ['application'] || `[]`", "g[?id==`9007199254740991`] && ['application']"} {
		_, err := claimpath.CompileStrings(text)
		require.NoError(t, err, text)
	}
}

// TestNumbers: numbers that float64 can't distinguish are distinguished, or equal nothing.
func TestNumbers(t *testing.T) {
	e, err := claimpath.CompileStrings("g[?a==b] && ['same']")
	require.NoError(t, err)
	for numbers, same := range map[string]bool{
		"12345678901234567890 12345678901234567891": false, "9007199254740992 9007199254740993": false, "-9007199254740992 -9007199254740993": false,
		"9007199254740993 9007199254740993": true, "5 5.0000000000000000001": false, "0.1 0.10000000000000000001": false, "1e-320 1.0001e-320": false, "0 1e-999": false,
		"9007199254740991 9007199254740990": false, "9007199254740991 9007199254740991": true, "5 5.0": true, "10 1e1": true, "0 -0.0": true, "0.1 0.1": true, "1e300 1e300": true,
		`12345678901234567890 "12345678901234567890"`: false,
	} {
		t.Run(numbers, func(t *testing.T) {
			a, b, _ := strings.Cut(numbers, " ")
			g, err := claimpath.Decode([]byte(`[{"a":` + a + `,"b":` + b + `}]`))
			require.NoError(t, err)
			got, err := e.Strings(map[string]any{"g": g})
			require.NoError(t, err, numbers)
			require.Equal(t, same, len(got) == 1, numbers)
		})
	}
	sid, err := claimpath.CompileString("sid")
	require.NoError(t, err)
	big, err := claimpath.Decode([]byte("12345678901234567890"))
	require.NoError(t, err)
	_, err = sid.String(map[string]any{"sid": big})
	require.ErrorIs(t, err, claimpath.ErrOtherType)
	for _, bad := range []string{"1e999", "[1e999]", `{"a":1e999}`, "", "{"} {
		_, err := claimpath.Decode([]byte(bad))
		require.Error(t, err, bad)
	}
}

// TestErrorsQuoteNoClaims: errors are logged, so they quote no claims.
func TestErrorsQuoteNoClaims(t *testing.T) {
	for _, text := range []string{"join(':', sid)", "length(n)", "keys(sid)", "lower(n)", "sid"} {
		e, err := claimpath.CompileStrings(text)
		require.NoError(t, err, text)
		_, err = e.String(map[string]any{"sid": []any{"SECRET", 1.0}, "n": 4242.0})
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), "SECRET", text)
		require.NotContains(t, err.Error(), "4242", text)
	}
}

func TestString(t *testing.T) {
	const document = `{"sid":"s1","ext":{"session":{"id":"s2"},"n":1,"list":["s3","s4"]},"urn:x:sid":"s5","empty":"","null":null,"yes":true,
		"identities":[{"provider":"a","id":"ia"},{"provider":"b","id":"ib"}]}`
	for text, want := range map[string]string{
		"sid": "s1", "ext.session.id": "s2", "ext.list[1]": "s4", `"urn:x:sid"`: "s5", "empty": "", "not_null(none, sid)": "s1", "none || sid": "s1",
		"identities[?provider=='b'].id | [0]": "ib", "join(':', ext.list)": "s3:s4", "split(sid, 's')[1]": "1",
	} {
		t.Run(text, func(t *testing.T) {
			e, err := claimpath.CompileString(text)
			require.NoError(t, err, text)
			got, err := e.String(claims(t, document))
			require.NoError(t, err, text)
			require.Equal(t, want, got)
		})
	}
	for _, text := range []string{"none", "null", "ext", "ext.n", "ext.list", "yes", "ext.list[9]", "sid.x", "sid[0]", "length(sid)", "join(':', ext)", "keys(sid)", "length(ext.n)"} {
		e, err := claimpath.CompileString(text)
		require.NoError(t, err, text)
		_, err = e.String(claims(t, document))
		require.Error(t, err, text)
	}
}

// TestToString: an absent claim, or a number that is not whole, is no string.
func TestToString(t *testing.T) {
	e, err := claimpath.CompileString("join('-', [sub, to_string(auth_time)])")
	require.NoError(t, err)
	got, err := e.String(claims(t, `{"sub":"u","auth_time":1767225600}`))
	require.NoError(t, err)
	require.Equal(t, "u-1767225600", got)
	for _, document := range []string{
		`{"sub":"u"}`, `{"auth_time":1}`, `{"sub":"u","auth_time":null}`, `{"sub":"u","auth_time":true}`, `{"sub":"u","auth_time":[1]}`, `{"sub":"u","auth_time":{}}`,
		`{"sub":"u","auth_time":1.5}`, `{"sub":"u","auth_time":9007199254740992}`, `{"sub":"u","auth_time":1e300}`, `{"sub":1,"auth_time":1}`,
	} {
		v, err := claimpath.Decode([]byte(document))
		require.NoError(t, err)
		_, err = e.String(v.(map[string]any))
		require.Error(t, err, document)
	}
}

// TestCondition: only true holds, and no other value that a language might treat as true.
func TestCondition(t *testing.T) {
	e, err := claimpath.CompileCondition("token_use == 'access' && client_id != 'other'")
	require.NoError(t, err)
	for document, want := range map[string]bool{
		`{"token_use":"access"}`: true, `{"token_use":"access","client_id":"web"}`: true, `{"token_use":"access","client_id":"other"}`: false, `{"token_use":"id"}`: false,
		`{"token_use":["access"]}`: false, `{}`: false,
	} {
		t.Run(document, func(t *testing.T) {
			require.Equal(t, want, e.Holds(claims(t, document)), document)
		})
	}
	e, err = claimpath.CompileCondition("verified")
	require.NoError(t, err)
	for document, want := range map[string]bool{`{"verified":true}`: true, `{"verified":"true"}`: false, `{"verified":1}`: false, `{"verified":[true]}`: false, `{"verified":null}`: false} {
		t.Run(document, func(t *testing.T) {
			require.Equal(t, want, e.Holds(claims(t, document)), document)
		})
	}
	for _, text := range []string{"", "`true`", "!sid", "token_use != 'id'", "iss == iss", "nope(a)", "$.a", "not_null(sid, `true`)"} {
		_, err := claimpath.CompileCondition(text)
		require.Error(t, err, text)
	}
}

func TestStrings(t *testing.T) {
	const document = `{"roles":["a","b"],"one":"a","realm_access":{"roles":["vault-client","other"]},"mixed":["a",1],"nulls":["a",null],"nested":[["a"]],"object":{"a":"b"},"n":1,"none":[]}`
	const mapped = "realm_access.roles[?@=='vault-client'] && ['application']"
	for text, want := range map[string][]string{
		"roles": {"a", "b"}, "one": {"a"}, "missing": nil, "missing.roles": nil, "none": {}, "values(object)": {"b"},
		mapped: {"application"}, "realm_access.roles[?@=='nobody'] && ['application']": {},
	} {
		t.Run(text, func(t *testing.T) {
			e, err := claimpath.CompileStrings(text)
			require.NoError(t, err, text)
			got, err := e.Strings(claims(t, document))
			require.NoError(t, err, text)
			require.Equal(t, want, got, text)
		})
	}
	for _, text := range []string{"mixed", "nulls", "nested", "object", "n", "contains(roles, 'a')"} {
		e, err := claimpath.CompileStrings(text)
		require.NoError(t, err, text)
		_, err = e.Strings(claims(t, document))
		require.Error(t, err, text)
	}
	e, err := claimpath.CompileStrings(mapped)
	require.NoError(t, err)
	got, err := e.Strings(claims(t, `{}`))
	require.NoError(t, err)
	require.Empty(t, got)
}

// FuzzClaims: for any claims, an expression's result comes soon, and has the expected type or is an error.
func FuzzClaims(f *testing.F) {
	var compiled []*claimpath.Expression
	for _, text := range []string{
		"a.b.c", "a[*].b[*].c[]", "a[?b=='x'].c | [0]", "join(a, b)", "values(a)[*].keys(@)[]", "map(&b, a)", "split(a, b)", "not_null(a, b, c)", "a[::2][1:].b", "{x: a}.x",
	} {
		e, err := claimpath.CompileStrings(text)
		require.NoError(f, err, text)
		compiled = append(compiled, e)
	}
	f.Add(`{"a":{"b":{"c":"d"}}}`)
	f.Add(`{"a":[12345678901234567890,-0.1e-320,{"b":1e15}],"b":9007199254740993}`)
	f.Add(`{"a":[{"b":"x","c":["y"]}],"b":["z",""]}`)
	f.Add(`{"a":"` + strings.Repeat("x", 2000) + `","b":[` + strings.Repeat(`"",`, 1000) + `""]}`)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 8<<10 {
			return
		}
		v, err := claimpath.Decode([]byte(text))
		c, ok := v.(map[string]any)
		if err != nil || !ok {
			return
		}
		before := processorTime()
		for _, e := range compiled {
			_, _ = e.String(c)
			_, _ = e.Strings(c)
		}
		require.Less(t, processorTime()-before, 5*time.Second)
	})
}

// processorTime returns the processor time of this process; the clock's time would include other processes.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
