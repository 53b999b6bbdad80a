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

// deleteBatch is the most keys that one DeleteObjects takes.
const deleteBatch = 1000

// Objects are deleted one by one for singlyFor after a batch was held up, for at most singlyTimeouts timeouts of a call.
const (
	singlyFor      = time.Hour
	singlyTimeouts = 3
)

// Delete implements Store. One object is a DeleteObject; more are DeleteObjects, each with a
// timeout of its own. In a bucket with versions it leaves the old version: its data key is gone
// with the token, so that nothing opens it.
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
		if s.opts.Now().UnixNano() < s.singly.Load() {
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

// deleteMany deletes one batch, and notes each object that stays. What it refuses by name is tried once more by itself.
//
// MinIO locks all objects of a batch at once, so that one upload that is under way holds up those beside it, also for
// minutes after the call was given up. The next calls go without batches then.
func (s *s3Store) deleteMany(ctx context.Context, batch []string, failed *failure) {
	stay, err := s.deleteObjects(ctx, batch)
	if err == nil {
		s.deleteSingly(ctx, stay, failed)
		return
	}
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		s.singly.Store(s.opts.Now().Add(singlyFor).UnixNano())
	}
	for _, object := range batch {
		failed.note(object, err)
	}
}

// deleteSingly begins with another object at each call, so that objects that hang do not keep the same others waiting.
func (s *s3Store) deleteSingly(ctx context.Context, names []string, failed *failure) {
	ctx, cancel := context.WithTimeout(ctx, singlyTimeouts*s.opts.Timeout)
	defer cancel()
	if len(names) == 0 {
		return
	}
	first := int(s.singlyFrom.Add(objectWorkers) % uint64(len(names)))
	each(ctx, slices.Concat(names[first:], names[:first]), s.deleteOne, failed)
}

// deleteObjects returns the objects that stay: all of them with an error, those that the store names without one. The store
// is asked to name no others, so that an answer that names what was not asked for leaves all in doubt.
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
