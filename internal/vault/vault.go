// Package vault is the domain: it makes tokens, redeems them against grants, and destroys them. Every
// method reads the caller from the context, checks what it may do, and returns faults for clients.
package vault

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/keyring"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/models"
)

// Rows is the part of models.Rows that the vault uses. The contract is documented there.
type Rows interface {
	Write(ctx context.Context, b models.Batch) (models.Result, error)
	ReadableTokens(ctx context.Context, tenant string, session ids.SessionHash, tokens []ids.Digest, now int64) ([]models.Token, error)
	Tokens(ctx context.Context, tenant string, tokens []ids.Digest, now int64) ([]models.Token, error)
	TokenGrants(ctx context.Context, tenant string, session ids.SessionHash, tokens []ids.Digest, now int64) ([]models.TokenGrant, error)
	Upload(ctx context.Context, tenant string, session ids.SessionHash, token ids.Digest, now int64) (*models.Upload, error)
	UploadsUnderWay(ctx context.Context, tenant string, session ids.SessionHash, limit int) (ofSession, ofTenant int, err error)
	DueTokens(ctx context.Context, now int64, limit int) ([]models.Token, error)
	DueUploads(ctx context.Context, now int64, limit int) ([]models.Upload, error)
	SweepGrants(ctx context.Context, now int64, limit int) (int, error)
	Settle(ctx context.Context) error
}

// Sessions ends sessions, and knows the ended ones.
type Sessions interface {
	// EndSession ends a tenant's session, durably, with its grants and transfers, and returns how many grants were in
	// force; reason is its label in the metrics. This replica refuses the session at once, even if an error is
	// returned. Errors are faults.
	EndSession(ctx context.Context, tenant, sessionID, reason string) (revoked int, err error)
	// Ended reports whether a session has ended.
	Ended(session caller.SessionHash) bool
}

// Rates limit the calls of a session and of its tenant per unit of time. Errors are faults: RATE_LIMITED if the client may
// try again later, LIMIT_EXCEEDED if the call can never pass. A call is charged in full or not at all.
type Rates interface {
	// Reserve is called before tokens are made; bytes is the total size of their values.
	Reserve(c *caller.Caller, tokens int, bytes int64) error
	// Read is called before tokens are looked up.
	Read(c *caller.Caller, tokens int) error
}

// Keys seals the payload of a token, and opens it with that token only.
type Keys interface {
	// Seal returns an envelope for each secret, in their order.
	Seal(ctx context.Context, secrets []keyring.Secret) ([]keyring.Envelope, error)
	// Open returns the payload of each envelope, in their order. An envelope that can't be opened has its own error.
	Open(ctx context.Context, locked []keyring.Locked) ([]keyring.Opened, error)
}

// Objects signs requests to the object store, deletes from it, and joins uploads in parts.
type Objects interface {
	objects.Uploads
	SignUpload(objects.Upload) (objects.SignedRequest, error)
	SignDownload(objects.Download) (objects.SignedRequest, error)
	Delete(ctx context.Context, objects ...string) error
	// Tombstone deletes as Delete does, and leaves a marker that makes the store refuse uploads signed earlier.
	Tombstone(ctx context.Context, objects ...string) error
}

// Space checks whether there is room for new values.
type Space interface {
	// Admit returns a fault unless there is room for values of this many bytes in total; values of unknown size
	// are not counted.
	Admit(ctx context.Context, bytes int64) error
}

// Observer counts what the vault does.
type Observer interface {
	GrantsCreated(kind string, n int)
	GrantsChecked(kind string, held, missing int)
	Presigned(method string, n int)
	Swept(what string, n int)
}

// Limits bound what one request can ask for.
type Limits struct {
	Batch        int           // tokens or inputs in one list of a session's
	GrantBatch   int           // tokens or grants in one list of an application's
	ObjectSize   int64         // bytes of a value
	UnsizedSize  int64         // bytes charged for a value of unknown size
	RequireSize  bool          // refuse to tokenize a value of unknown size; in mode objects.Client it always is
	DefaultGrant time.Duration // life of a grant without a requested duration
	MaxGrant     time.Duration
	MaxTTL       time.Duration

	MultipartSize  int64         // bytes of a value that is uploaded in parts
	PartSize       int64         // bytes of a part, beside the store's own limit; 0: no other
	UploadLifetime time.Duration // of an upload in parts
	SessionUploads int           // uploads in parts that a session may have under way
	TenantUploads  int           // and all sessions of a tenant together
}

// Options configure a vault; all are required except Space, Framed and Now.
type Options struct {
	Rows     Rows
	Keys     Keys
	Objects  Objects
	Sessions Sessions
	Rates    Rates
	Space    Space // nil: room for everything
	Observer Observer
	Limits   Limits
	Mode     objects.Mode    // of new values
	Prefixes []string        // accepted in tokens; new tokens have the first
	Framed   map[string]bool // tenants whose sessions read values only in pages of the gateway's own origin
	Logger   *slog.Logger
	Now      func() time.Time // for tests; nil: time.Now
}

// Vault is the domain service, safe for concurrent use.
type Vault struct {
	opts      Options
	listeners listeners
	joins     joins
}

// New returns a vault.
func New(o Options) (*Vault, error) {
	if o.Rows == nil || o.Keys == nil || o.Objects == nil || o.Sessions == nil || o.Rates == nil || o.Observer == nil || o.Logger == nil || len(o.Prefixes) == 0 {
		return nil, errors.New("vault: an option is missing")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Vault{opts: o}, nil
}

func (v *Vault) now() (time.Time, int64) {
	now := v.opts.Now().UTC().Truncate(time.Millisecond)
	return now, now.UnixMilli()
}

// rowIDs returns the tokens' row ids, or a fault if a prefix is not accepted.
func (v *Vault) rowIDs(tokens []ids.Token, path func(i int) []any) ([]ids.Digest, error) {
	for i := range tokens {
		if err := v.checkPrefix(tokens[i]); err != nil {
			return nil, fault.At(err, path(i)...)
		}
	}
	return ids.IDs(tokens), nil
}

// fullRetry is the RetryAfter of a request that failed on a full disk.
const fullRetry = 30 * time.Second

// signer returns the calling session in the object store's form.
func signer(c *caller.Caller) objects.Signer {
	return objects.Signer{Tenant: c.Tenant, Session: *c.Session}
}

// unavailable hides an error of the database or the store from the client; the log has it.
func unavailable(err error) error {
	f := fault.Wrap(err, fault.Unavailable, "The gateway can't do this at the moment: try again.")
	if errors.Is(err, models.ErrFull) {
		f.RetryAfter = fullRetry
	}
	return f
}
