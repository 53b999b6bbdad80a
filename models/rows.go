package models

import (
	"context"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// Rows is the contract that a database engine implements. modelstest.Run checks each obligation.
//
// Durability: when a method that writes returns nil, its changes are durable; a crash afterwards loses none of them.
//
// Atomicity: a batch is committed whole or not at all, with one exception. On a full disk one transaction may be too small
// for all that a batch ends. Write then commits in parts, and what must end first is in the first part, so that a crash
// between two parts does not leave it open (see Write).
//
// Order: a call sees every batch that was written before the call began. Batches of concurrent calls may be committed
// together or in any order; a batch that fails does not make another fail.
//
// Cancellation: if the context ends before the work begins, nothing is done. If it ends later, the call returns the
// context's error, and the work may be committed or not. The engine then shares no memory with the caller.
//
// Moments are Unix milliseconds, and an end is exclusive: at the moment itself a grant or a token has expired. Lists may
// have any length, and may contain duplicates and ids that do not exist. Errors are for the log, never for a client.
// ErrClosed is returned for work that arrives after Close.
type Rows interface {
	// Write commits a batch. An empty batch does nothing. Errors: ErrNoFilter, ErrNoEvents, ErrUploads, ErrFull, ErrClosed.
	//
	// On a full disk a batch that ends something, and adds nothing, may be committed in parts. Ended is committed first,
	// by itself. If a session has more grants than there is room to revoke, Write returns nil once the session's row of
	// Ended is durable and expires later than every grant of the session. If Write returns an error, some of the grants
	// may be revoked, and some of the keys destroyed. If one destroyed token has too many grants to remove, they stay until
	// they expire: without the key they open nothing.
	Write(ctx context.Context, b Batch) (Result, error)

	// A token whose upload in parts is under way has no envelope yet: ReadableTokens and Tokens don't return it, TokenGrants does.

	// ReadableTokens returns the tenant's tokens that the session may READ at the moment now, in no order, with one
	// statement. Its duration does not reveal whether a token without a grant exists. Only ID, Object, Sealed,
	// CreatedAt and ExpiresAt are set.
	ReadableTokens(ctx context.Context, tenant string, session ids.SessionHash, tokens []ids.Digest, now int64) ([]Token, error)
	// Tokens returns the tenant's tokens that exist at the moment now, in no order, with one statement. Only ID, Object,
	// Sealed, CreatedAt and ExpiresAt are set.
	Tokens(ctx context.Context, tenant string, tokens []ids.Digest, now int64) ([]Token, error)
	// TokenGrants returns the session's grants for each token that exists and belongs to the tenant, in no order, with
	// one statement.
	TokenGrants(ctx context.Context, tenant string, session ids.SessionHash, tokens []ids.Digest, now int64) ([]TokenGrant, error)
	// Upload returns the session's upload for a token if it is under way or has been completed, and its Until is after the moment
	// now; otherwise nil. All fields are set.
	Upload(ctx context.Context, tenant string, session ids.SessionHash, token ids.Digest, now int64) (*Upload, error)
	// UploadsUnderWay returns how many uploads of the session and of the tenant are under way; each count stops at limit.
	UploadsUnderWay(ctx context.Context, tenant string, session ids.SessionHash, limit int) (ofSession, ofTenant int, err error)
	// EndedSince calls each for every row whose EndedAt is at or after the moment since and that has not expired at the
	// moment now, in the order of EndedAt.
	EndedSince(ctx context.Context, since, now int64, each func(Ended)) error
	// Setting returns the value stored under name. If there is none, it stores and returns initial.
	Setting(ctx context.Context, name string, initial []byte) ([]byte, error)

	// The sweeps work in small parts, so that a Write waits for one part at most.

	// DueTokens returns up to limit tokens, of all tenants, whose objects are to be deleted at the moment now: tokens of
	// earlier deletions, and expired tokens, whose keys and grants it destroys first. Only ID, Object and UploadUntil are
	// set. If it returns an error, some keys may be destroyed.
	DueTokens(ctx context.Context, now int64, limit int) ([]Token, error)
	// DueUploads returns up to limit uploads, of all tenants, that are over at the moment now: what the store has of them is to be
	// removed. It destroys the envelopes of those that expired, which are still due as tokens. Only TokenID, Object and StoreID are
	// set. If it returns an error, some envelopes may be destroyed.
	DueUploads(ctx context.Context, now int64, limit int) ([]Upload, error)
	// SweepGrants removes up to limit grants that have expired at the moment now, the oldest first, and returns how many
	// rows it removed. Fewer than limit means that no more are due. SweepEnded and SweepStates do the same for their
	// tables.
	SweepGrants(ctx context.Context, now int64, limit int) (int, error)
	SweepEnded(ctx context.Context, now int64, limit int) (int, error)
	SweepStates(ctx context.Context, now int64, limit int) (int, error)
	// Settle removes the remaining copies of destroyed keys from the database's files.
	Settle(ctx context.Context) error

	// Ready reports whether the database answers.
	Ready(ctx context.Context) error
	// Close finishes the writes that were accepted, then closes the database.
	Close() error
}
