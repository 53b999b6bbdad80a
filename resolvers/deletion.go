package resolvers

import (
	"context"

	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/ids"
)

func (m mutations) DeleteTokens(ctx context.Context, tokens []*ids.Token) (*model.DeleteTokensPayload, error) {
	n, err := m.vault.DeleteTokens(ctx, each(tokens, value))
	if err != nil {
		return nil, tokenList.in(err)
	}
	return &model.DeleteTokensPayload{Deleted: n}, nil
}
