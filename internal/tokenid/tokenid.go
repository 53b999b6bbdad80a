// Package tokenid is the form of a token: a prefix, a hyphen and a random UUID (version 4, RFC 9562
// section 5.4) in lower case, as in tok-2b58d9b2-83c1-4e9b-9692-b149112810c8. Every token that is
// accepted has one spelling only.
package tokenid

import (
	"strings"

	"github.com/google/uuid"
)

const (
	// MaxPrefix is the longest prefix, in bytes.
	MaxPrefix = 16

	uuidLen = 36
)

// New returns a token of 122 random bits.
func New(prefix string) (string, error) {
	u, err := uuid.NewRandom()
	if err != nil {
		return "", err
	}
	return prefix + "-" + u.String(), nil
}

// Valid reports whether s has the form of a token.
func Valid(s string) bool {
	split := len(s) - uuidLen - 1
	return split > 0 && s[split] == '-' && ValidPrefix(s[:split]) && validUUID(s[split+1:])
}

// Prefix returns the prefix of a valid token.
func Prefix(s string) string { return s[:len(s)-uuidLen-1] }

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
