package resolvers

import (
	"context"

	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

func (m mutations) Detokenize(ctx context.Context, token ids.Token) (*model.DetokenizePayload, error) {
	r, err := m.vault.Detokenize(ctx, token)
	if err != nil {
		return nil, oneToken.in(err)
	}
	return encodeRedeemed(r), nil
}

func (m mutations) DetokenizeBatch(ctx context.Context, tokens []*ids.Token) ([]model.DetokenizeResult, error) {
	rs, err := m.vault.DetokenizeBatch(ctx, each(tokens, value))
	if err != nil {
		return nil, tokenList.in(err)
	}
	return each(rs, func(r vault.Redeemed) model.DetokenizeResult {
		if r.Err == nil {
			return encodeRedeemed(r)
		}
		public := fault.Public(r.Err)
		return &model.TokenFailure{Token: r.Token, Code: string(public.Code), Message: public.Message}
	}), nil
}

func (q queries) Token(ctx context.Context, id ids.Token) (*model.Token, error) {
	d, err := q.vault.Describe(ctx, id)
	if err != nil || d == nil {
		return nil, tokenID.in(err)
	}
	return &model.Token{ID: d.Token, CreatedAt: d.CreatedAt, ExpiresAt: d.ExpiresAt, Metadata: (*model.Metadata)(d.Metadata)}, nil
}

func encodeRedeemed(r vault.Redeemed) *model.DetokenizePayload {
	return &model.DetokenizePayload{
		Token: r.Token, Download: encodeSigned(r.Download), Encryption: encodeEncryption(r.Encryption), Metadata: (*model.Metadata)(r.Metadata),
	}
}
