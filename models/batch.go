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
	// ErrUploads is returned for an upload in parts whose session or tenant has too many under way.
	ErrUploads = errors.New("models: too many uploads in parts are under way")
	// ErrNoEvents is returned for a batch with events by an engine that can't keep them.
	ErrNoEvents = errors.New("models: this engine has no table for events")
)

// Batch is one change of the database, committed whole. Its parts are applied in the order of the fields; each may be
// empty. A new kind of change is a new field here, not a new method of Rows.
//
// On a full disk a batch with Tokens, Grants, Begin, Started, Complete, Move or Used is refused with ErrFull, because they add
// rows or bytes. Ended, Revoke, Destroy, Abort, Purge and Forget end something, and are accepted: a batch that must succeed on a
// full disk has none of the others.
type Batch struct {
	Now      int64          // a grant is in force while its end is after this moment
	Tokens   []Token        // to insert; an ID that exists is an error
	Grants   []Grant        // to create, or to extend: the later end of each kind stays
	Begin    *UploadStart   // nil: none
	Started  *StartedUpload // nil: none
	Complete *Completion    // nil: none
	Move     *Move          // nil: none
	Used     []UsedState    // states of sign-ins that are used now
	Ended    []Ended        // if the ID has a row already, the later of each moment stays
	Revoke   *Revocation    // nil: none
	Destroy  *Destruction   // nil: none
	Abort    *AbortedUpload // nil: none
	Purge    []ids.Digest   // destroyed tokens whose objects have been deleted
	Forget   []ids.Digest   // tokens of uploads that are over, and that the store has removed
	Events   []Event        // refused with ErrNoEvents by an engine that can't keep them, never dropped
}

// UploadStart inserts an upload in parts. Its token is in the same batch, without Sealed. It fails with ErrUploads if the
// session has Session uploads under way, or an eighth of the tenant's free ones (but one is always allowed), or the tenant has
// Tenant.
type UploadStart struct {
	Upload
	MaxSession, MaxTenant int
}

// StartedUpload stores the store's id of an upload that is under way; for any other upload it does nothing.
type StartedUpload struct {
	TokenID ids.Digest
	StoreID string
}

// Completion makes the token of an upload readable, if the upload is under way and belongs to the session: its envelope becomes the
// token's, and the grant is created. For any other upload it does nothing.
type Completion struct {
	TokenID     ids.Digest
	Session     ids.SessionHash
	Size        int64 // of the value
	UploadUntil int64 // of the token from now on
	Grant       Grant
}

// AbortedUpload ends the session's upload, if it is under way, and destroys its token, as Destruction does.
type AbortedUpload struct {
	Tenant  string
	Session ids.SessionHash
	TokenID ids.Digest
}

// Move gives all grants and uploads of the session From to the session To of the same tenant, which keeps its own. If both
// have a grant, the later end stays.
type Move struct {
	Tenant   string
	From, To ids.SessionHash
}

// Revocation ends the matching grants on the tenant's tokens; each field that is set narrows the selection. A revocation of both
// kinds also ends the matching uploads under way, and destroys their tokens.
type Revocation struct {
	Tenant  string
	Session *ids.SessionHash // nil: of every session
	Tokens  []ids.Digest     // nil: on every token; empty: on none
	Kinds   ids.Kind         // 0: of both kinds
}

// Destruction destroys the sealed keys of the tokens that belong to the tenant, and every grant and upload of them. The rows stay,
// with MasterKey 0, until they are purged, so that the sweeper can delete their objects.
type Destruction struct {
	Tenant string
	Tokens []ids.Digest
}

// Result is what a batch has done.
type Result struct {
	Started   bool     // Batch.Started was carried out
	Completed bool     // Batch.Complete was carried out
	Moved     int      // grants that were in force and moved, counting each kind
	Revoked   int      // grants that were in force and revoked, counting each kind
	Destroyed []Token  // by Batch.Destroy and Batch.Abort; only ID, Object and UploadUntil are set
	Ended     []Upload // uploads under way that Batch.Revoke, Destroy or Abort has ended, as DueUploads returns them; on a full disk perhaps none
	FirstUse  []bool   // for each of Batch.Used: whether it was used for the first time
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
	return len(b.Tokens) > 0 || len(b.Grants) > 0 || b.Begin != nil || b.Started != nil || b.Complete != nil || b.Move != nil || len(b.Used) > 0
}

// Ends reports whether the batch ends something.
func (b *Batch) Ends() bool {
	return len(b.Ended) > 0 || b.Revoke != nil || b.Destroy != nil || b.Abort != nil || len(b.Purge) > 0 || len(b.Forget) > 0
}
