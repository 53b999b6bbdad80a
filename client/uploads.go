package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"
)

// Begun is a token and the upload of its value in parts.
type Begun struct {
	Token       string      // save it in place of the value
	Encryption  *Encryption // nil: the store encrypts; otherwise the parts are parts of one ciphertext
	Limits      PartLimits
	UploadUntil time.Time // no part is signed, and nothing joined, from then on
	ExpiresAt   time.Time // when token and value are deleted; zero: never
}

// PartLimits are limits of parts; sizes are in bytes as sent.
type PartLimits struct {
	MinSize   int64 // of all parts but the last, whose sizes are also multiples of 2^20 if Encryption is given
	MaxSize   int64
	MaxNumber int // the first part is 1
}

// Part names a part of an upload, by its number, and its exact size in bytes as sent.
type Part struct {
	Number int
	Size   int64
}

// SignedPart is the request that uploads one part: Client.UploadPart.
type SignedPart struct {
	Number  int
	Request SignedRequest
}

// CompletedUpload is a token whose value is complete.
type CompletedUpload struct {
	Token     string
	ExpiresAt time.Time // zero: kept until deleted
}

// UploadStatus is an upload under way.
type UploadStatus struct {
	Parts       []Part // those that have arrived, in the order of their numbers
	Encryption  *Encryption
	Limits      PartLimits
	UploadUntil time.Time
}

// BeginUpload reserves a token whose value is uploaded in parts; the session gets a STORE grant. Errors: those of Tokenize;
// ErrLimitExceeded also for too many uploads under way.
func (c *Client) BeginUpload(ctx context.Context, v Value) (Begun, error) {
	in := v.input()
	answer, err := beginUpload(ctx, call{c}, beginUploadInput(in))
	if err != nil {
		return Begun{}, err
	}
	b := answer.BeginUpload
	if b.Token == "" || b.UploadUntil.IsZero() || !b.Parts.valid() {
		return Begun{}, failure(ErrBadAnswer, nil, "a token, or the limits of its parts, are missing")
	}
	e, err := b.Encryption.decode()
	return Begun{Token: b.Token, Encryption: e, Limits: b.Parts.decode(), UploadUntil: b.UploadUntil, ExpiresAt: value(b.ExpiresAt)}, err
}

// UploadParts returns a request for each part, in their order. Errors: those of Tokenize, and ErrGrantRequired for an upload that is not
// this session's or is over.
func (c *Client) UploadParts(ctx context.Context, token string, parts []Part) ([]SignedPart, error) {
	if len(parts) == 0 {
		return nil, nil
	}
	inputs := make([]uploadPartInput, len(parts))
	for i, p := range parts {
		inputs[i] = uploadPartInput{Number: int64(p.Number), Size: p.Size}
	}
	answer, err := uploadParts(ctx, call{c}, token, inputs)
	if err != nil {
		return nil, err
	}
	if len(answer.UploadParts) != len(parts) {
		return nil, failure(ErrBadAnswer, nil, "%d parts have %d requests", len(parts), len(answer.UploadParts))
	}
	out := make([]SignedPart, len(parts))
	for i, p := range answer.UploadParts {
		request, err := p.Request.decode()
		if err != nil || p.Number != inputs[i].Number {
			return nil, failure(ErrBadAnswer, nil, "the answer is for another part, or holds no request")
		}
		out[i] = SignedPart{Number: parts[i].Number, Request: request}
	}
	return out, nil
}

// UploadPart sends a part as it is: size bytes of the value, or of the ciphertext if the upload has an Encryption. Another upload of the
// part replaces it. Errors: *StorageError, ErrBadUserInput and ErrUnavailable, as for Upload.
func (c *Client) UploadPart(ctx context.Context, to SignedPart, part io.Reader, size int64) error {
	if part == nil || size < 1 {
		return failure(ErrBadUserInput, nil, "a part has 1 byte or more")
	}
	answer, err := c.storage(ctx, to.Request, io.NopCloser(part), size)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// CompleteUpload joins the parts to a value of size bytes, before encryption; the session gets READ and STORE grants. After
// ErrUnavailable it can be called again, with the same result. Errors: those of UploadParts; ErrBadUserInput, whose message names the
// first one, if parts are missing or wrong: the upload goes on.
func (c *Client) CompleteUpload(ctx context.Context, token string, size int64) (CompletedUpload, error) {
	answer, err := completeUpload(ctx, call{c}, token, size)
	if err != nil {
		return CompletedUpload{}, err
	}
	if answer.CompleteUpload.Token != token {
		return CompletedUpload{}, failure(ErrBadAnswer, nil, "the answer is for another token")
	}
	return CompletedUpload{Token: token, ExpiresAt: value(answer.CompleteUpload.ExpiresAt)}, nil
}

// AbortUpload ends an upload, and deletes its token and what has arrived. Errors: those of UploadParts.
func (c *Client) AbortUpload(ctx context.Context, token string) error {
	answer, err := abortUpload(ctx, call{c}, token)
	if err == nil && !answer.AbortUpload.Aborted {
		err = failure(ErrBadAnswer, nil, "the upload was not aborted")
	}
	return err
}

// UploadStatus returns which parts have arrived. Errors: those of UploadParts.
func (c *Client) UploadStatus(ctx context.Context, token string) (UploadStatus, error) {
	answer, err := uploadStatus(ctx, call{c}, token)
	if err != nil {
		return UploadStatus{}, err
	}
	s := answer.UploadStatus
	if s.Parts == nil || s.UploadUntil.IsZero() || !s.Limits.valid() {
		return UploadStatus{}, failure(ErrBadAnswer, nil, "the parts, or their limits, are missing")
	}
	out := UploadStatus{Parts: make([]Part, len(s.Parts)), Limits: s.Limits.decode(), UploadUntil: s.UploadUntil}
	for i, p := range s.Parts {
		out.Parts[i] = Part{Number: int(p.Number), Size: p.Size}
	}
	out.Encryption, err = s.Encryption.decode()
	return out, err
}

// Sizes of the parts of UploadLarge. They are multiples of 2^20, as ciphertexts need.
const (
	mebi         = 1 << 20
	leastLarge   = 8 * mebi  // of a value of known size
	unknownLarge = 32 * mebi // of unknown size: 10,000 parts are 312 GiB
)

// largePart returns the size of the parts for a value, which fill one buffer.
func largePart(size *int64, l PartLimits) int64 {
	part := int64(unknownLarge)
	if size != nil {
		part = max(leastLarge, *size/int64(l.MaxNumber)+mebi) // the ciphertext is 1/65536 longer
	}
	part = max(part, l.MinSize)
	return min((part+mebi-1)/mebi*mebi, max(mebi, l.MaxSize/mebi*mebi))
}

// UploadLarge stores a value of any size by an upload in parts, encrypted if the gateway asks for it, and returns its token. It holds one
// part in memory: 8 MiB; more above 70 GiB; 32 MiB for a value of unknown size, which is not empty. If it fails, it aborts the upload. Errors:
// those of BeginUpload, UploadPart and CompleteUpload, and those of the value's reader.
func (c *Client) UploadLarge(ctx context.Context, v Value, from io.Reader) (string, error) {
	if from == nil {
		return "", failure(ErrBadUserInput, nil, "a value has a reader")
	}
	b, err := c.BeginUpload(ctx, v)
	if err != nil {
		return "", err
	}
	counted := &counter{r: from}
	sent, _, err := b.Encryption.encrypt(counted, 0)
	if err == nil {
		err = c.sendParts(ctx, b, sent, largePart(v.Size, b.Limits))
	}
	if err == nil {
		_, err = c.CompleteUpload(ctx, b.Token, counted.n)
	}
	if err != nil && !errors.Is(err, ErrUnavailable) { // after ErrUnavailable it may be complete
		_ = c.AbortUpload(context.WithoutCancel(ctx), b.Token)
	}
	return b.Token, err
}

func (c *Client) sendParts(ctx context.Context, b Begun, sent io.Reader, size int64) error {
	buffer := make([]byte, size)
	for number := 1; ; number++ {
		n, err := io.ReadFull(sent, buffer)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		if n > 0 {
			signed, err := c.UploadParts(ctx, b.Token, []Part{{number, int64(n)}})
			if err == nil {
				err = c.UploadPart(ctx, signed[0], bytes.NewReader(buffer[:n]), int64(n))
			}
			if err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// counter counts the bytes of a value.
type counter struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (l *partLimits) valid() bool { return l.MinSize > 0 && l.MaxSize > 0 && l.MaxNumber > 0 }

func (l *partLimits) decode() PartLimits {
	return PartLimits{MinSize: l.MinSize, MaxSize: l.MaxSize, MaxNumber: int(l.MaxNumber)}
}
