package signin

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// maxSealed limits the text that open accepts from clients, in characters.
const maxSealed = 4096

var errSealed = errors.New("not sealed here, for this purpose")

// seal returns a payload, sealed, as base64url (RFC 4648, section 5) without padding.
func seal(keys Sealer, payload []byte) (string, error) {
	sealed, err := keys.Seal(payload)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// open opens the result of seal. It accepts only the one encoding that seal makes.
func open(keys Sealer, text string) ([]byte, error) {
	if text == "" || len(text) > maxSealed {
		return nil, errSealed
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(sealed)) != len(text) { // the decoder skips line breaks
		return nil, errSealed
	}
	payload, err := keys.Open(sealed)
	if err != nil {
		return nil, errSealed
	}
	return payload, nil
}

// A payload is a version byte, then parts of fixed size, then texts, each after its length in two bytes.
const version = 1

func appendMoment(b []byte, at time.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(at.UnixMilli()))
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// payload reads a payload; bad is set if something is missing.
type payload struct {
	rest []byte
	bad  bool
}

func readPayload(b []byte) *payload {
	p := &payload{rest: b}
	if v := p.take(1); v[0] != version {
		p.bad = true
	}
	return p
}

func (p *payload) take(n int) []byte {
	if p.bad || len(p.rest) < n {
		p.bad = true
		return make([]byte, n)
	}
	part := p.rest[:n]
	p.rest = p.rest[n:]
	return part
}

func (p *payload) moment() time.Time {
	ms := binary.BigEndian.Uint64(p.take(8))
	return time.UnixMilli(int64(min(ms, math.MaxInt64))).UTC()
}

func (p *payload) text() string { return string(p.take(int(binary.BigEndian.Uint16(p.take(2))))) }

// complete reports whether nothing was missing and nothing is left.
func (p *payload) complete() bool { return !p.bad && len(p.rest) == 0 }
