package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/keyring"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/models"
)

// Begun is a new token and the upload in parts of its value.
type Begun struct {
	Token       ids.Token
	Encryption  *Encryption // nil: the store encrypts
	Parts       objects.PartLimits
	UploadUntil time.Time  // no part is signed, and nothing joined, from then on
	ExpiresAt   *time.Time // of the token; nil: kept until deleted
}

// PartInput asks for one signed request.
type PartInput struct {
	Number int
	Size   int64 // bytes as sent
}

// SignedPart is the request that uploads a part.
type SignedPart struct {
	Number  int
	Request objects.SignedRequest
}

// UploadState is what has arrived of an upload under way.
type UploadState struct {
	Parts       []objects.Part
	Encryption  *Encryption // nil: the store encrypts
	Limits      objects.PartLimits
	UploadUntil time.Time
}

// completeSlack is the time after an upload's end in which a completion that began before can still write the object: longer than
// joinTimeout. Until then the row of a destroyed token stays, so that the object is deleted.
const completeSlack = 15 * time.Minute

// leastCharge is what a part of fewer bytes is charged in rates.bytes_reserved: each part costs the store a request and a file.
const leastCharge = 1 << 20

// errNoUpload is the same for an upload that is unknown, another session's, another tenant's, aborted, expired, or over.
var errNoUpload = fault.New(fault.GrantRequired, "This session has no upload under way for this token: begin another one.")

// BeginUpload makes a token whose value will be uploaded in parts. The session gets a STORE grant now; nobody can read the token
// before CompleteUpload, whatever grants the application creates. The rows are durable before the store begins the upload, so that
// after a crash the sweeper finds what the store has. Faults: those of Tokenize; LIMIT_EXCEEDED also if the session or its tenant has
// too many uploads under way.
func (v *Vault) BeginUpload(ctx context.Context, in TokenizeInput) (Begun, error) {
	c, err := caller.RequireSession(ctx)
	if err != nil {
		return Begun{}, err
	}
	if err := v.checkUploadInput(&in); err != nil {
		return Begun{}, fault.At(err, ParamInputs)
	}
	size := int64(-1)
	if in.Size != nil {
		size = *in.Size
	}
	if err := v.admit(ctx, max(size, 0)); err != nil {
		return Begun{}, err
	}
	if err := v.opts.Rates.Reserve(c, 1, 0); err != nil {
		return Begun{}, err
	}
	if err := v.checkUnderWay(ctx, c); err != nil {
		return Begun{}, err
	}
	now, _ := v.now()
	begun, batch, m, err := v.newUpload(ctx, c, &in, size, now)
	if err != nil {
		return Begun{}, err
	}
	if _, err := v.opts.Rows.Write(ctx, batch); errors.Is(err, models.ErrUploads) {
		return Begun{}, errTooManyUploads
	} else if err != nil {
		return Begun{}, unavailable(err)
	}
	if err := v.start(ctx, c, m, begun.Token.ID()); err != nil {
		return Begun{}, err
	}
	v.opts.Observer.GrantsCreated("STORE", 1)
	return begun, nil
}

var errTooManyUploads = fault.New(fault.LimitExceeded, "Too many uploads are under way: complete or abort one, or try again later.")

// checkUnderWay refuses a session or a tenant with too many uploads before anything is written. The write checks again.
func (v *Vault) checkUnderWay(ctx context.Context, c *caller.Caller) error {
	session, tenant, err := v.opts.Rows.UploadsUnderWay(ctx, c.Tenant, *c.Session, v.opts.Limits.TenantUploads)
	if err != nil {
		return unavailable(err)
	}
	if session >= v.opts.Limits.SessionUploads || tenant >= v.opts.Limits.TenantUploads {
		return errTooManyUploads
	}
	return nil
}

// newUpload makes the token, the key and the rows, in memory only.
func (v *Vault) newUpload(ctx context.Context, c *caller.Caller, in *TokenizeInput, size int64, now time.Time) (Begun, models.Batch, objects.Multipart, error) {
	s := secret{mode: v.opts.Mode}
	if _, err := rand.Read(s.key[:]); err != nil {
		return Begun{}, models.Batch{}, objects.Multipart{}, err
	}
	m := objects.Multipart{Object: newObjectName(), Mode: s.mode, Key: s.customerKey()}
	if s.mode == objects.SSEC && in.Metadata != nil {
		m.ContentType = text(in.Metadata.ContentType)
	}
	b := Begun{
		Token: ids.NewToken(v.opts.Prefixes[0]), Encryption: s.encryption(m.Object), Parts: v.partLimits(), UploadUntil: now.Add(v.opts.Limits.UploadLifetime),
	}
	row := models.Token{ID: b.Token.ID(), Tenant: c.Tenant, Object: m.Object, CreatedAt: now.UnixMilli()}
	if in.TTL != nil {
		end := now.Add(*in.TTL)
		b.ExpiresAt, row.ExpiresAt = &end, new(end.UnixMilli())
		if end.Before(b.UploadUntil) {
			b.UploadUntil = end
		}
	}
	payload, err := encodePayload(&s, in.Metadata)
	if err != nil {
		return b, models.Batch{}, m, err
	}
	rows := []models.Token{row}
	if err := v.seal(ctx, rows, []keyring.Secret{{Token: b.Token, Payload: payload}}); err != nil {
		return b, models.Batch{}, m, err
	}
	until := b.UploadUntil.UnixMilli()
	start := &models.UploadStart{
		Upload: models.Upload{
			TokenID: row.ID, Tenant: c.Tenant, SessionID: *c.Session, Object: m.Object, Sealed: rows[0].Sealed, Size: size,
			CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt, Until: until,
		},
		MaxSession: v.opts.Limits.SessionUploads, MaxTenant: v.opts.Limits.TenantUploads,
	}
	rows[0].Sealed, rows[0].PurgeAt, rows[0].UploadUntil = nil, &until, b.UploadUntil.Add(completeSlack).UnixMilli()
	end := grantEnd(now, v.opts.Limits.DefaultGrant, row.ExpiresAt)
	grant := models.Grant{SessionID: *c.Session, TokenID: row.ID, StoreUntil: end, ExpiresAt: end}
	return b, models.Batch{Now: now.UnixMilli(), Tokens: rows, Grants: []models.Grant{grant}, Begin: start}, m, nil
}

// start begins the upload in the store, and stores its id. If that fails, it ends the upload, which no client knows yet.
func (v *Vault) start(ctx context.Context, c *caller.Caller, m objects.Multipart, token ids.Digest) (err error) {
	defer func() {
		if err != nil {
			v.abandon(ctx, c, token)
		}
	}()
	if m.ID, err = v.opts.Objects.CreateMultipart(ctx, m); err != nil {
		return unavailable(err)
	}
	_, now := v.now()
	done, err := v.opts.Rows.Write(ctx, models.Batch{Now: now, Started: &models.StartedUpload{TokenID: token, StoreID: m.ID}})
	if err != nil {
		return unavailable(err)
	}
	if !done.Started { // the session has ended meanwhile
		return errNoUpload
	}
	return nil
}

// abandonTimeout bounds the write of abandon, which goes on if its caller has left.
const abandonTimeout = 5 * time.Second

// abandon ends an upload that could not begin. What the store has of it, the sweeper removes.
func (v *Vault) abandon(ctx context.Context, c *caller.Caller, token ids.Digest) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	_, now := v.now()
	abort := &models.AbortedUpload{Tenant: c.Tenant, Session: *c.Session, TokenID: token}
	if _, err := v.opts.Rows.Write(ctx, models.Batch{Now: now, Abort: abort}); err != nil {
		v.opts.Logger.ErrorContext(ctx, "an upload that could not begin stays until it expires", "error", err)
	}
}

// UploadParts signs a request for each part of the session's upload; a part that has arrived is replaced by its next upload. Faults:
// UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, LIMIT_EXCEEDED, RATE_LIMITED, GRANT_REQUIRED, UNAVAILABLE.
func (v *Vault) UploadParts(ctx context.Context, token ids.Token, inputs []PartInput) ([]SignedPart, error) {
	c, err := caller.RequireSession(ctx)
	if err != nil {
		return nil, err
	}
	bytes, charge, err := v.checkPartInputs(inputs)
	if err != nil {
		return nil, err
	}
	if err := v.checkPrefix(token); err != nil {
		return nil, fault.At(err, ParamTokens)
	}
	if err := v.admit(ctx, bytes); err != nil {
		return nil, err
	}
	if err := v.opts.Rates.Reserve(c, 0, charge); err != nil {
		return nil, err
	}
	row, s, err := v.openUpload(ctx, c, token)
	if err != nil {
		return nil, err
	}
	most := v.opts.Objects.PartLimits().MaxTotal
	if row.Size >= 0 {
		most = s.mode.ObjectSize(row.Size)
	}
	out := make([]SignedPart, len(inputs))
	for i, p := range inputs {
		if p.Size > most {
			return nil, fault.New(fault.BadUserInput, "The whole value has %d bytes as sent.", most).At(ParamParts, i, "size")
		}
		out[i].Number = p.Number
		out[i].Request, err = v.opts.Objects.SignPart(objects.PartUpload{
			Multipart: multipart(row, s), Number: p.Number, Size: p.Size, Signer: signer(c), NotAfter: time.UnixMilli(row.Until),
		})
		if errors.Is(err, objects.ErrExpired) {
			return nil, errNoUpload
		} else if err != nil {
			return nil, unavailable(err)
		}
	}
	v.opts.Observer.Presigned("PUT", len(out))
	return out, nil
}

// AbortUpload ends the session's upload, and destroys its token. If the store does not answer, the sweeper removes the parts later.
// Faults: as for UploadParts.
func (v *Vault) AbortUpload(ctx context.Context, token ids.Token) error {
	c, err := caller.RequireSession(ctx)
	if err != nil {
		return err
	}
	if err := v.checkPrefix(token); err != nil {
		return fault.At(err, ParamTokens)
	}
	if err := v.opts.Rates.Read(c, 1); err != nil {
		return err
	}
	_, now := v.now()
	abort := &models.AbortedUpload{Tenant: c.Tenant, Session: *c.Session, TokenID: token.ID()}
	done, err := v.opts.Rows.Write(ctx, models.Batch{Now: now, Abort: abort})
	if err != nil {
		return unavailable(err)
	}
	if len(done.Ended) == 0 {
		return errNoUpload
	}
	v.listeners.tellRevoked(c.Tenant, nil, []ids.Token{token})
	v.discardNow(ctx, done.Ended)
	return nil
}

// UploadStatus returns which parts of the session's upload have arrived. Faults: as for UploadParts.
func (v *Vault) UploadStatus(ctx context.Context, token ids.Token) (UploadState, error) {
	c, err := caller.RequireSession(ctx)
	if err != nil {
		return UploadState{}, err
	}
	if err := v.checkPrefix(token); err != nil {
		return UploadState{}, fault.At(err, ParamTokens)
	}
	if err := v.opts.Rates.Read(c, listCost); err != nil {
		return UploadState{}, err
	}
	row, s, err := v.openUpload(ctx, c, token)
	if err != nil {
		return UploadState{}, err
	}
	if s.mode == objects.Client { // the answer has the value's key
		if err := v.checkReader(ctx, c); err != nil {
			return UploadState{}, err
		}
	}
	if !v.joins.enter(*c.Session) {
		return UploadState{}, errBusy()
	}
	defer v.joins.leave(*c.Session)
	parts, err := v.opts.Objects.ListParts(ctx, multipart(row, s))
	if errors.Is(err, objects.ErrNoUpload) { // the store has joined it, or lost it
		return UploadState{}, errNoUpload
	} else if err != nil {
		return UploadState{}, unavailable(err)
	}
	return UploadState{
		Parts: parts, Encryption: s.encryption(row.Object), Limits: v.partLimits(), UploadUntil: time.UnixMilli(row.Until).UTC(),
	}, nil
}

// upload returns the session's upload, which may be completed, or errNoUpload.
func (v *Vault) upload(ctx context.Context, c *caller.Caller, token ids.Token) (*models.Upload, error) {
	_, now := v.now()
	row, err := v.opts.Rows.Upload(ctx, c.Tenant, *c.Session, token.ID(), now)
	if err != nil {
		return nil, unavailable(err)
	}
	if row == nil {
		return nil, errNoUpload
	}
	return row, nil
}

// openUpload returns the session's upload if it is under way, and its secret.
func (v *Vault) openUpload(ctx context.Context, c *caller.Caller, token ids.Token) (*models.Upload, *secret, error) {
	row, err := v.upload(ctx, c, token)
	if err != nil {
		return nil, nil, err
	}
	if row.Sealed == nil || row.StoreID == "" {
		return nil, nil, errNoUpload
	}
	s, err := v.openSecret(ctx, row, token)
	return row, s, err
}

func (v *Vault) openSecret(ctx context.Context, row *models.Upload, token ids.Token) (*secret, error) {
	opened, err := v.opts.Keys.Open(ctx, []keyring.Locked{{Token: token, Sealed: row.Sealed}})
	if err != nil {
		return nil, unavailable(err)
	}
	s, _, err := readPayload(opened[0])
	return &s, err
}

// multipart names the upload for the store.
func multipart(row *models.Upload, s *secret) objects.Multipart {
	return objects.Multipart{Object: row.Object, ID: row.StoreID, Mode: s.mode, Key: s.customerKey()}
}
