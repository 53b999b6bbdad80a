package objects

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// deleteBatch is the limit of keys in one DeleteObjects.
const deleteBatch = 1000

// After a batch has timed out, objects are deleted one by one for singlyFor. Each such call takes at most singlyTimeouts
// timeouts of a request.
const (
	singlyFor      = time.Hour
	singlyTimeouts = 3
)

// Delete implements Store. For one object it calls DeleteObject, for more DeleteObjects, each with
// its own timeout. In a bucket with versions the old version stays; its data key was destroyed with
// the token, so it can't be decrypted.
func (s *s3Store) Delete(ctx context.Context, objects ...string) error {
	for _, o := range objects {
		if !ValidObject(o) {
			return ErrObjectName
		}
	}
	var failed failure
	if len(objects) == 1 {
		failed.note(objects[0], s.deleteOne(ctx, objects[0]))
		return failed.err()
	}
	for batch := range slices.Chunk(objects, deleteBatch) {
		if s.opts.Now().UnixNano() < s.singlyUntil.Load() {
			s.deleteSingly(ctx, batch, &failed)
			continue
		}
		s.deleteMany(ctx, batch, &failed)
	}
	return failed.err()
}

func (s *s3Store) deleteOne(ctx context.Context, object string) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.opts.Bucket, Key: &object})
	if errorCode(err) == "NoSuchKey" {
		return nil
	}
	return err
}

// deleteMany deletes one batch, and notes each object that stays. Objects that the store refuses by name are tried once
// more, one by one.
//
// MinIO locks all objects of a batch together, so one upload in progress blocks the whole batch, even for minutes after the
// call has timed out. The next calls then use no batches.
func (s *s3Store) deleteMany(ctx context.Context, batch []string, failed *failure) {
	stay, err := s.deleteObjects(ctx, batch)
	if err == nil {
		s.deleteSingly(ctx, stay, failed)
		return
	}
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		s.singlyUntil.Store(s.opts.Now().Add(singlyFor).UnixNano())
	}
	for _, object := range batch {
		failed.note(object, err)
	}
}

// deleteSingly begins with another object at each call, so that objects that hang do not always delay the same ones.
func (s *s3Store) deleteSingly(ctx context.Context, names []string, failed *failure) {
	ctx, cancel := context.WithTimeout(ctx, singlyTimeouts*s.opts.Timeout)
	defer cancel()
	if len(names) == 0 {
		return
	}
	first := int(s.singlyFrom.Add(objectWorkers) % uint64(len(names)))
	each(ctx, slices.Concat(names[first:], names[:first]), s.deleteOne, failed)
}

// deleteObjects returns the objects that stay: all of them if the call fails, or else those that the store names. In the
// quiet mode the store names failed objects only, so if it names any other object, all of the batch are returned.
func (s *s3Store) deleteObjects(ctx context.Context, batch []string) (stay []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	ids := make([]types.ObjectIdentifier, len(batch))
	asked := make(map[string]bool, len(batch))
	for i := range batch {
		ids[i].Key, asked[batch[i]] = &batch[i], true
	}
	out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &s.opts.Bucket, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)},
	}, withContentMD5)
	if err != nil {
		return slices.Clone(batch), err
	}
	for _, e := range out.Errors {
		name := aws.ToString(e.Key)
		switch {
		case !asked[name]:
			return slices.Clone(batch), nil
		case aws.ToString(e.Code) != "NoSuchKey":
			stay = append(stay, name)
		}
	}
	slices.Sort(stay)
	return slices.Compact(stay), nil
}

// withContentMD5 adds the original checksum of DeleteObjects; stores older than the SDK's CRC32
// headers refuse the request without it.
func withContentMD5(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, smithyhttp.AddContentChecksumMiddleware)
}

// errorCode returns the S3 code of an SDK error, "" for others.
func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// cleanError returns the parts of an error that are safe in a log: the code and status of a response, or
// the cause of a failed connection. The texts of the SDK and of net/http contain URLs.
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

// safeCode returns a store's error code, or a placeholder if it does not match codePattern.
func safeCode(code string) string {
	if !codePattern.MatchString(code) {
		return "an unnamed error"
	}
	return code
}
