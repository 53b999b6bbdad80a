package models

import "github.com/cloakroomhq/cloakroom/internal/ids"

// Token is one row of the table tokens.
type Token struct {
	ID          ids.Digest `gorm:"primaryKey"`
	Tenant      string
	Object      string
	Sealed      []byte // nil: the key has been destroyed, or the value is being uploaded in parts, and Upload has the envelope
	MasterKey   uint32 // the id of the master key that the envelope is sealed under; 0: the key has been destroyed
	CreatedAt   int64  `gorm:"autoCreateTime:false"`
	ExpiresAt   *int64 // nil: kept until deleted
	UploadUntil int64
	PurgeAt     *int64 // nil: the sweeper never looks at the row
}

// Upload is one row of the table uploads: an upload in parts. It is under way from its insertion until it is completed, is ended, or
// Until; then the row stays until Forget.
type Upload struct {
	TokenID     ids.Digest `gorm:"primaryKey"`
	Tenant      string
	SessionID   ids.SessionHash // whose upload it is
	Object      string
	StoreID     string // the store's id of the upload; "": not known yet
	Sealed      []byte // the token's envelope, while the upload is under way; nil: the token has it, or it has been destroyed
	Size        int64  // bytes of the value; -1: not known yet
	CreatedAt   int64  `gorm:"autoCreateTime:false"`
	ExpiresAt   *int64 // of the token
	Until       int64  // the upload is over then at the latest, and the sweeper looks at the row
	CompletedAt int64  // 0: it has not been completed
}

// Grant is one row of the table grants: what one session may do with one token.
type Grant struct {
	SessionID  ids.SessionHash `gorm:"primaryKey"`
	TokenID    ids.Digest      `gorm:"primaryKey"`
	ReadUntil  int64           // 0: no READ grant
	StoreUntil int64           // 0: no STORE grant
	ExpiresAt  int64           // the later of the two
}

// TokenGrant says what a session may do with one token that exists; its moments may be past, or 0.
type TokenGrant struct {
	TokenID        ids.Digest
	TokenExpiresAt *int64
	ReadUntil      int64
	StoreUntil     int64
}

// Ended is one row of the table ended: credentials with this ID are refused if they were issued before IssuedBefore.
type Ended struct {
	ID           ids.SessionHash `gorm:"primaryKey"` // of a session, a sign-in or a subject
	IssuedBefore int64
	EndedAt      int64
	ExpiresAt    int64
}

// TableName implements gorm's schema.Tabler.
func (Ended) TableName() string { return "ended" }

// UsedState is one row of the table sign_in_states: the state of a sign-in that has been used.
type UsedState struct {
	Digest    ids.Digest `gorm:"primaryKey"` // of the state's nonce
	ExpiresAt int64      // from then on the state is refused because it has expired
}

// TableName implements gorm's schema.Tabler.
func (UsedState) TableName() string { return "sign_in_states" }

// Setting is one row of the table settings.
type Setting struct {
	Name  string `gorm:"primaryKey"`
	Value []byte
}

// Event is one entry of the audit log, encoded. No engine has a table for it yet.
type Event struct {
	At   int64
	Body []byte
}
