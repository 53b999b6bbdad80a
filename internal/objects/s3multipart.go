package objects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// completeTimeout bounds CompleteMultipartUpload: S3 may take minutes for thousands of parts.
const completeTimeout = 5 * time.Minute

// PartLimits implements Uploads.
func (s *s3Store) PartLimits() PartLimits {
	return PartLimits{MinSize: minPart, MaxSize: maxPart, MaxNumber: maxParts, MaxTotal: maxTotal}
}

// customer returns the SSE-C parameters of the SDK's requests: nil in mode Client.
func (m *Multipart) customer() (algorithm, key, sum *string) {
	if m.Mode != SSEC {
		return nil, nil, nil
	}
	k, md5 := encodeKey(&m.Key)
	return aws.String("AES256"), &k, &md5
}

// CreateMultipart implements Uploads.
func (s *s3Store) CreateMultipart(ctx context.Context, m Multipart) (string, error) {
	if !ValidObject(m.Object) {
		return "", ErrObjectName
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	algorithm, key, sum := m.customer()
	out, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.opts.Bucket, Key: &m.Object, ContentType: aws.String(ContentType(m.ContentType)),
		SSECustomerAlgorithm: algorithm, SSECustomerKey: key, SSECustomerKeyMD5: sum,
	})
	if err != nil {
		return "", fmt.Errorf("object store: begin an upload in parts: %w", cleanError(err))
	}
	id := aws.ToString(out.UploadId)
	if id == "" || len(id) > 1024 || !visible(id) {
		return "", errors.New("object store: begin an upload in parts: the store returned no usable id")
	}
	return id, nil
}

// SignPart implements Uploads.
func (s *s3Store) SignPart(u PartUpload) (SignedRequest, error) {
	if u.Size > maxPart {
		return SignedRequest{}, ErrTooLarge
	}
	g, err := s.signers.get(context.Background())
	if err != nil {
		return SignedRequest{}, err
	}
	r, err := g.public.Part(u, s.opts.Now(), s.opts.UploadLifetime, "")
	return g.cap(r), err
}

// ListParts implements Uploads. Each page of up to 1000 parts has its own timeout.
func (s *s3Store) ListParts(ctx context.Context, m Multipart) ([]Part, error) {
	var all []Part
	var marker *string
	for {
		page, err := s.listPage(ctx, m, marker)
		if err != nil {
			return nil, uploadError("list parts", err)
		}
		for i := range page.Parts {
			p := &page.Parts[i]
			part := Part{Number: int(aws.ToInt32(p.PartNumber)), Size: aws.ToInt64(p.Size), ETag: aws.ToString(p.ETag)}
			if len(all) == maxParts || len(all) > 0 && part.Number <= all[len(all)-1].Number {
				return nil, errors.New("object store: list parts: the store's list is not in order")
			}
			all = append(all, part)
		}
		if !aws.ToBool(page.IsTruncated) || len(page.Parts) == 0 {
			return all, nil
		}
		marker = page.NextPartNumberMarker
	}
}

func (s *s3Store) listPage(ctx context.Context, m Multipart, marker *string) (*s3.ListPartsOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	algorithm, key, sum := m.customer()
	return s.client.ListParts(ctx, &s3.ListPartsInput{
		Bucket: &s.opts.Bucket, Key: &m.Object, UploadId: &m.ID, PartNumberMarker: marker,
		SSECustomerAlgorithm: algorithm, SSECustomerKey: key, SSECustomerKeyMD5: sum,
	})
}

// CompleteMultipart implements Uploads. A store that does not know If-None-Match here gets the request without it: then only the
// rows prevent that an object or a tombstone is replaced (docs/adr/0038).
func (s *s3Store) CompleteMultipart(ctx context.Context, m Multipart, parts []Part) error {
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	list := make([]types.CompletedPart, len(parts))
	for i := range parts {
		list[i] = types.CompletedPart{PartNumber: aws.Int32(int32(parts[i].Number)), ETag: &parts[i].ETag} //nolint:gosec // 10,000 at most
	}
	algorithm, key, sum := m.customer()
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &s.opts.Bucket, Key: &m.Object, UploadId: &m.ID, IfNoneMatch: aws.String("*"), MultipartUpload: &types.CompletedMultipartUpload{Parts: list},
		SSECustomerAlgorithm: algorithm, SSECustomerKey: key, SSECustomerKeyMD5: sum,
	}
	_, err := s.client.CompleteMultipartUpload(ctx, in)
	if errorCode(err) == "NotImplemented" {
		in.IfNoneMatch = nil
		_, err = s.client.CompleteMultipartUpload(ctx, in)
	}
	return uploadError("join parts", err)
}

// AbortMultipart implements Uploads.
func (s *s3Store) AbortMultipart(ctx context.Context, m Multipart) error {
	ids := []string{m.ID}
	if m.ID == "" {
		var err error
		if ids, err = s.uploadsOf(ctx, m.Object); err != nil {
			return uploadError("find uploads in parts", err)
		}
	}
	var failed error
	for _, id := range ids {
		failed = errors.Join(failed, s.abort(ctx, m.Object, id))
	}
	return failed
}

func (s *s3Store) abort(ctx context.Context, object, id string) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.opts.Bucket, Key: &object, UploadId: &id})
	if err = uploadError("abort an upload in parts", err); errors.Is(err, ErrNoUpload) {
		return nil
	}
	return err
}

// uploadsOf returns the ids of the object's uploads in parts, up to the 1000 of one page.
func (s *s3Store) uploadsOf(ctx context.Context, object string) (ids []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	out, err := s.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &s.opts.Bucket, Prefix: &object})
	if err != nil {
		return nil, err
	}
	for i := range out.Uploads {
		if aws.ToString(out.Uploads[i].Key) == object {
			ids = append(ids, aws.ToString(out.Uploads[i].UploadId))
		}
	}
	return ids, nil
}

// Size implements Uploads with one HeadObject.
func (s *s3Store) Size(ctx context.Context, m Multipart) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	algorithm, key, sum := m.customer()
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: &s.opts.Bucket, Key: &m.Object, SSECustomerAlgorithm: algorithm, SSECustomerKey: key, SSECustomerKeyMD5: sum,
	})
	var refused *smithyhttp.ResponseError
	if errors.As(err, &refused) {
		switch refused.HTTPStatusCode() {
		case http.StatusNotFound, http.StatusForbidden, http.StatusBadRequest: // a tombstone has another key
			return 0, fmt.Errorf("%w: %w", ErrNoObject, cleanError(err))
		}
	}
	if err != nil {
		return 0, fmt.Errorf("object store: size of an object: %w", cleanError(err))
	}
	return aws.ToInt64(out.ContentLength), nil
}

// uploadError returns the error of an operation on an upload in parts, wrapping its sentinel.
func uploadError(what string, err error) error {
	if err == nil {
		return nil
	}
	sentinel := map[string]error{
		"NoSuchUpload": ErrNoUpload, "PreconditionFailed": ErrObjectExists, "InvalidPart": ErrParts, "InvalidPartOrder": ErrParts, "EntityTooSmall": ErrParts,
		"XMinioStorageFull": ErrNoSpace, "InsufficientStorage": ErrNoSpace,
	}[errorCode(err)]
	if sentinel != nil {
		return fmt.Errorf("object store: %s: %w: %w", what, sentinel, cleanError(err))
	}
	return fmt.Errorf("object store: %s: %w", what, cleanError(err))
}
