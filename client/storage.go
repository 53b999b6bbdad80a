package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/streamaead"
)

// SignedRequest is one HTTP request to the object store, which every holder can send: its URL and header are secrets,
// and no verb of fmt prints them.
type SignedRequest struct {
	Method    string
	URL       string
	Header    http.Header // send every field unchanged
	ExpiresAt time.Time   // when the store stops accepting the request
}

// Format implements fmt.Formatter.
func (r SignedRequest) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "[signed %s until %s]", r.Method, r.ExpiresAt.Format(time.RFC3339))
}

// LogValue implements slog.LogValuer.
func (r SignedRequest) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// StorageError is a refusal by the object store. The store's message is left out: it can hold secrets.
type StorageError struct {
	Method string
	Status int // of HTTP: 403 expired or altered, 404 not uploaded yet, 412 uploaded before
}

// Error implements error.
func (e *StorageError) Error() string {
	return fmt.Sprintf("cloakroom: the object store refused a %s with HTTP status %d", e.Method, e.Status)
}

// Upload sends the value of a new token, which has size bytes, 0 for an empty value, to the object store. It is sent once; a
// second upload is a StorageError of status 412. Upload encrypts the value if to.Encryption is given; otherwise the store does
// (SSE-C). Errors: *StorageError for a refusal; ErrBadUserInput for a value without a reader, a value of another size, or a
// request that can't be sent safely; and ErrUnavailable if the store can't be reached, which wraps the cause, such as ctx's
// error.
func (c *Client) Upload(ctx context.Context, to Tokenized, value io.Reader, size int64) error {
	if value == nil || size < 0 {
		return failure(ErrBadUserInput, nil, "a value has 0 bytes or more")
	}
	if size == 0 {
		if n, _ := io.ReadFull(value, make([]byte, 1)); n > 0 {
			return failure(ErrBadUserInput, nil, "the value is longer than its size")
		}
	}
	sent, length, err := to.Encryption.encrypt(&exact{value, size}, size)
	if err != nil {
		return failure(ErrBadUserInput, nil, "the key of a value has %d bytes", streamaead.KeySize)
	}
	body := io.NopCloser(sent)
	if length == 0 { // for a body other than http.NoBody, net/http takes 0 for an unknown length
		body = http.NoBody
	}
	answer, err := c.storage(ctx, to.Upload, body, length)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// Download returns the value of a token, decrypted if from.Encryption is given. Read it until io.EOF, before ctx ends, and close
// it. Errors: *StorageError, ErrBadUserInput and ErrUnavailable, as for Upload; errors of reading are net/http's, ctx's, and
// ErrCiphertext.
func (c *Client) Download(ctx context.Context, from Detokenized) (io.ReadCloser, error) {
	answer, err := c.storage(ctx, from.Download, http.NoBody, 0)
	if err != nil {
		return nil, err
	}
	value, err := from.Encryption.decrypt(answer.Body)
	if err != nil {
		_ = answer.Body.Close()
		return nil, failure(ErrBadUserInput, nil, "the key of a value has %d bytes", streamaead.KeySize)
	}
	return value, nil
}

// storage sends a signed request, without the gateway's credentials, and returns an answer of status 200.
func (c *Client) storage(ctx context.Context, r SignedRequest, body io.ReadCloser, size int64) (*http.Response, error) {
	u, err := url.Parse(r.URL)
	if err != nil || !confidential(u) {
		return nil, failure(ErrBadUserInput, nil, "the signed request's URL is not https")
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	if err != nil {
		return nil, failure(ErrBadUserInput, nil, "the signed request is malformed")
	}
	request.ContentLength = size
	request.Header = r.Header.Clone()
	if request.Header == nil {
		request.Header = http.Header{}
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, storeUnreachable(err)
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return nil, &StorageError{Method: r.Method, Status: answer.StatusCode}
	}
	return answer, nil
}

// storeUnreachable returns the error of a request without an answer. It leaves out the signed URL that net/http puts around
// the cause.
func storeUnreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var own *Error // of exact
	if errors.As(err, &own) {
		return own
	}
	return failure(ErrUnavailable, err, "the object store can't be reached: %s", redact(err.Error()))
}

var errIncomplete = errors.New("incomplete")

// decode returns the signed request, or an error if it can't be sent safely.
func (s *signed) decode() (SignedRequest, error) {
	u, err := url.Parse(s.Url)
	if err != nil || !confidential(u) || s.Method == "" || s.Headers == nil || s.ExpiresAt.IsZero() {
		return SignedRequest{}, errIncomplete
	}
	r := SignedRequest{Method: s.Method, URL: s.Url, Header: http.Header{}, ExpiresAt: s.ExpiresAt}
	for _, h := range s.Headers {
		if h.Name == "" {
			return SignedRequest{}, errIncomplete
		}
		r.Header.Add(h.Name, h.Value)
	}
	return r, nil
}
