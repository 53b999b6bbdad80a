package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/Khan/genqlient/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// repeatable are the operations that may run twice: they only read, or a second run changes nothing.
var repeatable = map[string]bool{
	"createGrants": true, "verifyGrants": true,
	"detokenize": true, "detokenizeBatch": true, "token": true, "viewer": true, "endSession": true,
	"uploadParts": true, "completeUpload": true, "uploadStatus": true,
}

// call is the graphql.Client through which genqlient's functions send an operation.
type call struct{ *Client }

var _ graphql.Client = call{}

// MakeRequest implements graphql.Client: it sends the operation, and repeats it where that is safe.
func (c call) MakeRequest(ctx context.Context, op *graphql.Request, into *graphql.Response) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	body, err := json.Marshal(op)
	if err != nil {
		return failure(ErrBadUserInput, nil, "the request can't be written as JSON")
	}
	if err = c.deliver(ctx, op.OpName, body, into); errors.Is(err, ErrUnavailable) {
		c.warnings.outage(ctx, err)
	}
	return err
}

// deliver sends the operation, repeatedly if that is safe.
func (c call) deliver(ctx context.Context, operation string, body []byte, into *graphql.Response) error {
	refused := ""
	for attempt := 1; ; attempt++ {
		jwt, err := c.credentials.get(ctx, refused)
		if err != nil {
			return contextError(ctx, err)
		}
		err = c.send(ctx, jwt, body, into)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return contextError(ctx, err)
		case refused == "" && errors.Is(err, ErrUnauthenticated):
			refused = jwt // repeat once, without a pause
			continue
		case errors.Is(err, ErrUnauthenticated):
			c.warnings.refusal(ctx, err, jwt)
			return err
		case attempt >= c.attempts || !neverSent(err) && (!repeatable[operation] || !transient(err)):
			return err
		}
		if !pause(ctx, attempt) {
			return err
		}
	}
}

// send makes one HTTP request.
func (c call) send(ctx context.Context, jwt string, body []byte, into *graphql.Response) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return failure(ErrInternal, nil, "the request could not be made")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/graphql-response+json, application/json;q=0.9")
	r.Header.Set("Authorization", "Bearer "+jwt)
	answer, err := c.http.Do(r)
	if err != nil {
		return unreachable(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, c.maxAnswer+1))
	if err != nil {
		return unreachable(err)
	}
	if int64(len(raw)) > c.maxAnswer {
		return failure(ErrBadAnswer, nil, "the answer has more than %d bytes", c.maxAnswer)
	}
	err = decode(answer.StatusCode, answer.Header.Get("Content-Type"), raw, into)
	var limited *Error
	if errors.As(err, &limited) && limited.Code == ErrRateLimited && limited.RetryAfter == 0 { // the answer of a proxy
		seconds, _ := strconv.ParseFloat(answer.Header.Get("Retry-After"), 64)
		limited.RetryAfter = wait(seconds)
	}
	return err
}

// decode reads an answer's data into into, and returns its errors as this package's. For an answer that is not
// GraphQL the error comes from the status alone; nothing of its body is kept.
func decode(status int, contentType string, raw []byte, into *graphql.Response) error {
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Errors gqlerror.List   `json:"errors"`
	}
	media, _, _ := mime.ParseMediaType(contentType)
	isJSON := media == "application/json" || media == "application/graphql-response+json"
	if !isJSON || json.Unmarshal(raw, &answer) != nil {
		return ofStatus(status)
	}
	if len(answer.Errors) > 0 {
		return fromAnswer(answer.Errors)
	}
	if status != http.StatusOK {
		return ofStatus(status)
	}
	if len(answer.Data) == 0 || string(answer.Data) == "null" {
		return failure(ErrBadAnswer, nil, "the answer holds neither data nor errors")
	}
	if json.Unmarshal(answer.Data, into.Data) != nil { // its error may quote the answer
		return failure(ErrBadAnswer, nil, "the answer's data does not fit the schema")
	}
	if t, ok := into.Data.(*tokenResponse); ok && t.Token == nil { // this operation may answer null, but not leave the field out
		var members map[string]json.RawMessage
		if json.Unmarshal(answer.Data, &members) != nil || members["token"] == nil {
			return failure(ErrBadAnswer, nil, "the answer does not belong to the operation that was sent")
		}
	}
	return nil
}

func ofStatus(status int) error {
	code, ok := map[int]Code{
		http.StatusUnauthorized: ErrUnauthenticated, http.StatusForbidden: ErrForbidden,
		http.StatusRequestEntityTooLarge: ErrLimitExceeded, http.StatusTooManyRequests: ErrRateLimited,
		http.StatusBadGateway: ErrUnavailable, http.StatusServiceUnavailable: ErrUnavailable,
		http.StatusGatewayTimeout: ErrUnavailable,
	}[status]
	if !ok {
		code = ErrBadAnswer
	}
	return failure(code, nil, "HTTP status %d, without an answer in the gateway's format", status)
}

// unreachable returns the error of a request without an answer. It leaves out the URL that net/http puts around the
// cause: that of a signed request is a secret.
func unreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return failure(ErrUnavailable, err, "the gateway can't be reached: %s", redact(err.Error()))
}

// contextError returns err, or, if ctx has ended, an error whose cause is the context's, which errors.Is finds.
func contextError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() == nil:
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return failure(ErrUnavailable, ctx.Err(), "no answer in time")
	default:
		return ctx.Err()
	}
}

// neverSent reports whether the gateway can't have received the request, because there was no connection.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func transient(err error) bool { return errors.Is(err, ErrUnavailable) }

// Waits before the next attempt: a random part of a time that doubles.
const (
	firstPause = 50 * time.Millisecond
	mostPause  = time.Second
)

// jitter returns a random part of d, so that clients that failed at the same time don't repeat at the same time.
func jitter(d time.Duration) time.Duration {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(max(d, 1)))
}

// pause waits, and reports false if the context's deadline leaves no time for the wait and an answer.
func pause(ctx context.Context, attempt int) bool {
	most := min(firstPause<<min(attempt-1, 10), mostPause)
	wait := most/2 + jitter(most/2)
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
