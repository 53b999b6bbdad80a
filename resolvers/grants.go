package resolvers

import (
	"context"

	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

func (m mutations) CreateGrants(ctx context.Context, input model.CreateGrantsInput) (*model.CreateGrantsPayload, error) {
	granted, err := m.vault.CreateGrants(ctx, input.SessionID, each(input.Grants, func(g *model.GrantsInput) vault.GrantRequest {
		return vault.GrantRequest{Tokens: each(g.Tokens, value), Kinds: decodeKinds(g.Kinds), Duration: g.Duration}
	}))
	if err != nil {
		return nil, grantInput.in(err)
	}
	return &model.CreateGrantsPayload{Grants: each(granted, func(g vault.Granted) *model.CreatedGrants {
		return &model.CreatedGrants{ExpiresAt: g.ExpiresAt, Missing: each(g.Missing, pointer)}
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
	missing, err := q.vault.VerifyGrants(ctx, input.SessionID, each(input.Checks, func(c *model.GrantCheckInput) vault.GrantCheck {
		return vault.GrantCheck{Token: c.Token, Kind: decodeKind(c.Kind)}
	}))
	if err != nil {
		return nil, grantInput.in(err)
	}
	return &model.VerifyGrantsPayload{Valid: len(missing) == 0, Missing: each(missing, func(c vault.GrantCheck) *model.MissingGrant {
		return &model.MissingGrant{Token: c.Token, Kind: encodeKind(c.Kind)}
	})}, nil
}

func decodeKinds(kinds []model.GrantKind) (k ids.Kind) {
	for _, kind := range kinds {
		k |= decodeKind(kind)
	}
	return k
}

func decodeKind(kind model.GrantKind) ids.Kind {
	if kind == model.GrantKindStore {
		return ids.Store
	}
	return ids.Read
}

func encodeKind(k ids.Kind) model.GrantKind {
	if k == ids.Store {
		return model.GrantKindStore
	}
	return model.GrantKindRead
}
