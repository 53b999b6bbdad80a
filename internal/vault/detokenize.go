package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/keyring"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/models"
)

// Redeemed is the result for one token: the request that downloads its value, or Err, a fault.
type Redeemed struct {
	Token      ids.Token
	Download   objects.SignedRequest
	Encryption *Encryption // nil: the store decrypts
	Metadata   *Metadata   // nil: none was given
	Err        error
}

// Described is what a caller may know about a token.
type Described struct {
	Token     ids.Token
	CreatedAt time.Time
	ExpiresAt *time.Time
	Metadata  *Metadata
}

// errNoGrant is the same for a token that is unknown, another tenant's, expired, deleted, or without a grant, so that
// clients can't tell these apart.
var errNoGrant = fault.New(fault.GrantRequired, "This session may not read this token: ask the application for it again.")

// Detokenize redeems one token, as DetokenizeBatch does; its error is that of the token or of the call.
func (v *Vault) Detokenize(ctx context.Context, token ids.Token) (Redeemed, error) {
	out, err := v.detokenize(ctx, []ids.Token{token}, singlePath(ParamTokens))
	if err != nil {
		return Redeemed{}, err
	}
	return out[0], out[0].Err
}

// DetokenizeBatch redeems each token for which the calling session holds a READ grant, in order. One statement reads
// grants and keys, and does the same work for each reason of refusal. Faults of the call: UNAUTHENTICATED, FORBIDDEN,
// BAD_USER_INPUT, LIMIT_EXCEEDED, RATE_LIMITED, UNAVAILABLE. Faults of one token: GRANT_REQUIRED, INTERNAL, UNAVAILABLE.
func (v *Vault) DetokenizeBatch(ctx context.Context, tokens []ids.Token) ([]Redeemed, error) {
	return v.detokenize(ctx, tokens, listPath(ParamTokens))
}

func (v *Vault) detokenize(ctx context.Context, tokens []ids.Token, path func(i int) []any) ([]Redeemed, error) {
	c, err := caller.RequireSession(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkList(len(tokens), v.opts.Limits.Batch, ParamTokens); err != nil {
		return nil, err
	}
	rowIDs, err := v.rowIDs(tokens, path)
	if err != nil {
		return nil, err
	}
	if err := v.opts.Rates.Read(c, len(tokens)); err != nil {
		return nil, err
	}
	if err := v.checkReader(ctx, c); err != nil {
		return nil, err
	}
	_, now := v.now()
	rows, err := v.opts.Rows.ReadableTokens(ctx, c.Tenant, *c.Session, rowIDs, now)
	if err != nil {
		return nil, unavailable(err)
	}
	byID := index(rows)
	out := make([]Redeemed, len(tokens))
	locked, granted := make([]keyring.Locked, 0, len(rows)), make([]int, 0, len(rows))
	for i, token := range tokens {
		out[i].Token, out[i].Err = token, errNoGrant
		if row, ok := byID[rowIDs[i]]; ok {
			locked, granted = append(locked, keyring.Locked{Token: token, Sealed: row.Sealed}), append(granted, i)
		}
	}
	opened, err := v.opts.Keys.Open(ctx, locked)
	if err != nil {
		return nil, unavailable(err)
	}
	signed := 0
	for n, i := range granted {
		if out[i].Err = v.redeem(c, byID[rowIDs[i]], opened[n], &out[i]); out[i].Err == nil {
			signed++
		}
	}
	v.opts.Observer.GrantsChecked("READ", len(granted), len(tokens)-len(granted))
	v.opts.Observer.Presigned("GET", signed)
	return out, nil
}

// redeem signs the download of a token's value into out. The URL expires no later than the token. It may outlive the grant
// by the URL's own life, which is short: docs/adr/0021.
func (v *Vault) redeem(c *caller.Caller, row *models.Token, opened keyring.Opened, out *Redeemed) error {
	s, meta, err := readPayload(opened)
	if err != nil {
		return err
	}
	d := objects.Download{Object: row.Object, Mode: s.mode, Key: s.customerKey(), Signer: signer(c)}
	if row.ExpiresAt != nil {
		d.NotAfter = time.UnixMilli(*row.ExpiresAt)
	}
	// The object of a value that the client has encrypted is a ciphertext, which has neither type nor name.
	if meta != nil && s.mode == objects.SSEC {
		d.ContentType, d.Filename = text(meta.ContentType), text(meta.Filename)
	}
	signed, err := v.opts.Objects.SignDownload(d)
	if errors.Is(err, objects.ErrExpired) {
		return errNoGrant
	} else if err != nil {
		return unavailable(err)
	}
	out.Download, out.Encryption, out.Metadata = signed, s.encryption(row.Object), meta
	return nil
}

// text returns the text, or "" for nil.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// readPayload decodes the payload of an envelope, and clears it.
func readPayload(o keyring.Opened) (secret, *Metadata, error) {
	if o.Err != nil {
		return secret{}, nil, fmt.Errorf("opening a token's envelope: %w", o.Err)
	}
	defer clear(o.Payload)
	return decodePayload(o.Payload)
}

// Describe returns the description of a token that the calling session may READ, or that belongs to the calling
// application's tenant; nil for every other token.
func (v *Vault) Describe(ctx context.Context, token ids.Token) (*Described, error) {
	c, err := caller.Require(ctx)
	if err != nil {
		return nil, err
	}
	if err := v.checkPrefix(token); err != nil {
		return nil, fault.At(err, ParamTokens)
	}
	if err := v.opts.Rates.Read(c, 1); err != nil {
		return nil, err
	}
	if err := v.checkReader(ctx, c); err != nil {
		return nil, err
	}
	rowIDs := []ids.Digest{token.ID()}
	_, now := v.now()
	var rows []models.Token
	if c.Session != nil {
		rows, err = v.opts.Rows.ReadableTokens(ctx, c.Tenant, *c.Session, rowIDs, now)
	} else {
		rows, err = v.opts.Rows.Tokens(ctx, c.Tenant, rowIDs, now)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	opened, err := v.opts.Keys.Open(ctx, []keyring.Locked{{Token: token, Sealed: rows[0].Sealed}})
	if err != nil {
		return nil, unavailable(err)
	}
	_, meta, err := readPayload(opened[0])
	if err != nil {
		return nil, err
	}
	d := &Described{Token: token, CreatedAt: time.UnixMilli(rows[0].CreatedAt).UTC(), Metadata: meta}
	if e := rows[0].ExpiresAt; e != nil {
		at := time.UnixMilli(*e).UTC()
		d.ExpiresAt = &at
	}
	return d, nil
}

func index(rows []models.Token) map[ids.Digest]*models.Token {
	byID := make(map[ids.Digest]*models.Token, len(rows))
	for i := range rows {
		byID[rows[i].ID] = &rows[i]
	}
	return byID
}
