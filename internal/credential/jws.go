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

// header has the parameters of a JOSE header (RFC 7515, section 4) that are used. A token's own keys, URLs and
// certificates (jwk, jku, x5u, x5c) are ignored.
type header struct{ alg, kid, typ string }

// parts are the parts of a compact JWS (RFC 7515, section 7.1), decoded and not yet verified.
type parts struct {
	header    header
	payload   []byte
	signed    string // the signed text: the first two parts, as received
	signature []byte
}

// split decodes a compact JWS. It accepts one encoding only: canonical base64url, JSON objects without repeated names,
// and no extensions (crit, b64, zip).
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
		return h, fmt.Errorf("%w: typ is not a non-empty string", errMalformed)
	}
	alg, err := member[string](o, "alg")
	if err != nil || alg == nil {
		return h, fmt.Errorf("%w: no alg", errMalformed)
	}
	kid, err := member[string](o, "kid")
	if err != nil || kid != nil && *kid == "" {
		return h, fmt.Errorf("%w: kid is not a non-empty string", errMalformed)
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

// object is a JSON object. Its names are case-sensitive, as JWTs need; encoding/json matches struct fields in any case.
type object map[string]json.RawMessage

// maxNesting bounds how deep a claim nests.
const maxNesting = 16

// decodeObject decodes one JSON object, in one pass. No object in it may repeat a name, because parsers treat repeated
// names differently.
func decodeObject(b []byte) (object, error) {
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("%w: not UTF-8", errMalformed)
	}
	// The text is UTF-8, so only an escaped half of a surrogate pair can be invalid; it becomes U+FFFD.
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

// notJSON omits the decoder's message, which quotes the input.
func notJSON(err error) error {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return fmt.Errorf("%w: a name occurs twice", errMalformed)
	}
	return fmt.Errorf("%w: not JSON", errMalformed)
}

// member returns a member of an object, or nil if it is absent. It refuses null.
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

// decodeValue is json.Unmarshal for a value whose syntax was checked: where possible, it is not checked again.
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
