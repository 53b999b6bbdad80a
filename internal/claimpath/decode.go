package claimpath

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// maxExact is the largest whole number up to which a float64 distinguishes all whole numbers.
const maxExact = 1<<53 - 1

// maxDigits is the number of decimal digits that a float64 always keeps.
const maxDigits = 15

// Decode decodes a claim, one JSON value, for expressions. A number that a float64 can't distinguish from others stays a
// json.Number, which equals no number of an expression.
func Decode(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return numbers(v)
}

// numbers replaces numbers, in place.
func numbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		for n := range v {
			if v[n], err = numbers(v[n]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name := range v {
			if v[name], err = numbers(v[name]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func number(n json.Number) (any, error) {
	f, err := n.Float64()
	if err != nil {
		return nil, err
	}
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil && -maxExact <= i && i <= maxExact {
		return f, nil
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(n.String()), "e")
	digits := strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(mantissa), "0")
	if len(digits) > maxDigits || digits != "" && math.Abs(f) < 1e-300 { // the smallest have fewer digits
		return n, nil
	}
	return f, nil
}

// exact reports whether a float64 distinguishes all numbers in a literal from their neighbours.
func exact(v any) bool {
	switch v := v.(type) {
	case float64:
		return math.Abs(v) <= maxExact
	case []any:
		for _, member := range v {
			if !exact(member) {
				return false
			}
		}
	case map[string]any:
		for _, member := range v {
			if !exact(member) {
				return false
			}
		}
	}
	return true
}
