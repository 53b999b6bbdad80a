package objects

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// deleteBatch is the most keys that one DeleteObjects takes.
const deleteBatch = 1000

// Delete implements Store. One object is a DeleteObject; more are DeleteObjects, each with a
// timeout of its own. In a bucket with versions it leaves the old version: its data key is gone
// with the token, so that nothing opens it.
func (s *s3Store) Delete(ctx context.Context, objects ...string) error {
	for _, o := range objects {
		if !ValidObject(o) {
			return ErrObjectName
		}
	}
	if len(objects) == 1 {
		return s.deleteOne(ctx, objects[0])
	}
	for len(objects) > 0 {
		n := min(len(objects), deleteBatch)
		if err := s.deleteMany(ctx, objects[:n]); err != nil {
			return err
		}
		objects = objects[n:]
	}
	return nil
}

func (s *s3Store) deleteOne(ctx context.Context, object string) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.opts.Bucket, Key: &object})
	if err == nil || errorCode(err) == "NoSuchKey" {
		return nil
	}
	return fmt.Errorf("object store: delete: %w", cleanError(err))
}

func (s *s3Store) deleteMany(ctx context.Context, objects []string) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	ids := make([]types.ObjectIdentifier, len(objects))
	for i := range objects {
		ids[i].Key = &objects[i]
	}
	quiet := true
	out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &s.opts.Bucket, Delete: &types.Delete{Objects: ids, Quiet: &quiet},
	}, withContentMD5)
	if err != nil {
		return fmt.Errorf("object store: delete: %w", cleanError(err))
	}
	failed, code := 0, ""
	for _, e := range out.Errors {
		if e.Code != nil && *e.Code == "NoSuchKey" {
			continue
		}
		failed++
		if e.Code != nil {
			code = *e.Code
		}
	}
	if failed > 0 {
		return fmt.Errorf("object store: delete: %d of %d objects stay: %s", failed, len(objects), safeCode(code))
	}
	return nil
}

// withContentMD5 adds the checksum that DeleteObjects has always asked for; stores older than
// the SDK's CRC32 headers refuse the request without it.
func withContentMD5(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, smithyhttp.AddContentChecksumMiddleware)
}

// errorCode is the S3 code of an SDK error, "" for others.
func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// cleanError keeps of an error what is safe in a log: the code and status of an answer, or the
// cause of a failed connection. The text of the SDK and of net/http holds URLs.
func cleanError(err error) error {
	var status *smithyhttp.ResponseError
	if code := errorCode(err); code != "" {
		if errors.As(err, &status) {
			return fmt.Errorf("%s (HTTP %d)", safeCode(code), status.HTTPStatusCode())
		}
		return errors.New(safeCode(code))
	}
	if errors.As(err, &status) && status.HTTPStatusCode() != 0 {
		return fmt.Errorf("HTTP %d", status.HTTPStatusCode())
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	for _, sentinel := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, sentinel) {
			return sentinel
		}
	}
	return errors.New(addressPattern.ReplaceAllString(err.Error(), "[address]"))
}

var addressPattern = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"]*`)

var codePattern = regexp.MustCompile(`^[A-Za-z0-9.]{1,64}$`)

// safeCode returns a store's error code, or a place-holder for one that is not a plain word.
func safeCode(code string) string {
	if !codePattern.MatchString(code) {
		return "an unnamed error"
	}
	return code
}
