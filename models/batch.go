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
	// ErrNoFilter is returned for a revocation that would select every tenant's grants.
	ErrNoFilter = errors.New("models: a revocation needs a session or tokens")
	// ErrNoEvents is returned for a batch with events by an engine that can't keep them.
	ErrNoEvents = errors.New("models: this engine has no table for events")
)

// Batch is one change of the database, committed whole. Its parts are applied in the order of the fields; each may be
// empty. A new kind of change is a new field here, not a new method of Rows.
//
// On a full disk a batch with Tokens, Grants, Move or Used is refused with ErrFull, because they add rows. Ended, Revoke,
// Destroy and Purge end something, and are accepted: a batch that must succeed on a full disk has none of the first four.
type Batch struct {
	Now     int64        // a grant is in force while its end is after this moment
	Tokens  []Token      // to insert; an ID that exists is an error
	Grants  []Grant      // to create, or to extend: the later end of each kind stays
	Move    *Move        // nil: none
	Used    []UsedState  // states of sign-ins that are used now
	Ended   []Ended      // if the ID has a row already, the later of each moment stays
	Revoke  *Revocation  // nil: none
	Destroy *Destruction // nil: none
	Purge   []ids.Digest // destroyed tokens whose objects have been deleted
	Events  []Event      // refused with ErrNoEvents by an engine that can't keep them, never dropped
}

// Move gives all grants of the session From to the session To of the same tenant, which keeps its own grants. If both
// have a grant, the later end stays.
type Move struct {
	Tenant   string
	From, To ids.SessionHash
}

// Revocation ends the matching grants on the tenant's tokens; each field that is set narrows the selection.
type Revocation struct {
	Tenant  string
	Session *ids.SessionHash // nil: of every session
	Tokens  []ids.Digest     // nil: on every token; empty: on none
	Kinds   ids.Kind         // 0: of both kinds
}

// Destruction destroys the sealed keys of the tokens that belong to the tenant, and every grant on them. The rows stay,
// with MasterKey 0, until they are purged, so that the sweeper can delete their objects.
type Destruction struct {
	Tenant string
	Tokens []ids.Digest
}

// Result is what a batch has done.
type Result struct {
	Moved     int     // grants that were in force and moved, counting each kind
	Revoked   int     // grants that were in force and revoked, counting each kind
	Destroyed []Token // only ID, Object and UploadUntil are set
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
