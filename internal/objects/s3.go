package objects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// maxPut is the limit of S3 for one PUT: 5 GiB ("Amazon S3 multipart upload limits").
const maxPut = 5 << 30

// s3Store is one bucket of an S3-compatible store.
//
// Some stores keep the plain MD5 of a value as its ETag, even with SSE-C (Ceph RGW 16 does). Someone
// with access to the disks can then guess short values, so these stores are unsuitable for short
// values. Verify does not refuse them, because values that can't be guessed are safe there.
type s3Store struct {
	opts   S3Options
	client *s3.Client
	region string
	base   string // URL for browsers
	inner  string // URL for the gateway

	signers     signers
	singlyUntil atomic.Int64  // objects are deleted one by one until then, in Unix nanoseconds
	singlyFrom  atomic.Uint64 // index of the first object to delete one by one
}

// NewS3 returns the store of one bucket. It reads configuration, and with the SDK's default chain
// it fetches credentials, but it sends no request to the bucket: Verify does.
func NewS3(ctx context.Context, o S3Options) (Store, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	client, err := o.client(ctx)
	if err != nil {
		return nil, err
	}
	s := &s3Store{opts: o, client: client, region: client.Options().Region}
	// The SDK also reads AWS_ENDPOINT_URL and the profile; sign for the endpoint that it uses.
	endpoint := aws.ToString(client.Options().BaseEndpoint)
	if s.inner, err = resolveBase(ctx, endpoint, o.Bucket, s.region, o.PathStyle); err != nil {
		return nil, err
	}
	s.base = s.inner
	if o.PublicEndpoint != "" {
		if s.base, err = resolveBase(ctx, o.PublicEndpoint, o.Bucket, s.region, o.PathStyle); err != nil {
			return nil, err
		}
	}
	s.signers = signers{provider: client.Options().Credentials, make: s.newSigner, now: o.Now, timeout: o.Timeout}
	if o.Provider != nil {
		s.signers.provider = earlyExpiry{o.Provider}
	}
	if _, err = s.signers.get(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *s3Store) newSigner(creds aws.Credentials) (*signer, error) {
	o := PresignOptions{BaseURL: s.base, Region: s.region, Credentials: Credentials{
		AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey, SessionToken: creds.SessionToken}}
	public, err := NewPresigner(o)
	if err != nil {
		return nil, err
	}
	o.BaseURL = s.inner
	inner, err := NewPresigner(o)
	if err != nil {
		return nil, err
	}
	return &signer{creds: creds, public: public, inner: inner}, nil
}

// SignUpload implements Store. An object over 5 GiB is ErrTooLarge.
func (s *s3Store) SignUpload(u Upload) (SignedRequest, error) {
	return s.upload(u, func(g *signer) *Presigner { return g.public })
}

// SignDownload implements Store.
func (s *s3Store) SignDownload(d Download) (SignedRequest, error) {
	return s.download(d, func(g *signer) *Presigner { return g.public })
}

func (s *s3Store) upload(u Upload, which func(*signer) *Presigner) (SignedRequest, error) {
	if u.Size > maxPut {
		return SignedRequest{}, ErrTooLarge
	}
	g, err := s.signers.get(context.Background())
	if err != nil {
		return SignedRequest{}, err
	}
	r, err := which(g).Upload(u, s.opts.Now(), s.opts.UploadLifetime, "")
	return g.cap(r), err
}

func (s *s3Store) download(d Download, which func(*signer) *Presigner) (SignedRequest, error) {
	g, err := s.signers.get(context.Background())
	if err != nil {
		return SignedRequest{}, err
	}
	r, err := which(g).Download(d, s.opts.Now(), s.opts.DownloadLifetime, "")
	return g.cap(r), err
}

// Verify implements Store: the canary goes to the gateway's own endpoint.
func (s *s3Store) Verify(ctx context.Context) error {
	inner := func(g *signer) *Presigner { return g.inner }
	return Canary{
		Mode:     s.opts.Mode,
		HTTP:     s.opts.HTTPClient,
		Timeout:  s.opts.Timeout,
		Upload:   func(u Upload) (SignedRequest, error) { return s.upload(u, inner) },
		Download: func(d Download) (SignedRequest, error) { return s.download(d, inner) },
		Plain:    s.plainRead,
		Delete:   s.Delete,
	}.Run(ctx)
}

// plainRead reads an object with the gateway's credentials and without a customer's key, and
// reports whether the store returned it.
func (s *s3Store) plainRead(ctx context.Context, object string) (given bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.opts.Bucket, Key: &object})
	var refused *smithyhttp.ResponseError
	switch {
	case err == nil:
		return true, out.Body.Close()
	case errors.As(err, &refused) && refused.HTTPStatusCode() < 500:
		return false, nil
	default:
		return false, fmt.Errorf("object store: canary: read without the key: %w", cleanError(err))
	}
}

// Origin implements Store.
func (s *s3Store) Origin() string { return s.signers.current.Load().public.Origin() }

// Ready implements Store with one HeadBucket.
func (s *s3Store) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	if _, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.opts.Bucket}); err != nil {
		return fmt.Errorf("object store: not ready: %w", cleanError(err))
	}
	return nil
}

// noRedirects prevents key headers from being sent to another host after a redirect.
func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
