package credential

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

var errMalformed = errors.New("malformed JWT")

// header is what counts of a JOSE header (RFC 7515, section 4). A token's own keys, URLs and
// certificates (jwk, jku, x5u, x5c) are never looked at.
type header struct{ alg, kid, typ string }

// parts are what a compact JWS (RFC 7515, section 7.1) is made of, decoded and not yet verified.
type parts struct {
	header    header
	payload   []byte
	signed    string // what the signature is over: the first two parts, as they came
	signature []byte
}

// split decodes a compact JWS. It accepts one spelling only: canonical base64url, JSON objects without
// repeated names, and no extension that it would have to understand.
func split(jwt string) (*parts, error) {
	segments := strings.SplitN(jwt, ".", 4)
	if len(segments) != 3 || segments[2] == "" {
		return nil, fmt.Errorf("%w: not three parts", errMalformed)
	}
	var decoded [3][]byte
	for i, s := range segments {
		// Strict refuses trailing bits that are not zero; the decoder itself skips line breaks.
		if strings.ContainsAny(s, "\r\n") {
			return nil, fmt.Errorf("%w: part %d is not base64url", errMalformed, i+1)
		}
		b, err := base64.RawURLEncoding.Strict().DecodeString(s)
		if err != nil {
			return nil, fmt.Errorf("%w: part %d is not base64url", errMalformed, i+1)
		}
		decoded[i] = b
	}
	p := &parts{payload: decoded[1], signed: jwt[:len(jwt)-len(segments[2])-1], signature: decoded[2]}
	var err error
	p.header, err = decodeHeader(decoded[0])
	return p, err
}

func decodeHeader(b []byte) (h header, err error) {
	o, err := decodeObject(b)
	if err != nil {
		return h, err
	}
	for _, extension := range []string{"crit", "b64", "zip"} {
		if _, ok := o[extension]; ok {
			return h, fmt.Errorf("%w: its header asks for an extension", errMalformed)
		}
	}
	typ, err := member[string](o, "typ")
	if err != nil || typ != nil && *typ == "" {
		return h, fmt.Errorf("%w: typ is no type", errMalformed)
	}
	alg, err := member[string](o, "alg")
	if err != nil || alg == nil {
		return h, fmt.Errorf("%w: no alg", errMalformed)
	}
	kid, err := member[string](o, "kid")
	if err != nil || kid != nil && *kid == "" {
		return h, fmt.Errorf("%w: kid is no name", errMalformed)
	}
	h.alg = *alg
	if kid != nil {
		h.kid = *kid
	}
	if typ != nil {
		h.typ = *typ
	}
	return h, nil
}

// object is a JSON object; its names are told apart by case, as JWTs need and Go's structs don't.
type object map[string]json.RawMessage

// maxNesting bounds how deep a claim nests.
const maxNesting = 16

// decodeObject decodes one JSON object, in one pass. No object in it may repeat a name, which parsers
// treat differently.
func decodeObject(b []byte) (object, error) {
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("%w: not UTF-8", errMalformed)
	}
	// What is not UTF-8 now is half of a surrogate pair, escaped, which becomes U+FFFD.
	d := jsontext.NewDecoder(bytes.NewBuffer(b), jsontext.AllowInvalidUTF8(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return nil, fmt.Errorf("%w: not a JSON object", errMalformed)
	}
	o := object{}
	for d.PeekKind() != '}' {
		t, err := d.ReadToken()
		if err != nil {
			return nil, notJSON(err)
		}
		name, begin := t.String(), d.InputOffset()
		if err := skipValue(d); err != nil {
			return nil, err
		}
		o[name] = bytes.TrimLeft(b[begin:d.InputOffset()], ": \t\r\n")
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, notJSON(err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the JSON object", errMalformed)
	}
	return o, nil
}

// skipValue reads a member's value, of any kind.
func skipValue(d *jsontext.Decoder) error {
	for outside := d.StackDepth(); ; {
		if _, err := d.ReadToken(); err != nil {
			return notJSON(err)
		}
		switch depth := d.StackDepth(); {
		case depth == outside:
			return nil
		case depth > maxNesting:
			return fmt.Errorf("%w: nested too deep", errMalformed)
		}
	}
}

// notJSON leaves the decoder's text out: it quotes the input.
func notJSON(err error) error {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return fmt.Errorf("%w: a name occurs twice", errMalformed)
	}
	return fmt.Errorf("%w: not JSON", errMalformed)
}

// member returns a member of an object, or nil where it is absent; null is not absent, and refused.
func member[T any](o object, name string) (*T, error) {
	raw, ok := o[name]
	if !ok {
		return nil, nil
	}
	var v T
	if string(raw) == "null" || decodeValue(raw, &v) != nil {
		return nil, fmt.Errorf("%w: %s has another type", errMalformed, name)
	}
	return &v, nil
}

// decodeValue is json.Unmarshal of a value whose grammar was checked: it does without a second check
// where it can.
func decodeValue(raw []byte, v any) error {
	switch v := v.(type) {
	case *string:
		if len(raw) > 1 && raw[0] == '"' && !bytes.ContainsRune(raw, '\\') {
			*v = string(raw[1 : len(raw)-1])
			return nil
		}
	case json.Unmarshaler:
		return v.UnmarshalJSON(raw)
	}
	return json.Unmarshal(raw, v)
}
