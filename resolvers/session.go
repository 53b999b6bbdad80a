package resolvers

import (
	"context"

	"github.com/cloakroomhq/cloakroom/graph/model"
)

func (m mutations) EndSession(ctx context.Context, input model.EndSessionInput) (*model.EndSessionPayload, error) {
	n, err := m.vault.EndSession(ctx, input.SessionID)
	if err != nil {
		return nil, grantInput.in(err)
	}
	return &model.EndSessionPayload{Revoked: n}, nil
}
