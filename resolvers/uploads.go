package resolvers

import (
	"context"

	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

func (m mutations) BeginUpload(ctx context.Context, input *model.BeginUploadInput) (*model.BeginUploadPayload, error) {
	var in vault.TokenizeInput
	if input != nil {
		in = vault.TokenizeInput{TTL: input.TTL, Size: input.Size, Metadata: (*vault.Metadata)(input.Metadata)}
	}
	b, err := m.vault.BeginUpload(ctx, in)
	if err != nil {
		return nil, oneInput.in(err)
	}
	return &model.BeginUploadPayload{
		Token: b.Token, Encryption: encodeEncryption(b.Encryption), Parts: encodeLimits(b.Parts), UploadUntil: b.UploadUntil, ExpiresAt: b.ExpiresAt,
	}, nil
}

func (m mutations) UploadParts(ctx context.Context, token ids.Token, parts []*model.UploadPartInput) ([]*model.SignedPart, error) {
	signed, err := m.vault.UploadParts(ctx, token, each(parts, func(p *model.UploadPartInput) vault.PartInput { return vault.PartInput(*p) }))
	if err != nil {
		return nil, uploadArguments.in(err)
	}
	return each(signed, func(p vault.SignedPart) *model.SignedPart {
		return &model.SignedPart{Number: p.Number, Request: encodeSigned(p.Request)}
	}), nil
}

func (m mutations) CompleteUpload(ctx context.Context, token ids.Token, size int64) (*model.CompleteUploadPayload, error) {
	done, err := m.vault.CompleteUpload(ctx, token, size)
	if err != nil {
		return nil, uploadArguments.in(err)
	}
	return &model.CompleteUploadPayload{Token: done.Token, ExpiresAt: done.ExpiresAt}, nil
}

func (m mutations) AbortUpload(ctx context.Context, token ids.Token) (*model.AbortUploadPayload, error) {
	if err := m.vault.AbortUpload(ctx, token); err != nil {
		return nil, uploadArguments.in(err)
	}
	return &model.AbortUploadPayload{Aborted: true}, nil
}

func (q queries) UploadStatus(ctx context.Context, token ids.Token) (*model.UploadStatus, error) {
	s, err := q.vault.UploadStatus(ctx, token)
	if err != nil {
		return nil, uploadArguments.in(err)
	}
	return &model.UploadStatus{
		Parts: each(s.Parts, func(p objects.Part) *model.UploadedPart {
			return &model.UploadedPart{Number: p.Number, Size: p.Size}
		}),
		Encryption: encodeEncryption(s.Encryption), Limits: encodeLimits(s.Limits), UploadUntil: s.UploadUntil,
	}, nil
}

func encodeLimits(l objects.PartLimits) *model.PartLimits {
	return &model.PartLimits{MinSize: l.MinSize, MaxSize: l.MaxSize, MaxNumber: l.MaxNumber}
}
