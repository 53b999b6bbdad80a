// Package scalar decodes and encodes the contract's scalars. Malformed input is refused with
// BAD_USER_INPUT; gqlgen adds the path. Each accepted TokenID encodes to itself again.
package scalar

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"github.com/cloakroomhq/cloakroom/internal/fault"
)

func bad(message string) error {
	return fault.New(fault.BadUserInput, "%s", message)
}

// MarshalString encodes the built-in String.
func MarshalString(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalString decodes the built-in String: a JSON string of valid UTF-8.
func UnmarshalString(v any) (string, error) {
	s, ok := v.(string)
	if !ok || !utf8.ValidString(s) {
		return "", bad("Expected a string.")
	}
	return s, nil
}

// MarshalID encodes the built-in ID.
func MarshalID(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalID decodes the built-in ID: a string or an integer (GraphQL, section 3.5.5).
func UnmarshalID(v any) (string, error) {
	switch v := v.(type) {
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return v.String(), nil
		}
	case int64:
		return strconv.FormatInt(v, 10), nil
	case int:
		return strconv.Itoa(v), nil
	case string:
		return UnmarshalString(v)
	}
	return "", bad("Expected an ID: a string or an integer.")
}

// MarshalInt encodes the built-in Int.
func MarshalInt(i int) graphql.Marshaler { return graphql.MarshalInt(i) }

// UnmarshalInt decodes the built-in Int: 32 bits (GraphQL, section 3.5.1).
func UnmarshalInt(v any) (int, error) {
	i, err := integer(v)
	if err != nil {
		return 0, err
	}
	if i > math.MaxInt32 || i < math.MinInt32 {
		return 0, bad("The integer is out of range.")
	}
	return int(i), nil
}

// MarshalBase64 encodes bytes in base64 (RFC 4648, section 4).
func MarshalBase64(b []byte) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		text := make([]byte, 0, base64.StdEncoding.EncodedLen(len(b))+2)
		_, _ = w.Write(append(base64.StdEncoding.AppendEncode(append(text, '"'), b), '"'))
	})
}

// UnmarshalBase64 decodes bytes in base64, padded, without line breaks.
func UnmarshalBase64(v any) ([]byte, error) {
	s, ok := v.(string)
	if !ok || strings.ContainsAny(s, "\r\n") {
		return nil, bad("Expected bytes in base64.")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, bad("Expected bytes in base64.")
	}
	return b, nil
}

// MarshalInt64 encodes a whole number as a JSON number.
func MarshalInt64(i int64) graphql.Marshaler { return graphql.MarshalInt64(i) }

// UnmarshalInt64 decodes a whole number of 64 bits, exactly: a literal, or a JSON number without a fraction or an exponent.
func UnmarshalInt64(v any) (int64, error) { return integer(v) }

// integer decodes without a float, which would round above 2^53.
func integer(v any) (int64, error) {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i, nil
		}
	case int64:
		return v, nil
	case int:
		return int64(v), nil
	}
	return 0, bad("Expected an integer of 64 bits at most.")
}

// MarshalDuration encodes a duration as Go writes it.
func MarshalDuration(d time.Duration) graphql.Marshaler { return graphql.MarshalString(d.String()) }

// UnmarshalDuration decodes a positive duration as Go writes it.
func UnmarshalDuration(v any) (time.Duration, error) {
	s, ok := v.(string)
	if !ok || len(s) > 64 {
		return 0, bad("Expected a duration such as 90s or 15m.")
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, bad("Expected a duration such as 90s or 15m.")
	}
	if d <= 0 {
		return 0, bad("A duration must be positive.")
	}
	return d, nil
}

// MarshalTime encodes a moment as RFC 3339 in UTC.
func MarshalTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		var b [40]byte
		_, _ = w.Write(append(t.UTC().AppendFormat(append(b[:0], '"'), time.RFC3339Nano), '"'))
	})
}

// UnmarshalTime decodes a moment written as RFC 3339, in any zone.
func UnmarshalTime(v any) (time.Time, error) {
	s, ok := v.(string)
	if !ok || len(s) > 64 {
		return time.Time{}, bad("Expected a moment as RFC 3339 writes it.")
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.UTC().Year() < 0 || t.UTC().Year() > 9999 {
		return time.Time{}, bad("Expected a moment as RFC 3339 writes it.")
	}
	return t.UTC(), nil
}

// MarshalURL encodes a URL.
func MarshalURL(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalURL decodes an absolute URL.
func UnmarshalURL(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", bad("Expected a URL.")
	}
	if u, err := url.Parse(s); err != nil || !u.IsAbs() || u.Host == "" {
		return "", bad("Expected an absolute URL.")
	}
	return s, nil
}

// MarshalMap encodes a JSON object.
func MarshalMap(m map[string]any) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _ = json.NewEncoder(w).Encode(m) })
}

// UnmarshalMap decodes a JSON object.
func UnmarshalMap(v any) (map[string]any, error) {
	if m, ok := v.(map[string]any); ok {
		return m, nil
	}
	return nil, bad("Expected a JSON object.")
}
