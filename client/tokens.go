package client

import (
	"context"
	"time"
)

// Value describes a value before its upload; every field is optional.
type Value struct {
	Metadata *Metadata     // encrypted at rest, and returned with the value; nil: none
	Size     *int64        // bytes; the upload then accepts no other; nil: not known, which a gateway can refuse
	TTL      time.Duration // the token and its value are deleted after this long; 0: kept
}

// Metadata describes a value; a zero field was not given.
type Metadata struct {
	Filename     string // no path, no control characters; 255 bytes at most
	ContentType  string // media type (RFC 9110)
	LastModified time.Time
	Custom       map[string]any // a JSON object of 4096 bytes at most; its numbers come back as float64
}

// Tokenized is a token and the request that uploads its value.
type Tokenized struct {
	Token      string        // save it in place of the value
	Upload     SignedRequest // send it once: Client.Upload
	Encryption *Encryption   // nil: the store encrypts
	ExpiresAt  time.Time     // when token and value are deleted; zero: never
}

// Detokenized is the request that downloads a token's value.
type Detokenized struct {
	Token      string
	Download   SignedRequest // Client.Download
	Encryption *Encryption   // nil: the store decrypts
	Metadata   *Metadata     // nil: none was given
	Err        error         // in a batch: why this token was not redeemed; the other fields are then empty
}

// Token describes a token at the gateway.
type Token struct {
	ID        string
	CreatedAt time.Time
	ExpiresAt time.Time // zero: kept until deleted
	Metadata  *Metadata // nil: none was given
}

// Viewer is this client's identity at the gateway.
type Viewer struct {
	Subject     string
	SessionHash string   // hexadecimal; empty for an application
	Roles       []string // application or admin; empty for a session
	Tenant      string   // the name of the JWT's issuer at the gateway
	ExpiresAt   time.Time
}

// Tokenize reserves a token for the calling session, which gets READ and STORE grants. Errors:
// ErrUnauthenticated, ErrForbidden for an application, ErrBadUserInput for an invalid Value, ErrLimitExceeded,
// ErrRateLimited, ErrUnavailable (also if the gateway has no space), ErrBadAnswer.
func (c *Client) Tokenize(ctx context.Context, v Value) (Tokenized, error) {
	answer, err := tokenize(ctx, call{c}, v.input())
	if err != nil {
		return Tokenized{}, err
	}
	return answer.Tokenize.decode()
}

// TokenizeBatch is Tokenize for several values, all or nothing; answers are in the order of the values. Errors are
// those of Tokenize.
func (c *Client) TokenizeBatch(ctx context.Context, values []Value) ([]Tokenized, error) {
	if len(values) == 0 {
		return nil, nil
	}
	inputs := make([]tokenizeInput, len(values))
	for i, v := range values {
		inputs[i] = v.input()
	}
	answer, err := tokenizeBatch(ctx, call{c}, inputs)
	if err != nil {
		return nil, err
	}
	if len(answer.TokenizeBatch) != len(values) {
		return nil, failure(ErrBadAnswer, nil, "%d values have %d tokens", len(values), len(answer.TokenizeBatch))
	}
	made := make([]Tokenized, len(values))
	for i := range made {
		if made[i], err = answer.TokenizeBatch[i].decode(); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// Detokenize returns the request that downloads the token's value; ErrGrantRequired if the calling session
// has no READ grant, or the token does not exist. Other errors are those of Tokenize.
func (c *Client) Detokenize(ctx context.Context, token string) (Detokenized, error) {
	answer, err := detokenize(ctx, call{c}, token)
	if err != nil {
		return Detokenized{}, err
	}
	return answer.Detokenize.decode(token)
}

// DetokenizeBatch returns one answer per token, in order; Err is set if the token was not redeemed. The call's
// own errors are those of Tokenize.
func (c *Client) DetokenizeBatch(ctx context.Context, tokens []string) ([]Detokenized, error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	answer, err := detokenizeBatch(ctx, call{c}, tokens)
	if err != nil {
		return nil, err
	}
	if len(answer.DetokenizeBatch) != len(tokens) {
		return nil, failure(ErrBadAnswer, nil, "%d tokens have %d answers", len(tokens), len(answer.DetokenizeBatch))
	}
	redeemed := make([]Detokenized, 0, len(tokens))
	for i, token := range tokens {
		switch r := answer.DetokenizeBatch[i].(type) {
		case *detokenizeResultDetokenizePayload:
			one, err := r.decode(token)
			if err != nil {
				return nil, err
			}
			redeemed = append(redeemed, one)
		case *detokenizeResultTokenFailure:
			if r.Token != token || r.Code == "" {
				return nil, failure(ErrBadAnswer, nil, "a failure names another token, or no code")
			}
			refusal := &Error{Code: Code(redact(r.Code)), Message: redact(r.Message), Path: []any{"detokenizeBatch", i}}
			redeemed = append(redeemed, Detokenized{Token: token, Err: refusal})
		default: // null
			return nil, failure(ErrBadAnswer, nil, "a token has no answer")
		}
	}
	return redeemed, nil
}

// Token describes a token that the session may READ, or that is the application's own; for every other token it returns
// nil and no error. Errors: ErrUnauthenticated, ErrBadUserInput for a malformed token, ErrRateLimited, ErrUnavailable,
// ErrBadAnswer.
func (c *Client) Token(ctx context.Context, id string) (*Token, error) {
	answer, err := token(ctx, call{c}, id)
	if err != nil || answer.Token == nil {
		return nil, err
	}
	t := answer.Token
	if t.Id != id || t.CreatedAt.IsZero() {
		return nil, failure(ErrBadAnswer, nil, "the answer is for another token, or incomplete")
	}
	return &Token{ID: t.Id, CreatedAt: t.CreatedAt, ExpiresAt: value(t.ExpiresAt), Metadata: t.Metadata.decode()}, nil
}

// Viewer returns this client's identity at the gateway. Errors: ErrUnauthenticated, ErrRateLimited, ErrUnavailable,
// ErrBadAnswer (also if the gateway saw no credentials).
func (c *Client) Viewer(ctx context.Context) (Viewer, error) {
	answer, err := viewer(ctx, call{c})
	if err != nil {
		return Viewer{}, err
	}
	v := answer.Viewer
	if v == nil || v.Tenant == "" {
		return Viewer{}, failure(ErrBadAnswer, nil, "the gateway saw no credentials")
	}
	return Viewer{
		Subject: value(v.Subject), SessionHash: value(v.SessionHash), Roles: v.Roles, Tenant: v.Tenant, ExpiresAt: v.ExpiresAt,
	}, nil
}

func (v Value) input() tokenizeInput {
	in := tokenizeInput{Size: v.Size}
	if v.TTL != 0 {
		in.Ttl = given(v.TTL.String())
	}
	if m := v.Metadata; m != nil {
		in.Metadata = &metadataInput{Filename: given(m.Filename), ContentType: given(m.ContentType), LastModified: given(m.LastModified)}
		if m.Custom != nil {
			in.Metadata.Custom = &m.Custom
		}
	}
	return in
}

func (t *tokenized) decode() (Tokenized, error) {
	upload, err := t.Upload.decode()
	if err != nil || t.Token == "" {
		return Tokenized{}, failure(ErrBadAnswer, nil, "a token, or the request that uploads its value, is missing")
	}
	encryption, err := t.Encryption.decode()
	return Tokenized{Token: t.Token, Upload: upload, Encryption: encryption, ExpiresAt: value(t.ExpiresAt)}, err
}

func (d *detokenized) decode(token string) (Detokenized, error) {
	download, err := d.Download.decode()
	if err != nil || d.Token != token {
		return Detokenized{}, failure(ErrBadAnswer, nil, "the answer is for another token, or holds no request")
	}
	encryption, err := d.Encryption.decode()
	return Detokenized{Token: d.Token, Download: download, Encryption: encryption, Metadata: d.Metadata.decode()}, err
}

func (f *facts) decode() *Metadata {
	if f == nil {
		return nil
	}
	return &Metadata{
		Filename: value(f.Filename), ContentType: value(f.ContentType), LastModified: value(f.LastModified), Custom: value(f.Custom),
	}
}

// given returns a pointer to v, or nil if v is zero, which means not given.
func given[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// value returns *p, or zero if p is nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
