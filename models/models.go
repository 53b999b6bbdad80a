// Package models is the database: its tables, migrations and queries, all through GORM. It imports
// nothing of ours, and its rows are never bound to GraphQL types.
//
// Every table is keyed by uniform hashes. Moments are Unix milliseconds, so that all engines and
// drivers agree on them.
package models

import (
	"database/sql/driver"
	"errors"
	"fmt"
)

// Digest is a SHA-256 that stands for a token or a session. The zero Digest names nothing.
type Digest [32]byte

// Value implements driver.Valuer.
func (d Digest) Value() (driver.Value, error) { return d[:], nil }

// Scan implements sql.Scanner for a column of exactly 32 bytes.
func (d *Digest) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != len(d) {
		return fmt.Errorf("models: a digest of 32 bytes expected, got %T", src)
	}
	copy(d[:], b)
	return nil
}

// Token is one row of the table tokens.
type Token struct {
	ID          Digest `gorm:"primaryKey"`
	Tenant      string
	Object      string
	Sealed      []byte // nil: the key has been destroyed
	CreatedAt   int64  `gorm:"autoCreateTime:false"`
	ExpiresAt   *int64 // nil: kept until deleted
	UploadUntil int64
	PurgeAt     *int64 // nil: the sweeper never looks at the row
}

// Grant is one row of the table grants: what one session may do with one token.
type Grant struct {
	SessionID  Digest `gorm:"primaryKey"`
	TokenID    Digest `gorm:"primaryKey"`
	ReadUntil  int64  // 0: no READ grant
	StoreUntil int64  // 0: no STORE grant
	ExpiresAt  int64  // the later of the two
}

// Kind is a kind of grant, as a bit so that kinds can be combined.
type Kind uint8

// The kinds of grants.
const (
	Read Kind = 1 << iota
	Store
)

// ErrClosed is returned for work that arrives after Close.
var ErrClosed = errors.New("models: the database is closed")
