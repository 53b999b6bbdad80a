package objects

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// objectWorkers is the number of concurrent requests for which S3 has no batch: tombstones, and single deletions.
const objectWorkers = 16

// Tombstone implements Store. A tombstone is one byte. In mode SSEC it is encrypted under a key that is thrown away, so that
// a download is refused because of its key (MinIO answers 200 for an empty object with any key). In mode Client a download
// gets the byte, which no client can take for a ciphertext. The PUT replaces the object atomically. In a bucket with versions
// the old version stays, as for Delete.
//
// In MinIO the PUT waits while a conditional PUT of the object is in progress; the caller tries again.
func (s *s3Store) Tombstone(ctx context.Context, objects ...string) error {
	for _, o := range objects {
		if !ValidObject(o) {
			return ErrObjectName
		}
	}
	var failed failure
	each(ctx, objects, s.tombstone, &failed)
	return failed.err()
}

// each calls do for every object, with up to objectWorkers concurrent calls, and notes the failed objects.
func each(ctx context.Context, objects []string, do func(context.Context, string) error, failed *failure) {
	next := make(chan string)
	var workers sync.WaitGroup
	for range min(objectWorkers, len(objects)) {
		workers.Go(func() {
			for object := range next {
				failed.note(object, do(ctx, object))
			}
		})
	}
	for _, object := range objects {
		next <- object
	}
	close(next)
	workers.Wait()
}

func (s *s3Store) tombstone(ctx context.Context, object string) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	put := &s3.PutObjectInput{
		Bucket: &s.opts.Bucket, Key: &object, Body: bytes.NewReader([]byte{'-'}), ContentType: aws.String(DefaultContentType),
	}
	if s.opts.Mode == SSEC {
		var random CustomerKey
		_, _ = rand.Read(random[:]) // never fails (crypto/rand)
		key, sum := encodeKey(&random)
		put.SSECustomerAlgorithm, put.SSECustomerKey, put.SSECustomerKeyMD5 = aws.String("AES256"), &key, &sum
	}
	_, err := s.client.PutObject(ctx, put)
	return err
}

// EndSession implements Store: this store knows no sessions.
func (s *s3Store) EndSession(Signer) {}

// SignOut implements Store, as EndSession does.
func (s *s3Store) SignOut(Signer) {}

// failure collects the failed objects of several workers, and the first error.
type failure struct {
	mu      sync.Mutex
	objects []string
	cause   error
}

func (f *failure) note(object string, err error) {
	if err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.objects = append(f.objects, object); f.cause == nil {
		f.cause = err
	}
}

func (f *failure) err() error {
	if f.cause == nil {
		return nil
	}
	return &PartialError{f.objects, fmt.Errorf("object store: delete: %w", cleanError(f.cause))}
}
