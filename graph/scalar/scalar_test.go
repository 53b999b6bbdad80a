package scalar_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/graph/scalar"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

const token = "tok-2b58d9b2-83c1-4e9b-9692-b149112810c8"

func encode(t testing.TB, m graphql.Marshaler) string {
	var b bytes.Buffer
	m.MarshalGQL(&b)
	require.True(t, json.Valid(b.Bytes()), b.String())
	return strings.TrimSpace(b.String())
}

// row is a value and the JSON to which a scalar encodes it again, or "" if the scalar refuses it.
type row struct {
	in   any
	want string
}

func run[T any](t *testing.T, name string, decode func(any) (T, error), marshal func(T) graphql.Marshaler, rows []row) {
	t.Run(name, func(t *testing.T) {
		never := []any{nil, true, 1.5, []any{}, []any{token}, []byte("x"), struct{}{}}
		if name != "Map" {
			never = append(never, map[string]any{})
		}
		for _, v := range never {
			rows = append(rows, row{v, ""})
		}
		for _, r := range rows {
			v, err := decode(r.in)
			if r.want == "" {
				require.Error(t, err, "%#v", r.in)
				require.Equal(t, fault.BadUserInput, fault.Public(err).Code)
				continue
			}
			require.NoError(t, err, "%#v", r.in)
			require.Equal(t, r.want, encode(t, marshal(v)))
		}
	})
}

func n(s string) json.Number { return json.Number(s) }

func TestScalars(t *testing.T) {
	run(t, "TokenID", scalar.UnmarshalTokenID, scalar.MarshalTokenID, []row{
		{token, `"` + token + `"`}, {"", ""}, {"tok-", ""}, {strings.ToUpper(token), ""}, {token + "\n", ""}, {" " + token, ""}, {n("1"), ""}, {int64(1), ""},
	})
	run(t, "String", scalar.UnmarshalString, scalar.MarshalString, []row{
		{"", `""`}, {"a\"b\n", `"a\"b\n"`}, {"ключ 🔑", `"ключ 🔑"`}, {"\x00", `"\u0000"`}, {"\xff", ""}, {n("1"), ""}, {int64(1), ""},
	})
	run(t, "ID", scalar.UnmarshalID, scalar.MarshalID, []row{
		{"a", `"a"`}, {"", `""`}, {n("12"), `"12"`}, {n("-1"), `"-1"`}, {int64(5), `"5"`}, {7, `"7"`}, {n("1.5"), ""}, {n("1e3"), ""}, {n("99999999999999999999"), ""}, {"\xff", ""},
	})
	run(t, "Int", scalar.UnmarshalInt, scalar.MarshalInt, []row{
		{n("0"), "0"}, {n("-5"), "-5"}, {n("2147483647"), "2147483647"}, {n("-2147483648"), "-2147483648"}, {int64(3), "3"}, {4, "4"},
		{n("2147483648"), ""}, {n("-2147483649"), ""}, {int64(math.MaxInt64), ""}, {n("1.0"), ""}, {n("1e2"), ""}, {"1", ""}, {n("99999999999999999999"), ""},
	})
	run(t, "Int64", scalar.UnmarshalInt64, scalar.MarshalInt64, []row{
		{n("0"), "0"}, {n("-5"), "-5"}, {n("2147483648"), "2147483648"}, {n("9007199254740993"), "9007199254740993"}, {n("9223372036854775807"), "9223372036854775807"},
		{n("-9223372036854775808"), "-9223372036854775808"}, {int64(math.MaxInt64), "9223372036854775807"}, {4, "4"}, {n("9223372036854775808"), ""},
		{n("1.0"), ""}, {n("1e2"), ""}, {"1", ""}, {n("99999999999999999999"), ""}, {3.0, ""}, {true, ""}, {nil, ""}, {[]any{n("1")}, ""},
	})
	run(t, "Base64", scalar.UnmarshalBase64, scalar.MarshalBase64, []row{
		{"", `""`}, {"AA==", `"AA=="`}, {"+/+/", `"+/+/"`}, {"AA", ""}, {"AB==", ""}, {"-_-_", ""}, {"AA==\n", ""}, {"A\r\nA==", ""}, {" AA==", ""}, {"%", ""}, {n("1"), ""},
	})
	run(t, "Duration", scalar.UnmarshalDuration, scalar.MarshalDuration, []row{
		{"90s", `"1m30s"`}, {"15m", `"15m0s"`}, {"1h30m", `"1h30m0s"`}, {"1ns", `"1ns"`}, {"0.5s", `"500ms"`}, {"0", ""}, {"0s", ""}, {"-1s", ""}, {"15", ""}, {"", ""}, {"1d", ""},
		{" 1s", ""}, {"1S", ""}, {"9999999h", ""}, {strings.Repeat("1s", 33), ""}, {n("15"), ""}, {"P1D", ""}, {"1e3s", ""},
	})
	run(t, "Time", scalar.UnmarshalTime, scalar.MarshalTime, []row{
		{"2026-05-04T10:00:00Z", `"2026-05-04T10:00:00Z"`}, {"2026-05-04T12:00:00.125+02:00", `"2026-05-04T10:00:00.125Z"`}, {"0000-01-01T00:00:00Z", `"0000-01-01T00:00:00Z"`},
		{"9999-12-31T23:59:59Z", `"9999-12-31T23:59:59Z"`}, {"9999-12-31T23:59:59-01:00", ""}, {"0000-01-01T00:00:00+01:00", ""}, {"2026-05-04", ""}, {"2026-05-04 10:00:00Z", ""},
		{"2026-02-30T00:00:00Z", ""}, {"2026-05-04T10:00:00", ""}, {"", ""}, {n("0"), ""}, {"2026-05-04T10:00:00." + strings.Repeat("1", 50) + "Z", ""},
	})
	run(t, "URL", scalar.UnmarshalURL, scalar.MarshalURL, []row{
		{"https://a.example/x?y=z", `"https://a.example/x?y=z"`}, {"http://[::1]:80", `"http://[::1]:80"`}, {"/x", ""}, {"a.example", ""}, {"", ""}, {"https://", ""}, {"mailto:a@b", ""}, {"https://a\x00", ""}, {"%", ""},
	})
	run(t, "Map", scalar.UnmarshalMap, scalar.MarshalMap, []row{
		{map[string]any{}, `{}`}, {map[string]any{"a": []any{n("1.50"), nil, "<"}}, `{"a":[1.50,null,"\u003c"]}`}, {"{}", ""}, {[]any{}, ""},
	})
}

// FuzzStrings: every accepted value encodes to JSON that is accepted again, as the same value.
func FuzzStrings(f *testing.F) {
	for _, s := range []string{token, "90s", "1h0.5m", "2026-05-04T10:00:00.5+01:00", "https://a.example", "\xff", "", "-1ns", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		again(t, s, scalar.UnmarshalTokenID, scalar.MarshalTokenID)
		again(t, s, scalar.UnmarshalString, scalar.MarshalString)
		again(t, s, scalar.UnmarshalDuration, scalar.MarshalDuration)
		again(t, s, func(v any) (int64, error) { t, err := scalar.UnmarshalTime(v); return t.UnixNano(), err }, func(ns int64) graphql.Marshaler { return scalar.MarshalTime(time.Unix(0, ns)) })
		if v, err := scalar.UnmarshalTokenID(s); err == nil {
			require.Equal(t, s, v.String())
		}
		if d, err := scalar.UnmarshalDuration(s); err == nil {
			require.Positive(t, d)
		}
	})
}

func again[T comparable](t *testing.T, s string, decode func(any) (T, error), marshal func(T) graphql.Marshaler) {
	v, err := decode(s)
	if err != nil {
		require.Equal(t, fault.BadUserInput, fault.Public(err).Code)
		return
	}
	var text string
	require.NoError(t, json.Unmarshal([]byte(encode(t, marshal(v))), &text))
	w, err := decode(text)
	require.NoError(t, err)
	require.Equal(t, v, w)
}
