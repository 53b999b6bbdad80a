package resolvers

import (
	"context"

	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

func (m mutations) CreateGrants(ctx context.Context, input model.CreateGrantsInput) (*model.CreateGrantsPayload, error) {
	granted, err := m.vault.CreateGrants(ctx, input.SessionID, each(input.Grants, func(g *model.GrantInput) vault.GrantRequest {
		return vault.GrantRequest{Token: g.Token, Kinds: decodeKinds(g.Kinds), Duration: g.Duration}
	}))
	if err != nil {
		return nil, grantInput.in(err)
	}
	return &model.CreateGrantsPayload{Grants: each(granted, func(g vault.Granted) *model.Grant {
		return &model.Grant{Token: g.Token, Kind: encodeKind(g.Kind), ExpiresAt: g.ExpiresAt}
	})}, nil
}

func (m mutations) RevokeGrants(ctx context.Context, input model.RevokeGrantsInput) (*model.RevokeGrantsPayload, error) {
	n, err := m.vault.RevokeGrants(ctx, vault.Revocation{
		SessionID: input.SessionID, Tokens: optional(input.Tokens), Kinds: decodeKinds(input.Kinds),
	})
	if err != nil {
		return nil, grantInput.in(err)
	}
	return &model.RevokeGrantsPayload{Revoked: n}, nil
}

func (m mutations) CarryGrants(ctx context.Context, input model.CarryGrantsInput) (*model.CarryGrantsPayload, error) {
	n, err := m.vault.CarryGrants(ctx, input.FromSessionID, input.ToSessionID)
	if err != nil {
		return nil, grantInput.in(err)
	}
	return &model.CarryGrantsPayload{Carried: n}, nil
}

func (q queries) VerifyGrants(ctx context.Context, input model.VerifyGrantsInput) (*model.VerifyGrantsPayload, error) {
	missing, err := q.vault.VerifyGrants(ctx, input.SessionID, each(input.Tokens, value), decodeKinds([]model.GrantKind{input.Kind}))
	if err != nil {
		return nil, grantInput.in(err)
	}
	return &model.VerifyGrantsPayload{Valid: len(missing) == 0, Missing: each(missing, pointer)}, nil
}

func decodeKinds(kinds []model.GrantKind) (k ids.Kind) {
	for _, kind := range kinds {
		if kind == model.GrantKindStore {
			k |= ids.Store
		} else {
			k |= ids.Read
		}
	}
	return k
}

func encodeKind(k ids.Kind) model.GrantKind {
	if k == ids.Store {
		return model.GrantKindStore
	}
	return model.GrantKindRead
}
