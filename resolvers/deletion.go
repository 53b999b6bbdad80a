package resolvers

import (
	"context"

	"github.com/cloakroomhq/cloakroom/graph/model"
)

func (m mutations) DeleteTokens(ctx context.Context, tokens []string) (*model.DeleteTokensPayload, error) {
	n, err := m.vault.DeleteTokens(ctx, tokens)
	if err != nil {
		return nil, err
	}
	return &model.DeleteTokensPayload{Deleted: n}, nil
}
