// Package ids has the identifiers that packages share: a token and the id of its row, the hash of a session, and the kinds
// of grants. It imports no other package of ours, so that every package, the public ones too, may use it.
package ids

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
)

// Digest is the SHA-256 that stands for a token: the id of its row. The zero Digest names no row.
type Digest [sha256.Size]byte

// Value implements driver.Valuer.
func (d Digest) Value() (driver.Value, error) { return d[:], nil }

// Scan implements sql.Scanner for a column of exactly 32 bytes.
func (d *Digest) Scan(src any) error { return scan(d[:], src) }

// SessionHash is the SHA-256 that stands for a session id; the id itself is stored nowhere. A sign-in and a subject have one
// as well, with their own domain names: package caller makes them.
type SessionHash [sha256.Size]byte

// String is the hash as clients see it: 64 hexadecimal digits, in lower case.
func (h SessionHash) String() string { return hex.EncodeToString(h[:]) }

// Value implements driver.Valuer.
func (h SessionHash) Value() (driver.Value, error) { return h[:], nil }

// Scan implements sql.Scanner for a column of exactly 32 bytes.
func (h *SessionHash) Scan(src any) error { return scan(h[:], src) }

func scan(to []byte, src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != len(to) {
		return fmt.Errorf("ids: a column of %d bytes expected, got %T", len(to), src)
	}
	copy(to, b)
	return nil
}

// Kind is a kind of grant, as a bit so that kinds can be combined.
type Kind uint8

// The kinds of grants.
const (
	Read Kind = 1 << iota
	Store
)

// String is the name of one kind in the contract: READ or STORE.
func (k Kind) String() string {
	if k == Store {
		return "STORE"
	}
	return "READ"
}
