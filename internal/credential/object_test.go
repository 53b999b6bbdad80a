package credential

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// slowObject is decodeObject by encoding/json alone, in two passes: the oracle of FuzzObject.
func slowObject(b []byte) (o object, err error) {
	if !utf8.Valid(b) {
		return nil, errMalformed
	}
	if err := checkNames(json.NewDecoder(bytes.NewReader(b))); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &o); err != nil || o == nil {
		return nil, errMalformed
	}
	return o, nil
}

// checkNames walks the document: no object in it may repeat a name, or nest too deep.
func checkNames(d *json.Decoder) error {
	var open []map[string]bool // one per open object or array; nil for an array
	key := false               // the next token is a name
	for {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case json.Delim:
			switch t {
			case '{':
				open = append(open, map[string]bool{})
			case '[':
				open = append(open, nil)
			default:
				open = open[:len(open)-1]
			}
		case string:
			if key {
				if open[len(open)-1][t] {
					return errors.New("a name occurs twice")
				}
				open[len(open)-1][t] = true
				key = false
				continue
			}
		}
		if len(open) == 0 {
			return nil // the outermost value is complete
		}
		if len(open) > maxNesting {
			return errors.New("nested too deep")
		}
		key = open[len(open)-1] != nil
	}
}

// FuzzObject: one pass accepts what encoding/json does in two, and finds the same members.
func FuzzObject(f *testing.F) {
	for _, s := range []string{
		claimsOf(), "{}", " {\"a\" :\t1 ,\"b\":\r\n[ ] } ", `{"a":1}{`, `{"a":1,"\u0061":1}`, `{"\ud800":1,"\udc00":2}`, `{"\ud83d\udd11":1,"🔑":2}`,
		`{"a":{"b":{"b":1},"c":[{"b":1,"b":2}]}}`, `{"a":-0.0e+1,"b":"\/\b\u0000","c":null}`, `{"a":01}`, `{"a":1,}`, `{"a"}`, `[]`, `null`, ``, "\ufeff{}", "{\"a\":\"\x01\"}",
		`{"x":` + strings.Repeat("[", maxNesting-1) + strings.Repeat("]", maxNesting-1) + `}`,
		`{"x":` + strings.Repeat("[", maxNesting) + strings.Repeat("]", maxNesting) + `}`,
		`{"x":` + strings.Repeat(`{"a":`, maxNesting-1) + "1" + strings.Repeat("}", maxNesting-1) + `}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, wrong := slowObject([]byte(s))
		got, err := decodeObject([]byte(s))
		if wrong != nil {
			require.ErrorIs(t, err, errMalformed)
			require.Nil(t, got)
			return
		}
		require.NoError(t, err)
		require.Equal(t, want, got)
		for name, raw := range want { // and reads them alike
			for _, v := range [][2]any{{new(string), new(string)}, {new(numericDate), new(numericDate)}, {new(audience), new(audience)}, {new(list), new(list)}} {
				slow, fast := json.Unmarshal(raw, v[0]), decodeValue(raw, v[1])
				if string(raw) == "null" {
					continue // member refuses it before
				}
				require.Equal(t, slow == nil, fast == nil, name)
				require.Equal(t, v[0], v[1], name)
			}
		}
	})
}
