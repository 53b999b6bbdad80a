package resolvers

import (
	"context"

	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

func (s subscriptions) Revocations(ctx context.Context, tokens []*ids.Token) (<-chan *model.Revocation, error) {
	told, err := s.vault.Revocations(ctx, each(tokens, value))
	if err != nil {
		return nil, tokenList.in(err)
	}
	out := make(chan *model.Revocation)
	go func() {
		defer close(out)
		for {
			select {
			case u, open := <-told:
				if !open || !sendTo(ctx, out, encodeUnreadable(u)) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// sendTo reports whether v was taken before ctx ended.
func sendTo[T any](ctx context.Context, out chan<- T, v T) bool {
	select {
	case out <- v:
		return true
	case <-ctx.Done():
		return false
	}
}

func encodeUnreadable(u vault.Unreadable) *model.Revocation {
	return &model.Revocation{Tokens: each(u.Tokens, pointer), All: u.All, SessionEnded: u.SessionEnded}
}
