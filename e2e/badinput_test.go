package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
	"github.com/cloakroomhq/cloakroom/gateway"
)

const (
	bad   = "BAD_USER_INPUT"
	limit = "LIMIT_EXCEEDED"
)

// mistake is one operation that must be refused, with a code and a path.
type mistake struct {
	name       string
	query      string
	variables  string // JSON; "" for none
	code, path string
	app        bool // sent by the application
}

func TestBadInputIsRefusedWithCodeAndPath(t *testing.T) {
	s := stack.Start(t, stack.Configure(func(c *gateway.Config) { c.Objects.MaxSize = 1 << 20 }))
	me := s.Session(t)
	app := s.ApplicationJWT(t)
	for _, m := range mistakes() {
		t.Run(m.name, func(t *testing.T) {
			jwt := me.JWT
			if m.app {
				jwt = app
			}
			body, err := json.Marshal(map[string]any{"query": m.query, "variables": json.RawMessage(or(m.variables, "{}"))})
			if err != nil {
				t.Fatal(err)
			}
			r := s.Post(t, jwt, body)
			assert.Equal(t, m.code, r.Code(), "%s", r.Raw)
			assert.Equal(t, m.path, r.Path(), "%s", r.Raw)
			assert.Less(t, r.Status, 500)
			for field, value := range r.Data {
				assert.Nil(t, value, field)
			}
		})
	}
	assert.Equal(t, "clinic", s.Query(t, me.JWT, stack.Viewer, nil).OK(t).At("viewer", "tenant"), "the gateway still answers")
	assert.Equal(t, http.StatusOK, s.Get(t, s.GatewayURL+"/readyz").Status)
	assert.NotContains(t, s.Logs.String(), "panic")
}

func mistakes() []mistake {
	return append(append(append(tokenMistakes(), sizeAndTimeMistakes()...), listMistakes()...), documentMistakes()...)
}

// tokenMistakes are malformed tokens, as a variable and as a literal.
func tokenMistakes() (all []mistake) {
	const uuid = "2b58d9b2-83c1-4e9b-9692-b149112810c8"
	for name, token := range map[string]any{
		"empty token": "", "blank token": " ", "only a prefix": "tok-", "no prefix": uuid, "no hyphen": "tok" + uuid,
		"upper case": "tok-" + strings.ToUpper(uuid), "prefix in upper case": "TOK-" + uuid, "foreign prefix": "ssn-" + uuid,
		"UUID version 1":  "tok-2b58d9b2-83c1-1e9b-9692-b149112810c8",
		"UUID variant":    "tok-2b58d9b2-83c1-4e9b-1692-b149112810c8",
		"one digit short": "tok-" + uuid[:35], "one digit long": "tok-" + uuid + "0",
		"trailing newline": "tok-" + uuid + "\n", "leading blank": " tok-" + uuid, "NUL at the end": "tok-" + uuid + "\x00",
		"braces": "tok-{" + uuid + "}", "no hyphens within": "tok-" + strings.ReplaceAll(uuid, "-", ""),
		"full-width digits": "tok-２b58d9b2-83c1-4e9b-9692-b149112810c8", "right-to-left mark": "tok-" + uuid + "\u200f",
		"SQL": "tok-' OR 1=1 --", "a path": "../../etc/passwd", "a very long one": "tok-" + strings.Repeat("a", 100_000),
		"a number": 5, "a float": 1.5, "true": true, "a list": []string{"tok-" + uuid}, "an object": map[string]string{"token": uuid},
		"null": nil,
	} {
		encoded, _ := json.Marshal(map[string]any{"token": token})
		path := "[detokenize token]"
		if token == nil {
			path = "[variable token]"
		}
		all = append(all, mistake{name: "token: " + name, query: stack.Detokenize, variables: string(encoded), code: bad, path: path})
	}
	return append(all,
		mistake{name: "token literal: rubbish", query: `mutation { detokenize(token: "rubbish") { token } }`, code: bad, path: "[detokenize token]"},
		mistake{name: "token literal: an integer", query: `mutation { detokenize(token: 5) { token } }`, code: bad, path: "[detokenize token]"},
		mistake{name: "token literal: enum", query: `mutation { detokenize(token: READ) { token } }`, code: bad, path: "[detokenize token]"},
		mistake{name: "token literal: a bad escape", query: `mutation { detokenize(token: "\u12") { token } }`, code: bad},
		mistake{name: "token literal: a lone surrogate", query: `mutation { detokenize(token: "\ud800") { token } }`, code: bad, path: "[detokenize token]"},
		mistake{name: "metadata of rubbish", query: `{ token(id: "rubbish") { id } }`, code: bad, path: "[token id]"},
		mistake{name: "metadata of a foreign prefix", query: `{ token(id: "ssn-` + uuid + `") { id } }`, code: bad, path: "[token id]"},
	)
}

func sizeAndTimeMistakes() (all []mistake) {
	input := func(name, input, code, path string) {
		all = append(all, mistake{name: name, query: stack.Tokenize, variables: `{"input":` + input + `}`, code: code, path: path})
	}
	for _, size := range []string{"-1", "-9007199254740993", "-9223372036854775808"} {
		code, path := bad, "[tokenize input size]"
		input("size "+size, `{"size":`+size+`}`, code, path)
	}
	input("size over the limit", `{"size":1048577}`, limit, "[tokenize input size]")
	input("size of 1 TiB", `{"size":1099511627776}`, limit, "[tokenize input size]")
	for _, size := range []string{"2147483648", "9007199254740993", "9223372036854775807"} {
		input("size "+size, `{"size":`+size+`}`, limit, "[tokenize input size]")
	}
	for _, size := range []string{`"5"`, "9223372036854775808", "1e400", "1e3", "5.0", "1.5", "true", "[]", "{}"} {
		input("size "+size, `{"size":`+size+`}`, bad, "[tokenize input size]")
	}
	for _, ttl := range []string{`"-1s"`, `"0s"`, `"soon"`, `""`, `"1 hour"`, `"1h "`, `"999999999999h"`, `"1d"`, `"` + strings.Repeat("1s", 1000) + `"`,
		`"Infinity"`, `"١s"`, "5", "1.5", "true", "[]", "{}"} {
		input("ttl "+ttl[:min(len(ttl), 20)], `{"ttl":`+ttl+`}`, bad, "[tokenize input ttl]")
	}
	input("ttl of a nanosecond", `{"ttl":"1ns"}`, bad, "[tokenize input ttl]")
	input("ttl over the maximum", `{"ttl":"2000000h"}`, limit, "[tokenize input ttl]")
	for _, duration := range []string{"-5m", "0s", "1us", "soon"} {
		all = append(all, grantMistake("grant's duration "+duration, duration, bad))
	}
	all = append(all, grantMistake("grant's duration over the maximum", "25h", limit), grantMistake("grant's huge duration", "2562047h", limit))
	for _, moment := range []string{`"yesterday"`, `"2026-02-30T00:00:00Z"`, `"2026-05-04"`, `"99999-01-01T00:00:00Z"`, "5", "{}"} {
		input("lastModified "+moment, `{"metadata":{"lastModified":`+moment+`}}`, bad, "[tokenize input metadata lastModified]")
	}
	for _, name := range []string{"", "a\nb", "a\x00b", "../../etc/passwd", `C:\x`, "a\u0085b", strings.Repeat("x", 256)} {
		encoded, _ := json.Marshal(name)
		input(fmt.Sprintf("filename %.20q", name), `{"metadata":{"filename":`+string(encoded)+`}}`, bad, "[tokenize input metadata filename]")
	}
	for _, media := range []string{"", "text", "text/plain\r\nX-Evil: 1", "téxt/plain", "text/plain; charset=\x00", strings.Repeat("a", 300) + "/b", "a/b/c"} {
		encoded, _ := json.Marshal(media)
		input(fmt.Sprintf("contentType %.20q", media), `{"metadata":{"contentType":`+string(encoded)+`}}`, bad, "[tokenize input metadata contentType]")
	}
	input("custom too big", `{"metadata":{"custom":{"a":"`+strings.Repeat("x", 5000)+`"}}}`, limit, "[tokenize input metadata custom]")
	input("custom too deep", `{"metadata":{"custom":`+nested(`{"a":`, `1`, `}`, 50)+`}}`, limit, "[tokenize input metadata custom]")
	input("custom a list", `{"metadata":{"custom":[1]}}`, bad, "[tokenize input metadata custom]")
	input("custom a string", `{"metadata":{"custom":"x"}}`, bad, "[tokenize input metadata custom]")
	input("unknown input field", `{"sise":5}`, bad, "[variable input sise]")
	input("__proto__ as an input field", `{"__proto__":{"size":5}}`, bad, "[variable input __proto__]")
	input("input is a list of two", `[{},{}]`, bad, "[variable input]")
	input("input is a string", `"x"`, bad, "[variable input]")
	return all
}

func grantMistake(name, duration, code string) mistake {
	return mistake{name: name, app: true, query: stack.CreateGrants, code: code, path: "[createGrants input grants 0 duration]",
		variables: `{"input":{"sessionId":"x","grants":[{"tokens":["` + unknownToken + `"],"duration":"` + duration + `"}]}}`}
}

func listMistakes() []mistake {
	many := `["` + unknownToken + strings.Repeat(`","`+unknownToken, 1000) + `"]`
	most := `["` + unknownToken + strings.Repeat(`","`+unknownToken, 10_000) + `"]` // applications have a higher limit
	inputs := `[{}` + strings.Repeat(`,{}`, 1000) + `]`
	const batch = `mutation($tokens: [TokenID!]!) { detokenizeBatch(tokens: $tokens) { __typename } }`
	const tokenizeBatch = `mutation($inputs: [TokenizeInput!]!) { tokenizeBatch(inputs: $inputs) { token } }`
	session := func(id string) string {
		encoded, _ := json.Marshal(id)
		return `{"input":{"sessionId":` + string(encoded) + `,"checks":[{"token":"` + unknownToken + `"}]}}`
	}
	return []mistake{
		{name: "no token to detokenize", query: batch, variables: `{"tokens":[]}`, code: bad, path: "[detokenizeBatch tokens]"},
		{name: "a thousand and one", query: batch, variables: `{"tokens":` + many + `}`, code: limit, path: "[detokenizeBatch tokens]"},
		{name: "null among tokens", query: batch, variables: `{"tokens":["` + unknownToken + `",null]}`, code: bad, path: "[variable tokens 1]"},
		{name: "rubbish among tokens", query: batch, variables: `{"tokens":["` + unknownToken + `","x"]}`, code: bad, path: "[detokenizeBatch tokens 1]"},
		{name: "a list of lists", query: batch, variables: `{"tokens":[["` + unknownToken + `"]]}`, code: bad, path: "[detokenizeBatch tokens 0]"},
		{name: "nothing to tokenize", query: tokenizeBatch, variables: `{"inputs":[]}`, code: bad, path: "[tokenizeBatch inputs]"},
		{name: "too much to tokenize", query: tokenizeBatch, variables: `{"inputs":` + inputs + `}`, code: limit, path: "[tokenizeBatch inputs]"},
		{name: "one bad of two", query: tokenizeBatch, variables: `{"inputs":[{},{"size":-1}]}`, code: bad, path: "[tokenizeBatch inputs 1 size]"},
		{name: "nothing to delete", app: true, query: stack.DeleteTokens, variables: `{"tokens":[]}`, code: bad, path: "[deleteTokens tokens]"},
		{name: "too much to delete", app: true, query: stack.DeleteTokens, variables: `{"tokens":` + most + `}`, code: limit, path: "[deleteTokens tokens]"},
		{name: "no grants to create", app: true, query: stack.CreateGrants, variables: `{"input":{"sessionId":"x","grants":[]}}`, code: bad, path: "[createGrants input grants]"},
		{name: "a grant on no token", app: true, query: stack.CreateGrants, code: bad, path: "[createGrants input grants 1 tokens]",
			variables: `{"input":{"sessionId":"x","grants":[{"tokens":["` + unknownToken + `"]},{"tokens":[]}]}}`},
		{name: "a grant on a malformed token", app: true, query: stack.CreateGrants, code: bad, path: "[createGrants input grants 0 tokens 1]",
			variables: `{"input":{"sessionId":"x","grants":[{"tokens":["` + unknownToken + `","123-45-6789"]}]}}`},
		{name: "a grant of no kind", app: true, query: stack.CreateGrants, code: bad, path: "[createGrants input grants 0 kinds]",
			variables: `{"input":{"sessionId":"x","grants":[{"tokens":["` + unknownToken + `"],"kinds":[]}]}}`},
		{name: "a grant of an unknown kind", app: true, query: stack.CreateGrants, code: bad, path: "[variable input grants 0 kinds 0]",
			variables: `{"input":{"sessionId":"x","grants":[{"tokens":["` + unknownToken + `"],"kinds":["WRITE"]}]}}`},
		{name: "nothing to verify", app: true, query: stack.VerifyGrants, variables: `{"input":{"sessionId":"x","checks":[]}}`, code: bad, path: "[verifyGrants input checks]"},
		{name: "too much to verify", app: true, query: stack.VerifyGrants, code: limit, path: "[verifyGrants input checks]",
			variables: `{"input":{"sessionId":"x","checks":[{"token":"` + unknownToken + `"}` + strings.Repeat(`,{"token":"`+unknownToken+`"}`, 10_000) + `]}}`},
		{name: "a check of no token", app: true, query: stack.VerifyGrants, code: bad, path: "[verifyGrants input checks 1 token]",
			variables: `{"input":{"sessionId":"x","checks":[{"token":"` + unknownToken + `"},{"token":"x"}]}}`},
		{name: "a check of an unknown kind", app: true, query: stack.VerifyGrants, code: bad, path: "[variable input checks 0 kind]",
			variables: `{"input":{"sessionId":"x","checks":[{"token":"` + unknownToken + `","kind":"WRITE"}]}}`},
		{name: "revoking everything", app: true, query: stack.RevokeGrants, variables: `{"input":{}}`, code: bad, path: "[revokeGrants input]"},
		{name: "revoking on no tokens", app: true, query: stack.RevokeGrants, variables: `{"input":{"sessionId":"x","tokens":[]}}`, code: bad, path: "[revokeGrants input tokens]"},
		{name: "carrying to the same session", app: true, query: stack.CarryGrants, code: bad, path: "[carryGrants input toSessionId]",
			variables: `{"input":{"fromSessionId":"x","toSessionId":"x"}}`},
		{name: "carrying from no session", app: true, query: stack.CarryGrants, code: bad, path: "[carryGrants input fromSessionId]",
			variables: `{"input":{"fromSessionId":"","toSessionId":"x"}}`},
		{name: "empty session id", app: true, query: stack.VerifyGrants, variables: session(""), code: bad, path: "[verifyGrants input sessionId]"},
		{name: "session id with a newline", app: true, query: stack.VerifyGrants, variables: session("a\nb"), code: bad, path: "[verifyGrants input sessionId]"},
		{name: "session id with NUL", app: true, query: stack.VerifyGrants, variables: session("a\x00b"), code: bad, path: "[verifyGrants input sessionId]"},
		{name: "session id too long", app: true, query: stack.VerifyGrants, variables: session(strings.Repeat("x", 1025)), code: bad, path: "[verifyGrants input sessionId]"},
		{name: "session id an object", app: true, query: stack.VerifyGrants, code: bad, path: "[variable input sessionId]",
			variables: `{"input":{"sessionId":{},"checks":[{"token":"` + unknownToken + `"}]}}`},
	}
}

func documentMistakes() []mistake {
	return []mistake{
		{name: "unknown field", query: `{ secrets }`, code: bad},
		{name: "unknown argument", query: `{ viewer(x: 1) { tenant } }`, code: bad},
		{name: "unknown directive", query: `{ viewer @x { tenant } }`, code: bad},
		{name: "unknown type", query: `query($x: Nope) { viewer { tenant } }`, code: bad},
		{name: "missing argument", query: `mutation { detokenize { token } }`, code: bad},
		{name: "missing variable", query: stack.Detokenize, code: bad, path: "[variable token]"},
		{name: "unused variable", query: `query($x: Int) { viewer { tenant } }`, code: bad},
		{name: "undeclared variable", query: `mutation { detokenize(token: $t) { token } }`, code: bad},
		{name: "variable of another type", query: `mutation($t: String!) { detokenize(token: $t) { token } }`, variables: `{"t":"x"}`, code: bad},
		{name: "no selection", query: `{ viewer }`, code: bad},
		{name: "selection on a leaf", query: `{ viewer { tenant { x } } }`, code: bad},
		{name: "unknown operation type", query: `subscription { viewer { tenant } }`, code: bad},
		{name: "syntax", query: `{ viewer { tenant `, code: bad},
		{name: "nothing but a comment", query: `# nothing`, code: bad},
		{name: "only a fragment", query: `fragment F on Viewer { tenant }`, code: bad},
		{name: "a schema definition", query: `type Query { x: Int }`, code: bad},
		{name: "fragment cycle", query: `{ viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { ...A }`, code: bad},
		{name: "fragment that spreads itself", query: `{ viewer { ...A } } fragment A on Viewer { tenant ...A }`, code: bad},
		{name: "two operations and no name", query: `query A { __typename } query B { __typename }`, code: bad},
		{name: "conflicting aliases", query: `{ viewer { a: tenant a: subject } }`, code: bad},
		{name: "a null byte", query: "{ viewer { tenant \x00 } }", code: bad},
		{name: "a byte order mark inside", query: "{ viewer\u202e { tenant } }", code: bad},
		{name: "100,000 aliases", query: `{ ` + numbered("a%d: viewer { tenant } ", 100_000) + `}`, code: limit},
		{name: "10,000 aliases, in a body that is short enough", query: `{ ` + numbered("a%d: viewer { tenant } ", 10_000) + `}`, code: limit},
		{name: "31 aliases", query: `{ ` + numbered("a%d: __typename ", 31) + `}`, code: limit},
		{name: "deep selection", query: nested(`{ viewer `, `{ tenant }`, ` }`, 1000), code: limit},
		{name: "deep list", query: `mutation { deleteTokens(tokens: ` + nested(`[`, `1`, `]`, 1500) + `) { deleted } }`, code: limit},
		{name: "deep introspection", query: `{ __schema { types { fields { type ` + nested(`{ ofType `, `{ name }`, ` }`, 40) + ` } } } }`, code: limit},
		{name: "fragment bomb", query: bomb(25), code: limit},
		{name: "directive flood", query: `{ viewer { tenant ` + strings.Repeat("@include(if: true) ", 60) + ` } }`, code: bad},
		{name: "directives on many fields", query: `{ viewer { ` + strings.Repeat("tenant @include(if: true) ", 60) + ` } }`, code: limit},
		{name: "the same field over and over", query: `{ viewer { ` + strings.Repeat("tenant ", 2000) + ` } }`, code: limit},
		{name: "many root fields", query: `{ ` + strings.Repeat("viewer { tenant } ", 300) + ` }`, code: limit},
		{name: "too many tokens", query: `{ viewer { ` + strings.Repeat("tenant ", 5000) + ` } }`, code: limit},
		{name: "deep JSON variables", query: stack.Tokenize, variables: `{"input":` + nested(`{"metadata":`, `null`, `}`, 5000) + `}`, code: bad, path: "[variable input metadata metadata]"},
	}
}

func nested(open, inner, close string, times int) string {
	return strings.Repeat(open, times) + inner + strings.Repeat(close, times)
}

func numbered(format string, times int) string {
	var b strings.Builder
	for i := range times {
		_, _ = fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// bomb returns fragments that each spread the next one twice: 2 to the power of n fields.
func bomb(n int) string {
	var b strings.Builder
	b.WriteString(`{ viewer { ...F0 } } `)
	for i := range n {
		_, _ = fmt.Fprintf(&b, `fragment F%d on Viewer { ...F%d ...F%d } `, i, i+1, i+1)
	}
	_, _ = fmt.Fprintf(&b, `fragment F%d on Viewer { tenant }`, n)
	return b.String()
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
