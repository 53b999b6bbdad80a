package models

import (
	"context"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// Rows is what the gateway asks of an engine. modelstest.Run checks each obligation.
//
// Durability: what a method that writes has done is durable when it returns nil; a crash afterwards loses nothing of it.
//
// Atomicity: a batch is committed whole or not at all. There is one exception, on a full disk, where one transaction may
// not hold all that a batch ends: Write then commits in parts, in an order in which a crash between them leaves nothing
// open that the batch was to close first (see Write).
//
// Order: a batch that was written before another call began is seen by that call. Batches of concurrent calls may be
// committed together or in any order; one that fails does not make another fail.
//
// A context that ends: before the work began, nothing is done. Later, the call returns the context's error, and the work
// may be committed or not. A caller that has left shares no memory with the engine.
//
// Moments are Unix milliseconds, and an end is exclusive: at the moment itself a grant or a token is over. Lists may have
// any length, and name a thing twice or one that does not exist. Errors are for the log, never for a client. ErrClosed is
// returned for what arrives after Close.
type Rows interface {
	// Write commits a batch. An empty batch does nothing. Errors: ErrNoFilter, ErrNoEvents, ErrFull, ErrClosed.
	//
	// On a full disk a batch that ends something, and adds nothing, may be done in parts. Ended comes first, by itself:
	// where it names a session with more grants than there is room to revoke, nil is returned once Ended is durable, and
	// lives longer than every grant that the session has. Where an error is returned some of the grants may be revoked,
	// and some of the keys destroyed. Where the grants on one destroyed token are too many, they stay until they expire:
	// without its key they open nothing.
	Write(ctx context.Context, b Batch) (Result, error)

	// ReadableTokens returns those of a tenant's tokens that the session may READ at the moment now, in no order: one
	// statement. The time that it takes says nothing of tokens without a grant. Only ID, Object, Sealed, CreatedAt and
	// ExpiresAt are set.
	ReadableTokens(ctx context.Context, tenant string, session ids.SessionHash, tokens []ids.Digest, now int64) ([]Token, error)
	// Tokens returns those of a tenant's tokens that exist at the moment now, in no order: one statement. Only ID, Object,
	// Sealed, CreatedAt and ExpiresAt are set.
	Tokens(ctx context.Context, tenant string, tokens []ids.Digest, now int64) ([]Token, error)
	// TokenGrants returns, for those of these tokens that exist and are the tenant's, the session's grants, in no order:
	// one statement.
	TokenGrants(ctx context.Context, tenant string, session ids.SessionHash, tokens []ids.Digest, now int64) ([]TokenGrant, error)
	// EndedSince calls each for every row with EndedAt at or after the moment since that has not expired at the moment
	// now, in the order of EndedAt.
	EndedSince(ctx context.Context, since, now int64, each func(Ended)) error
	// Setting returns the value kept under name; where there is none it keeps and returns the initial one.
	Setting(ctx context.Context, name string, initial []byte) ([]byte, error)

	// The sweeps work in small parts, so that a waiting Write is not held up by more than one of them.

	// DueTokens returns up to limit tokens, of all tenants, whose objects are to be deleted at the moment now: expired
	// ones, whose keys it destroys first, with the grants on them, and those of earlier deletions. Only ID, Object and
	// UploadUntil are set. With an error it may have destroyed some.
	DueTokens(ctx context.Context, now int64, limit int) ([]Token, error)
	// SweepGrants removes up to limit grants that have expired at the moment now, the oldest first, and returns how many
	// rows went. Fewer than limit: no more are due. SweepEnded and SweepStates do so for theirs.
	SweepGrants(ctx context.Context, now int64, limit int) (int, error)
	SweepEnded(ctx context.Context, now int64, limit int) (int, error)
	SweepStates(ctx context.Context, now int64, limit int) (int, error)
	// Settle leaves no copy of what was destroyed in the database's files.
	Settle(ctx context.Context) error

	// Ready reports whether the database answers.
	Ready(ctx context.Context) error
	// Close finishes the writes that were accepted, then closes the database.
	Close() error
}
