package ids

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

const (
	// MaxPrefix is the longest prefix of a token, in bytes.
	MaxPrefix = 16

	uuidLen  = 36
	idDomain = "cloakroom/token/v1\x00"
)

// Token is a token with the id of its row. Its form is a prefix, a hyphen and a random UUID (version 4, RFC 9562
// section 5.4) in lower case, for example tok-2b58d9b2-83c1-4e9b-9692-b149112810c8: every token has one text. It is made
// once, at the edge, by ParseToken; other packages neither check the form nor hash again. Tokens are comparable.
type Token struct {
	text string
	id   Digest
}

// NewToken returns a token of 122 random bits.
func NewToken(prefix string) Token {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails: crypto/rand
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	b := make([]byte, 0, MaxPrefix+1+uuidLen)
	b = append(append(b, prefix...), '-')
	for i, part := range [][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return TokenOf(string(b))
}

// ParseToken returns the token with the text s, or false if s does not have the form of a token.
func ParseToken(s string) (Token, bool) {
	if !ValidToken(s) {
		return Token{}, false
	}
	return TokenOf(s), true
}

// TokenOf returns the token of a text whose form was checked elsewhere. A text of another form gives a token that names
// no row.
func TokenOf(s string) Token {
	var b [len(idDomain) + 64]byte
	return Token{text: s, id: sha256.Sum256(append(append(b[:0], idDomain...), s...))}
}

// String returns the token's text. It is a secret: with it, the gateway can open the value.
func (t Token) String() string { return t.text }

// MarshalText implements encoding.TextMarshaler.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.text), nil }

var errForm = errors.New("ids: not a token: a prefix and a random UUID")

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Token) UnmarshalText(b []byte) error {
	parsed, ok := ParseToken(string(b))
	if !ok {
		return errForm
	}
	*t = parsed
	return nil
}

// ID returns the id of the token's row: SHA-256 over a domain name and the text.
func (t Token) ID() Digest { return t.id }

// Prefix returns the text before the UUID and its hyphen; "" if the text is too short.
func (t Token) Prefix() string { return t.text[:max(0, prefixLen(t.text))] }

// IDs returns the row ids of tokens, in order.
func IDs(tokens []Token) []Digest {
	all := make([]Digest, len(tokens))
	for i := range tokens {
		all[i] = tokens[i].id
	}
	return all
}

func prefixLen(s string) int { return len(s) - uuidLen - 1 }

// ValidToken reports whether s has the form of a token.
func ValidToken(s string) bool {
	n := prefixLen(s)
	return n > 0 && s[n] == '-' && ValidPrefix(s[:n]) && validUUID(s[n+1:])
}

// ValidPrefix reports whether p can be a prefix: a lower-case letter, then lower-case letters, digits
// or underscores.
func ValidPrefix(p string) bool {
	if p == "" || len(p) > MaxPrefix || p[0] < 'a' || p[0] > 'z' {
		return false
	}
	return strings.Trim(p, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func validUUID(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		case 14:
			if c != '4' {
				return false
			}
		case 19:
			if c != '8' && c != '9' && c != 'a' && c != 'b' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}
