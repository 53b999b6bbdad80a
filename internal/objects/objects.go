// Package objects is the gateway's access to the encrypted values: it signs the requests that browsers
// send to an S3-compatible store, and deletes objects. It never reads a value.
package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrUnsuitable is wrapped by Verify when the store would not keep a value secret or intact.
// The message names the fault and the remedy.
var ErrUnsuitable = errors.New("object store is unsuitable")

// ErrNoSpace is wrapped by Verify when the store has no room for the canary, so that Verify has no result.
var ErrNoSpace = errors.New("object store is full")

// ErrTooLarge is wrapped by SignUpload when the size is over the store's limit for one PUT.
var ErrTooLarge = errors.New("object is too large")

// ErrExpired is returned by SignUpload and SignDownload when less than a second is left before NotAfter.
var ErrExpired = errors.New("the object has expired: no request can be signed for it")

// PartialError is returned by Delete and Tombstone when they failed for some objects, and succeeded for the others.
type PartialError struct {
	Objects []string // those that failed
	Err     error    // the first cause
}

// Error implements error.
func (e *PartialError) Error() string {
	return fmt.Sprintf("%d objects remain: %v", len(e.Objects), e.Err)
}

// Unwrap returns the cause.
func (e *PartialError) Unwrap() error { return e.Err }

// ErrObjectName is wrapped when ValidObject does not accept an object's key.
var ErrObjectName = errors.New("object key is not valid")

// CustomerKey is the 256-bit SSE-C key of one object. It formats as "[redacted]" with every verb.
type CustomerKey [32]byte

// String implements fmt.Stringer.
func (CustomerKey) String() string { return "[redacted]" }

// GoString implements fmt.GoStringer.
func (CustomerKey) GoString() string { return "[redacted]" }

// Format implements fmt.Formatter: %x and %d would otherwise print the bytes.
func (CustomerKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// MarshalText implements encoding.TextMarshaler, so that JSON and structured logs are redacted too.
func (CustomerKey) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Signer is the session that a request is signed for. A store may bound the concurrent transfers of a signer and of a
// tenant. The zero Signer names no session.
type Signer struct {
	Tenant  string
	Session [32]byte // hash of the session's id
}

// Upload describes one PUT to sign.
type Upload struct {
	Object      string // key in the bucket: see ValidObject
	Mode        Mode
	Key         CustomerKey // in mode SSEC
	Size        int64       // exact size in bytes, signed into the request; 0: unknown and not signed, unless Empty
	Empty       bool        // the value has no bytes; a size of 0 is signed
	ContentType string      // signed; "" means application/octet-stream
	Signer      Signer
	NotAfter    time.Time // the URL expires then or earlier; zero: after the store's upload lifetime
}

// Download describes one GET to sign.
type Download struct {
	Object      string
	Mode        Mode
	Key         CustomerKey // in mode SSEC
	ContentType string      // of the response, forced; "" means application/octet-stream
	Filename    string      // of the attachment, forced (RFC 6266); may be ""
	Signer      Signer
	NotAfter    time.Time // the URL expires then or earlier; zero: after the store's download lifetime
}

// Header is one HTTP header that the client must send unchanged.
type Header struct{ Name, Value string }

// SignedRequest is one HTTP request to the store. Headers does not contain Host and Content-Length,
// which every HTTP client sends by itself (both are signed).
type SignedRequest struct {
	Method    string
	URL       string
	Headers   []Header
	ExpiresAt time.Time // UTC
}

// Format implements fmt.Formatter. It prints the method and the expiry only: the URL and the headers are secrets that
// give access to the value.
func (r SignedRequest) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%s [redacted] until %s", r.Method, r.ExpiresAt.Format(time.RFC3339))
}

// ValidObject reports whether an object's key is [a-z0-9/-]+, 1 to 512 bytes, without an empty
// segment. Such a key is the same text in a URL, in a canonical request and after a proxy that
// normalizes paths.
func ValidObject(key string) bool {
	if len(key) == 0 || len(key) > 512 || key[0] == '/' || key[len(key)-1] == '/' {
		return false
	}
	for i := 0; i < len(key); i++ {
		c := key[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
		case c == '/' && key[i-1] != '/':
		default:
			return false
		}
	}
	return true
}

// Store signs requests to one bucket and deletes from it. Implementations are safe for
// concurrent use, and bound every call to the store by a timeout of their own.
type Store interface {
	Uploads
	// SignUpload returns a PUT that creates the object once: a second PUT must be refused by the
	// store (If-None-Match: *), and so must a body of another size, another key or another type.
	SignUpload(Upload) (SignedRequest, error)
	// SignDownload returns a GET that is answered with an attachment, with MIME sniffing disabled.
	SignDownload(Download) (SignedRequest, error)
	// Delete removes the objects or their tombstones; an object that does not exist is no error. A failure for one
	// object must not prevent the deletion of the others: a PartialError names the object. After any other error some
	// objects may have been deleted. The call can be repeated. It is for objects whose upload URLs have all expired.
	Delete(ctx context.Context, objects ...string) error
	// Tombstone replaces each object, whether it exists or not, with a tombstone, on which If-None-Match refuses uploads
	// signed earlier. Its errors are those of Delete. A download of a tombstone must never be answered with 200, except in mode
	// Client with bytes that are no ciphertext. If the store can, it must stop transfers of these objects. Delete removes
	// tombstones.
	Tombstone(ctx context.Context, objects ...string) error
	// EndSession stops a signer's transfers, and refuses URLs signed for it. A remote store knows no sessions, and does
	// nothing.
	EndSession(Signer)
	// SignOut does the same for URLs signed up to now: a session that has signed out may sign in again.
	SignOut(Signer)
	// Verify tests with a canary in the mode of new values that the store writes once and refuses unsigned reads, and in mode
	// SSEC that it encrypts under the customer's key and refuses a read without it. It must return an error that wraps
	// ErrUnsuitable if one of these fails, and another error if the store can't be reached.
	Verify(ctx context.Context) error
	// Origin returns the store's origin for browsers: scheme, host and port, in the form of a
	// Content-Security-Policy.
	Origin() string
	// Ready returns an error unless the store responds; it is cheap enough for a readiness probe.
	Ready(ctx context.Context) error
}
