package models

import (
	"slices"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// Revoked is one row of the table revocations: which grants of READ ended before they expired. It tells other replicas' sessions
// of a revocation, and decides nothing: the grants do.
type Revoked struct {
	Seq       int64            `gorm:"primaryKey;autoIncrement"` // given by the engine; ascends in the order of commits
	Tenant    string           // of the tokens
	SessionID *ids.SessionHash // nil: of every session
	Tokens    []byte           // their ids, of 32 bytes each, one after the other; nil: on every token
	RevokedAt int64
}

// TableName implements gorm's schema.Tabler.
func (Revoked) TableName() string { return "revocations" }

// TokenIDs returns the ids of Tokens.
func (r *Revoked) TokenIDs() []ids.Digest {
	all := make([]ids.Digest, 0, len(r.Tokens)/len(ids.Digest{}))
	for id := range slices.Chunk(r.Tokens, len(ids.Digest{})) {
		if len(id) == len(ids.Digest{}) {
			all = append(all, ids.Digest(id))
		}
	}
	return all
}

// Revoked returns the rows that tell of what the batch has ended; done is its result. There is one row for each of Move, Revoke and
// Destroy that ended a grant of READ in force, whatever the number of its sessions and tokens.
func (b *Batch) Revoked(done *Result) (rows []Revoked) {
	if b.Move != nil && done.Moved > 0 {
		rows = append(rows, Revoked{Tenant: b.Move.Tenant, SessionID: &b.Move.From, RevokedAt: b.Now})
	}
	if r := b.Revoke; r != nil && done.Revoked > 0 && (r.Kinds == 0 || r.Kinds&ids.Read != 0) {
		rows = append(rows, Revoked{Tenant: r.Tenant, SessionID: r.Session, Tokens: join(r.Tokens), RevokedAt: b.Now})
	}
	if b.Destroy != nil && len(done.Destroyed) > 0 {
		destroyed := make([]ids.Digest, len(done.Destroyed))
		for i := range destroyed {
			destroyed[i] = done.Destroyed[i].ID
		}
		rows = append(rows, Revoked{Tenant: b.Destroy.Tenant, Tokens: join(destroyed), RevokedAt: b.Now})
	}
	return rows
}

// join returns nil for nil: every token.
func join(tokens []ids.Digest) []byte {
	if tokens == nil {
		return nil
	}
	all := make([]byte, 0, len(tokens)*len(ids.Digest{}))
	for i := range tokens {
		all = append(all, tokens[i][:]...)
	}
	return all
}
