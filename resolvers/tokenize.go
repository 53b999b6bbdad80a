package resolvers

import (
	"context"

	"github.com/cloakroomhq/cloakroom/graph/model"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

func (m mutations) Tokenize(ctx context.Context, input *model.TokenizeInput) (*model.TokenizePayload, error) {
	made, err := m.vault.Tokenize(ctx, decodeTokenize(input))
	if err != nil {
		return nil, oneInput.in(err)
	}
	return encodeTokenized(made), nil
}

func (m mutations) TokenizeBatch(ctx context.Context, inputs []*model.TokenizeInput) ([]*model.TokenizePayload, error) {
	made, err := m.vault.TokenizeBatch(ctx, each(inputs, decodeTokenize))
	if err != nil {
		return nil, inputList.in(err)
	}
	return each(made, encodeTokenized), nil
}

func decodeTokenize(in *model.TokenizeInput) vault.TokenizeInput {
	if in == nil {
		return vault.TokenizeInput{}
	}
	return vault.TokenizeInput{TTL: in.TTL, Size: in.Size, Metadata: (*vault.Metadata)(in.Metadata)}
}

func encodeTokenized(t vault.Tokenized) *model.TokenizePayload {
	return &model.TokenizePayload{
		Token: t.Token, Upload: encodeSigned(t.Upload), Encryption: encodeEncryption(t.Encryption), ExpiresAt: t.ExpiresAt,
	}
}

func encodeEncryption(e *vault.Encryption) *model.ValueEncryption {
	if e == nil {
		return nil
	}
	return &model.ValueEncryption{
		Scheme: model.EncryptionSchemeTinkAes256GcmHkdf1mb, Key: e.Key[:], AssociatedData: []byte(e.AssociatedData),
	}
}

func encodeSigned(r objects.SignedRequest) *model.SignedRequest {
	headers := make([]model.Header, len(r.Headers))
	pointers := make([]*model.Header, len(r.Headers))
	for i, h := range r.Headers {
		headers[i] = model.Header(h)
		pointers[i] = &headers[i]
	}
	return &model.SignedRequest{Method: r.Method, URL: r.URL, Headers: pointers, ExpiresAt: r.ExpiresAt}
}
