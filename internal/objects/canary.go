package objects

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Canary tests with one random object that a store keeps values secret and intact. Some stores
// ignore headers: they answer 200 to encryption headers and write plain text to disk.
type Canary struct {
	Mode     Mode         // of new values
	HTTP     *http.Client // must not follow redirects
	Timeout  time.Duration
	Upload   func(Upload) (SignedRequest, error)
	Download func(Download) (SignedRequest, error)
	// Plain reads the object with credentials but without its key, and reports whether the store
	// returned it; the error is for a store that did not respond. Nil if the store has no such request.
	Plain  func(ctx context.Context, object string) (given bool, err error)
	Delete func(ctx context.Context, objects ...string) error
}

// probe is one run of a canary.
type probe struct {
	Canary
	object string
	key    CustomerKey
	value  []byte
}

type canaryKey struct{}

// IsCanary reports whether a request was sent by a canary, for a store in the same process.
func IsCanary(ctx context.Context) bool { return ctx.Value(canaryKey{}) != nil }

// Run writes, reads, attacks and deletes the canary. It returns an error that wraps ErrUnsuitable if the store fails
// the test, ErrNoSpace if the store is full, and another error if it can't be tested.
func (c Canary) Run(ctx context.Context) (err error) {
	ctx = context.WithValue(ctx, canaryKey{}, true)
	name := make([]byte, 16)
	p := &probe{Canary: c, value: make([]byte, 64)}
	for _, b := range [][]byte{name, p.value} {
		_, _ = rand.Read(b) // never fails (crypto/rand)
	}
	if p.Mode == SSEC {
		_, _ = rand.Read(p.key[:])
	}
	p.object = "canary/" + hex.EncodeToString(name)
	defer func() {
		// Even if ctx was cancelled: a canary must not stay.
		delCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Timeout)
		defer cancel()
		if delErr := c.Delete(delCtx, p.object); delErr != nil && err == nil {
			err = fmt.Errorf("object store: the canary can't be deleted: %w", delErr)
		}
	}()
	steps := []func(context.Context) error{p.write, p.readUnsigned, p.read, p.writeAgain, p.readDeleted}
	if p.Mode == SSEC {
		steps = []func(context.Context) error{
			p.write, p.readUnsigned, p.readWithoutKey, p.readWithOtherKey, p.read, p.writeAgain, p.readDeleted,
		}
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *probe) upload() Upload {
	return Upload{Object: p.object, Mode: p.Mode, Key: p.key, Size: int64(len(p.value)), ContentType: "text/plain"}
}

func (p *probe) write(ctx context.Context) error {
	a, err := p.do(ctx, "write", true, p.value, func() (SignedRequest, error) { return p.Upload(p.upload()) })
	switch {
	case err != nil:
		return err
	case !a.ok() && a.code() == "AccessDenied" && p.Mode == SSEC:
		return p.deniedWrite(ctx)
	case !a.ok():
		return a.refusedWrite(p.Mode)
	case p.Mode == SSEC && a.header.Get(HeaderAlgorithm) != "AES256":
		return withoutSSEC("it ignores the encryption headers (SSE-C): it stored a value and did not confirm the encryption")
	}
	return nil
}

// deniedWrite tells a bucket that blocks SSE-C, as new AWS buckets do since April 2026, from credentials that may not write:
// it writes the random bytes of the canary once more, without encryption headers.
func (p *probe) deniedWrite(ctx context.Context) error {
	up := p.upload()
	up.Mode, up.Key = Client, CustomerKey{}
	a, err := p.do(ctx, "write without SSE-C", true, p.value, func() (SignedRequest, error) { return p.Upload(up) })
	switch {
	case err != nil:
		return err
	case !a.ok():
		return errors.New("object store: canary: write: HTTP 403, AccessDenied, with and without encryption headers: allow the credentials s3:PutObject in the bucket")
	}
	return fmt.Errorf("%w: the bucket blocks SSE-C (AccessDenied with encryption headers, 200 without), as new AWS buckets do since April 2026; "+
		"set objects.encryption to client, or allow SSE-C in the bucket (PutBucketEncryption without SSE-C in BlockedEncryptionTypes)", ErrUnsuitable)
}

// readUnsigned expects the store to refuse a request without a signature: the bucket must not be public.
func (p *probe) readUnsigned(ctx context.Context) error {
	a, err := p.do(ctx, "read without a signature", true, nil, func() (SignedRequest, error) {
		r, err := p.download(p.key)
		r.URL, _, _ = strings.Cut(r.URL, "?")
		return r, err
	})
	if err == nil && a.ok() {
		return fmt.Errorf("%w: it returns values to requests without a signature; the bucket must not be public", ErrUnsuitable)
	}
	return err
}

// readWithoutKey tries the signed URL without its headers, and then the gateway's credentials: a store
// that keeps plain text refuses the first because of the signature.
func (p *probe) readWithoutKey(ctx context.Context) error {
	a, err := p.do(ctx, "read without the key", false, nil, func() (SignedRequest, error) { return p.download(p.key) })
	if err != nil {
		return err
	}
	if a.ok() {
		return withoutSSEC("it returns a value to a request without the encryption key")
	}
	if p.Plain == nil {
		return nil
	}
	given, err := p.Plain(ctx, p.object)
	if err == nil && given {
		return withoutSSEC("it returns a value without the encryption key: the stored value is not encrypted under the key")
	}
	return err
}

func (p *probe) readWithOtherKey(ctx context.Context) error {
	other := p.key
	other[0] ^= 1
	a, err := p.do(ctx, "read with another key", true, nil, func() (SignedRequest, error) { return p.download(other) })
	if err == nil && a.ok() {
		return withoutSSEC("it returns a value for a wrong encryption key")
	}
	return err
}

func (p *probe) read(ctx context.Context) error {
	a, err := p.do(ctx, "read", true, nil, func() (SignedRequest, error) { return p.download(p.key) })
	switch {
	case err != nil:
		return err
	case !a.ok():
		return fmt.Errorf("object store: canary: read: %s", a.fault())
	case !bytes.Equal(a.body, p.value):
		return unsuitable("it returns other bytes than were written")
	case !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") || a.header.Get("Content-Type") != "text/plain":
		return unsuitable("it ignores the forced type and disposition of a download, so that a browser could run a value as a page")
	}
	return nil
}

func (p *probe) writeAgain(ctx context.Context) error {
	changed := bytes.Repeat([]byte{'x'}, len(p.value))
	a, err := p.do(ctx, "write again", true, changed, func() (SignedRequest, error) { return p.Upload(p.upload()) })
	switch {
	case err != nil:
		return err
	case a.ok():
		return unsuitable("it overwrites an existing object: it ignores If-None-Match")
	case a.status != http.StatusPreconditionFailed && a.status != http.StatusConflict: // AWS: 409 in a race
		return unsuitable("it answers a second write with " + a.fault() + " instead of 412")
	}
	return nil
}

func (p *probe) readDeleted(ctx context.Context) error {
	if err := p.Delete(ctx, p.object); err != nil {
		return fmt.Errorf("object store: canary: delete: %w", err)
	}
	a, err := p.do(ctx, "read after delete", true, nil, func() (SignedRequest, error) { return p.download(p.key) })
	if err == nil && a.ok() {
		return unsuitable("it returns a deleted object")
	}
	return err
}

func (p *probe) download(key CustomerKey) (SignedRequest, error) {
	return p.Download(Download{Object: p.object, Mode: p.Mode, Key: key, ContentType: "text/plain", Filename: "canary.txt"})
}

// answer is the part of a response that a canary checks.
type answer struct {
	step   string
	status int
	header http.Header
	body   []byte
}

// do sends one signed request. It removes the URL that net/http puts into errors.
func (p *probe) do(ctx context.Context, step string, withHeaders bool, body []byte, sign func() (SignedRequest, error)) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	signed, err := sign()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, signed.Method, signed.URL, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("object store: canary: the signed URL is not valid")
	}
	if withHeaders {
		for _, h := range signed.Headers {
			req.Header.Set(h.Name, h.Value)
		}
	}
	res, err := p.HTTP.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("object store: canary: %s: %w", step, err)
	}
	defer func() { _ = res.Body.Close() }()
	a := &answer{step: step, status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(io.LimitReader(res.Body, 64<<10)); err != nil {
		return nil, fmt.Errorf("object store: canary: %s: the response is incomplete", step)
	}
	if a.status == http.StatusInsufficientStorage {
		return nil, fmt.Errorf("object store: canary: %s: %w", step, ErrNoSpace)
	}
	if a.status >= 500 && a.status != http.StatusNotImplemented {
		return nil, fmt.Errorf("object store: canary: %s: %s", step, a.fault())
	}
	return a, nil
}

func (a *answer) ok() bool { return a.status >= 200 && a.status < 300 }

// code returns the S3 error code of a response.
func (a *answer) code() string {
	var e struct {
		Code string `xml:"Code"`
	}
	_ = xml.Unmarshal(a.body, &e)
	return safeCode(e.Code)
}

func (a *answer) fault() string { return fmt.Sprintf("HTTP %d, %s", a.status, a.code()) }

// refusedWrite distinguishes a store without SSE-C from a wrong configuration of the gateway.
func (a *answer) refusedWrite(m Mode) error {
	switch {
	case m == Client || slices.Contains(configurationCodes, a.code()):
		return fmt.Errorf("object store: canary: write: %s: check the bucket, region, endpoint, credentials and clock", a.fault())
	default:
		return withoutSSEC("it refuses a write with encryption headers (SSE-C; some stores accept them over TLS only): " + a.fault())
	}
}

// configurationCodes are S3's error codes of a wrong configuration of the gateway.
var configurationCodes = []string{
	"SignatureDoesNotMatch", "InvalidAccessKeyId", "NoSuchBucket", "ExpiredToken", "InvalidToken",
	"RequestTimeTooSkewed", "PermanentRedirect", "AuthorizationHeaderMalformed", "SlowDown",
}

// unsuitable returns an error that names the store's fault, and the remedy.
func unsuitable(fault string) error {
	return fmt.Errorf("%w: %s; use another store", ErrUnsuitable, fault)
}

// withoutSSEC is unsuitable for a fault that does not matter if clients encrypt.
func withoutSSEC(fault string) error {
	return fmt.Errorf("%w: %s; use another store, or set objects.encryption to client", ErrUnsuitable, fault)
}
