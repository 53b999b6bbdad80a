// Package objects holds the encrypted values: it signs the requests that browsers send to an
// S3-compatible store, and deletes what is no longer wanted. It never reads a value.
package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrUnsuitable is wrapped by Verify when the store would not keep a value secret or intact.
// The message names the fault and the way out.
var ErrUnsuitable = errors.New("object store is unsuitable")

// ErrNoSpace is wrapped by Verify when the store has no room, so that it could not be proved either way.
var ErrNoSpace = errors.New("object store is full")

// ErrTooLarge is wrapped by SignUpload when the size is over what the store takes in one PUT.
var ErrTooLarge = errors.New("object is too large")

// ErrExpired is returned by SignUpload and SignDownload when not a whole second is left before NotAfter.
var ErrExpired = errors.New("nothing can be signed for what has expired")

// PartialError is returned by Delete and Tombstone when they have seen to all objects but these.
type PartialError struct {
	Objects []string
	Err     error // the first cause
}

// Error implements error.
func (e *PartialError) Error() string {
	return fmt.Sprintf("%d objects remain: %v", len(e.Objects), e.Err)
}

// Unwrap returns the cause.
func (e *PartialError) Unwrap() error { return e.Err }

// ErrObjectName is wrapped when an object's key is not one that ValidObject accepts.
var ErrObjectName = errors.New("object key is not valid")

// CustomerKey is the 256-bit SSE-C key of one object. It formats as "[redacted]" with every verb.
type CustomerKey [32]byte

// String implements fmt.Stringer.
func (CustomerKey) String() string { return "[redacted]" }

// GoString implements fmt.GoStringer.
func (CustomerKey) GoString() string { return "[redacted]" }

// Format implements fmt.Formatter: %x and %d would otherwise print the bytes.
func (CustomerKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// MarshalText implements encoding.TextMarshaler, so that JSON and structured logs redact too.
func (CustomerKey) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Signer is for whom a request is signed. A store may bound what one signer, and one tenant, have under way; the zero
// Signer is nobody in particular.
type Signer struct {
	Tenant  string
	Session [32]byte // hash of the session's id
}

// Upload describes one PUT to sign.
type Upload struct {
	Object      string // key in the bucket: see ValidObject
	Key         CustomerKey
	Size        int64  // exact size in bytes, signed into the request; 0: not known, not signed, unless
	Empty       bool   // the value has no bytes, which is signed
	ContentType string // signed; "" means application/octet-stream
	Signer      Signer
	NotAfter    time.Time // the URL ends then or before; zero: after the store's upload lifetime
}

// Download describes one GET to sign.
type Download struct {
	Object      string
	Key         CustomerKey
	ContentType string // forced on the answer; "" means application/octet-stream
	Filename    string // forced as an attachment's name (RFC 6266); may be ""
	Signer      Signer
	NotAfter    time.Time // the URL ends then or before; zero: after the store's download lifetime
}

// Header is one HTTP header that the client must send as given.
type Header struct{ Name, Value string }

// SignedRequest is one HTTP request to the store. Headers leaves out Host and Content-Length,
// which every HTTP client sends by itself (both are signed).
type SignedRequest struct {
	Method    string
	URL       string
	Headers   []Header
	ExpiresAt time.Time // UTC
}

// Format implements fmt.Formatter: the URL and the headers are secrets, whoever holds them holds
// the value, so that only the method and the expiry print.
func (r SignedRequest) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%s [redacted] until %s", r.Method, r.ExpiresAt.Format(time.RFC3339))
}

// ValidObject reports whether an object's key is [a-z0-9/-]+, 1 to 512 bytes, without an empty
// segment. Such a key is the same text in a URL, in a canonical request and in a proxy that
// cleans paths.
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
	// SignUpload returns a PUT that creates the object once: a second PUT must be refused by the
	// store (If-None-Match: *), and so must a body of another size, another key or another type.
	SignUpload(Upload) (SignedRequest, error)
	// SignDownload returns a GET whose answer is an attachment that browsers do not sniff.
	SignDownload(Download) (SignedRequest, error)
	// Delete removes the objects, and tombstones; one that does not exist is no error. One object that fails must
	// not hold up the others: it is named in a PartialError. On another error any part of them may be gone. The
	// call can be repeated. It is for objects whose uploads have all expired.
	Delete(ctx context.Context, objects ...string) error
	// Tombstone deletes the objects as Delete does, whether they exist or not, but leaves in the place of each
	// what makes If-None-Match refuse an upload that was signed before. Its errors are Delete's. A download of a tombstone must never
	// answer 200. A store that can must stop the transfers of these objects that are under way. Delete removes
	// tombstones.
	Tombstone(ctx context.Context, objects ...string) error
	// EndSession stops what a signer has under way, and refuses what was signed for it, in a store that can: one that
	// others run knows no sessions, and does nothing.
	EndSession(Signer)
	// SignOut does the same with what was signed up to now: a session that has signed out may sign in again.
	SignOut(Signer)
	// Verify proves with a canary that the store encrypts under the customer's key, refuses a
	// read without it, and writes once. It must return an error that wraps ErrUnsuitable
	// where one of these fails, and another error where the store can't be reached.
	Verify(ctx context.Context) error
	// Origin returns where browsers reach the store: scheme, host and port, as a page's
	// Content-Security-Policy names it.
	Origin() string
	// Ready reports whether the store answers; cheap enough for a readiness probe.
	Ready(ctx context.Context) error
}
