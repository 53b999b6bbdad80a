package objects

import (
	"context"
	"errors"
	"time"
)

// The limits of S3 ("Amazon S3 multipart upload limits").
const (
	minPart  = 5 << 20 // bytes; the last part may be smaller
	maxPart  = 5 << 30 // bytes
	maxParts = 10_000
	maxTotal = 5 << 40 // bytes; newer stores allow more
)

var (
	// ErrNoUpload is wrapped when there is no such upload in parts: it was completed, aborted, or never begun.
	ErrNoUpload = errors.New("there is no such upload in parts")
	// ErrObjectExists is wrapped by CompleteMultipart when the object or its tombstone exists.
	ErrObjectExists = errors.New("the object exists")
	// ErrParts is wrapped by CompleteMultipart when a part has been replaced or is missing since it was listed.
	ErrParts = errors.New("the parts have changed")
	// ErrNoObject is wrapped by Size when there is no object with this key.
	ErrNoObject = errors.New("there is no such object")
)

// Multipart names an upload in parts. Its parts become the object when it is completed.
type Multipart struct {
	Object      string
	ID          string // the store's; up to 1024 visible ASCII characters; "" before CreateMultipart
	Mode        Mode
	Key         CustomerKey // in mode SSEC
	ContentType string      // of the object, for CreateMultipart; "" means application/octet-stream
}

// PartUpload describes one PUT of a part to sign.
type PartUpload struct {
	Multipart
	Number   int   // 1 to PartLimits.MaxNumber
	Size     int64 // exact size in bytes, signed into the request; 1 or more
	Signer   Signer
	NotAfter time.Time // the URL expires then or earlier; zero: after the store's upload lifetime
}

// Part is a part that has arrived.
type Part struct {
	Number int
	Size   int64  // bytes as they were sent
	ETag   string // another one after the part was replaced
}

// PartLimits are a store's limits of uploads in parts, in bytes as they are sent.
type PartLimits struct {
	MinSize   int64 // of all parts but the last
	MaxSize   int64
	MaxNumber int
	MaxTotal  int64 // of the object
}

// Uploads is the part of Store for uploads in parts, in the terms of S3's operations. An upload in parts never writes an
// object before CompleteMultipart; after AbortMultipart its signed URLs write nothing.
type Uploads interface {
	// CreateMultipart begins an upload, and returns its ID.
	CreateMultipart(ctx context.Context, m Multipart) (id string, err error)
	// SignPart returns a PUT that stores one part, or replaces it; the store must refuse a body of another size or another
	// key. Errors: ErrTooLarge, ErrExpired.
	SignPart(PartUpload) (SignedRequest, error)
	// ListParts returns all parts that have arrived, in the order of their numbers. Errors: ErrNoUpload.
	ListParts(ctx context.Context, m Multipart) ([]Part, error)
	// CompleteMultipart joins the parts, all as listed, to the object, whole or not at all. It must not replace an object or a
	// tombstone (If-None-Match: *), if the store can refuse that. Errors: ErrNoUpload, ErrObjectExists, ErrParts, ErrNoSpace.
	CompleteMultipart(ctx context.Context, m Multipart, parts []Part) error
	// AbortMultipart removes an upload with its parts, if it exists; without an ID, all uploads of the object.
	AbortMultipart(ctx context.Context, m Multipart) error
	// Size returns the size of an object, in bytes as they were sent. ErrNoObject: there is none, or it has another key.
	Size(ctx context.Context, m Multipart) (int64, error)
	// PartLimits returns the store's limits.
	PartLimits() PartLimits
}

// Part signs the PUT of a part, as Upload does.
func (p *Presigner) Part(u PartUpload, now time.Time, expires time.Duration, signer string) (SignedRequest, error) {
	expires, err := lifetime(now, expires, u.NotAfter)
	if err != nil {
		return SignedRequest{}, err
	}
	return p.Presign(Request{
		Method: "PUT", Object: u.Object, Mode: u.Mode, Key: u.Key, Size: u.Size, Part: u.Number, UploadID: u.ID,
		Time: now, Expires: expires, Signer: signer,
	})
}

// checkPart checks the fields of a request for a part.
func (r *Request) checkPart() error {
	switch {
	case r.Part < 0 || r.Part > maxParts || (r.Part > 0) != (r.UploadID != ""):
		return errors.New("objects: a part has a number from 1 to 10000, and the upload's id")
	case r.Part > 0 && (r.Method != "PUT" || r.Size < 1 || r.ContentType != ""):
		return errors.New("objects: a part is uploaded with its size, and without a type")
	case len(r.UploadID) > 1024 || !visible(r.UploadID):
		return errors.New("objects: the upload's id is not valid")
	}
	return nil
}

func visible(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
