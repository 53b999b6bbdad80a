package models

import (
	"errors"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// Errors that engines return as they are, or wrapped.
var (
	// ErrClosed is returned for work that arrives after Close.
	ErrClosed = errors.New("models: the database is closed")
	// ErrFull is returned for a batch that adds rows while the disk has no room beside the reserve.
	ErrFull = errors.New("models: the disk is full, and the reserve is kept for revocations and deletions")
	// ErrNoFilter is returned where a revocation would select every tenant's grants.
	ErrNoFilter = errors.New("models: a revocation needs a session or tokens")
	// ErrNoEvents is returned for a batch with events by an engine that can't keep them.
	ErrNoEvents = errors.New("models: this engine has no table for events")
)

// Batch is one change of the database, committed whole. Its parts are applied in the order of the fields; each may be
// empty. What is new to keep becomes a field here, not a method of Rows.
//
// Tokens, Grants, Move and Used add rows, and are refused with ErrFull on a full disk. Ended, Revoke, Destroy and Purge
// end something, and are not: a batch that must succeed on a full disk has none of the former.
type Batch struct {
	Now     int64        // a grant is in force while its end is after this moment
	Tokens  []Token      // to insert; an ID that exists is an error
	Grants  []Grant      // to create, or to extend: of a grant that exists the later ends stay
	Move    *Move        // nil: none
	Used    []UsedState  // states of sign-ins that are used now
	Ended   []Ended      // of two rows with one ID, the later moments stay
	Revoke  *Revocation  // nil: none
	Destroy *Destruction // nil: none
	Purge   []ids.Digest // destroyed tokens whose objects have been deleted
	Events  []Event      // refused with ErrNoEvents by an engine that can't keep them, never dropped
}

// Move gives a session's grants to another session of the tenant, which keeps what it has: of a grant that both have,
// the later end stays, and the first session has none left.
type Move struct {
	Tenant   string
	From, To ids.SessionHash
}

// Revocation ends the matching grants on the tenant's tokens; each field that is set narrows them.
type Revocation struct {
	Tenant  string
	Session *ids.SessionHash // nil: of every session
	Tokens  []ids.Digest     // nil: on every token; empty: on none
	Kinds   ids.Kind         // 0: of both kinds
}

// Destruction destroys the sealed keys of those tokens that are the tenant's, with every grant on them. The rows stay,
// for the sweeper to see to their objects, until they are purged; their MasterKey is 0.
type Destruction struct {
	Tenant string
	Tokens []ids.Digest
}

// Result is what a batch has done.
type Result struct {
	Moved     int     // grants that were in force and moved, counting each kind
	Revoked   int     // grants that were in force and revoked, counting each kind
	Destroyed []Token // with ID, Object and UploadUntil alone
	FirstUse  []bool  // for each of Batch.Used: whether it was used for the first time
}

// Check returns ErrNoFilter for a batch that no engine may carry out: a revocation of every grant.
func (b *Batch) Check() error {
	if r := b.Revoke; r != nil && r.Session == nil && r.Tokens == nil {
		return ErrNoFilter
	}
	return nil
}

// Adds reports whether the batch adds rows that a full disk refuses.
func (b *Batch) Adds() bool {
	return len(b.Tokens) > 0 || len(b.Grants) > 0 || b.Move != nil || len(b.Used) > 0
}

// Ends reports whether the batch ends something.
func (b *Batch) Ends() bool {
	return len(b.Ended) > 0 || b.Revoke != nil || b.Destroy != nil || len(b.Purge) > 0
}
