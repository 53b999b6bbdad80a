package vault

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/keyring"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/models"
)

// TokenizeInput describes a value before it is uploaded; each field may be nil.
type TokenizeInput struct {
	Metadata *Metadata
	Size     *int64 // bytes
	TTL      *time.Duration
}

// Tokenized is a new token and the request that uploads its value.
type Tokenized struct {
	Token      ids.Token
	Upload     objects.SignedRequest
	Encryption *Encryption // nil: the store encrypts
	ExpiresAt  *time.Time  // nil: kept until deleted
}

// Encryption is what a client needs to encrypt or decrypt a value as package streamaead does.
type Encryption struct {
	Key            objects.CustomerKey
	AssociatedData string // the object's name
}

// Tokenize makes one token, as TokenizeBatch does.
func (v *Vault) Tokenize(ctx context.Context, in TokenizeInput) (Tokenized, error) {
	made, err := v.tokenize(ctx, []TokenizeInput{in}, singlePath(ParamInputs))
	if err != nil {
		return Tokenized{}, err
	}
	return made[0], nil
}

// TokenizeBatch makes a token for each input, all or none. When it returns, the tokens are durable, with READ and STORE
// grants for the calling session. Faults: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT,
// LIMIT_EXCEEDED, RATE_LIMITED, UNAVAILABLE.
func (v *Vault) TokenizeBatch(ctx context.Context, inputs []TokenizeInput) ([]Tokenized, error) {
	return v.tokenize(ctx, inputs, listPath(ParamInputs))
}

func (v *Vault) tokenize(ctx context.Context, inputs []TokenizeInput, path func(i int) []any) ([]Tokenized, error) {
	c, err := caller.RequireSession(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkList(len(inputs), v.opts.Limits.Batch, ParamInputs); err != nil {
		return nil, err
	}
	bytes := int64(0)
	for i := range inputs {
		if err := v.checkInput(&inputs[i]); err != nil {
			return nil, fault.At(err, path(i)...)
		}
		if inputs[i].Size != nil {
			bytes += *inputs[i].Size
		}
	}
	if err := v.admit(ctx, bytes); err != nil {
		return nil, err
	}
	if err := v.opts.Rates.Reserve(c, len(inputs), v.bytesOf(inputs)); err != nil {
		return nil, err
	}
	now, _ := v.now()
	made := make([]Tokenized, len(inputs))
	tokens := make([]models.Token, len(inputs))
	grants := make([]models.Grant, len(inputs))
	secrets := make([]keyring.Secret, len(inputs))
	for i := range inputs {
		if made[i], tokens[i], secrets[i].Payload, err = v.reserve(c, &inputs[i], now); err != nil {
			return nil, fault.At(err, path(i)...)
		}
		secrets[i].Token = made[i].Token
		end := grantEnd(now, v.opts.Limits.DefaultGrant, tokens[i].ExpiresAt)
		grants[i] = models.Grant{
			SessionID: *c.Session, TokenID: tokens[i].ID, ReadUntil: end, StoreUntil: end, ExpiresAt: end,
		}
	}
	if err := v.seal(ctx, tokens, secrets); err != nil {
		return nil, err
	}
	if _, err := v.opts.Rows.Write(ctx, models.Batch{Tokens: tokens, Grants: grants}); err != nil {
		return nil, unavailable(err)
	}
	v.opts.Observer.Presigned("PUT", len(made))
	v.opts.Observer.GrantsCreated("READ", len(made))
	v.opts.Observer.GrantsCreated("STORE", len(made))
	return made, nil
}

// seal sets the envelope of each row, and clears the payloads.
func (v *Vault) seal(ctx context.Context, rows []models.Token, secrets []keyring.Secret) error {
	sealed, err := v.opts.Keys.Seal(ctx, secrets)
	for i := range secrets {
		clear(secrets[i].Payload)
	}
	if err != nil {
		return unavailable(err)
	}
	for i := range rows {
		rows[i].Sealed, rows[i].MasterKey = sealed[i].Sealed, sealed[i].MasterKey
	}
	return nil
}

// bytesOf returns the most bytes that the inputs' values can take.
func (v *Vault) bytesOf(inputs []TokenizeInput) (n int64) {
	for i := range inputs {
		if size := inputs[i].Size; size != nil {
			n += *size
		} else {
			n += v.opts.Limits.UnsizedSize
		}
	}
	return n
}

// reserve makes one token, its object's name and its payload to seal, in memory only.
func (v *Vault) reserve(c *caller.Caller, in *TokenizeInput, now time.Time) (t Tokenized, row models.Token, payload []byte, err error) {
	t.Token = ids.NewToken(v.opts.Prefixes[0])
	s := secret{mode: v.opts.Mode}
	if _, err = rand.Read(s.key[:]); err != nil {
		return t, row, nil, err
	}
	up := objects.Upload{Object: newObjectName(), Mode: s.mode, Key: s.customerKey(), Signer: signer(c)}
	t.Encryption = s.encryption(up.Object)
	if in.TTL != nil {
		end := now.Add(*in.TTL)
		ms := end.UnixMilli()
		t.ExpiresAt, row.ExpiresAt, row.PurgeAt, up.NotAfter = &end, &ms, &ms, end
	}
	if in.Size != nil {
		up.Size = s.mode.ObjectSize(*in.Size)
		up.Empty = up.Size == 0
	}
	if s.mode == objects.SSEC && in.Metadata != nil && in.Metadata.ContentType != nil {
		up.ContentType = *in.Metadata.ContentType
	}
	if t.Upload, err = v.opts.Objects.SignUpload(up); errors.Is(err, objects.ErrTooLarge) {
		return t, row, nil, v.tooLarge(*in.Size)
	} else if err != nil {
		return t, row, nil, unavailable(err)
	}
	row.ID, row.Tenant, row.Object = t.Token.ID(), c.Tenant, up.Object
	row.CreatedAt, row.UploadUntil = now.UnixMilli(), lastUpload(now, t.Upload.ExpiresAt).UnixMilli()
	payload, err = encodePayload(&s, in.Metadata)
	return t, row, payload, err
}

// uploadSlack is added by lastUpload, mainly for the store's write to disk.
const uploadSlack = time.Minute

// lastUpload returns the time after which no upload can arrive. Stores check a request's expiry when it begins; an upload
// that begins at the last moment may take as long again.
func lastUpload(now, expires time.Time) time.Time { return expires.Add(expires.Sub(now) + uploadSlack) }

// newObjectName returns a random name, so that a listing of the bucket reveals nothing about tokens.
func newObjectName() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	name := hex.EncodeToString(b[:])
	return "v/" + name[:2] + "/" + name[2:]
}

// grantEnd returns when a grant ends: at the latest with its token.
func grantEnd(now time.Time, life time.Duration, tokenEnds *int64) int64 {
	end := now.Add(life).UnixMilli()
	if tokenEnds != nil {
		end = min(end, *tokenEnds)
	}
	return end
}
