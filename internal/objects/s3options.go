package objects

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// S3Options configure NewS3. Bucket is required; Region too, unless Endpoint is given or the SDK
// finds one (environment, profile).
type S3Options struct {
	Endpoint       string // http(s)://host[:port][/base]; "": the AWS endpoint of Region
	PublicEndpoint string // the same store's endpoint for browsers; "": Endpoint
	Region         string // "" with an Endpoint: us-east-1
	Bucket         string
	PathStyle      bool // endpoint/bucket/key instead of bucket.endpoint/key
	Mode           Mode // of new values: Verify and tombstones use it

	Credentials Credentials             // static; zero: Provider, or the SDK's default chain
	Provider    aws.CredentialsProvider // for credentials that rotate; called again before they expire

	RootCAs    *x509.CertPool // nil: the system's roots
	HTTPClient *http.Client   // instead of RootCAs; its CheckRedirect is replaced

	UploadLifetime   time.Duration // of upload URLs; 0: 15 minutes
	DownloadLifetime time.Duration // of download URLs; 0: 1 minute
	Timeout          time.Duration // of each call to the store; 0: 10 seconds

	Now func() time.Time // the signing clock; nil: time.Now
}

func (o *S3Options) setDefaults() error {
	o.UploadLifetime = orDefault(o.UploadLifetime, 15*time.Minute)
	o.DownloadLifetime = orDefault(o.DownloadLifetime, time.Minute)
	o.Timeout = orDefault(o.Timeout, 10*time.Second)
	if err := CheckLifetimes(o.UploadLifetime, o.DownloadLifetime); err != nil {
		return err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Region == "" && o.Endpoint != "" {
		o.Region = "us-east-1"
	}
	for _, e := range []string{o.Endpoint, o.PublicEndpoint} {
		if u, err := url.Parse(e); e != "" && (err != nil || u.Host == "" || u.User != nil ||
			u.RawQuery != "" || (u.Scheme != "http" && u.Scheme != "https")) {
			return errors.New("objects: an endpoint must be an http or https URL without user and query")
		}
	}
	if o.HTTPClient == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12}
		o.HTTPClient = &http.Client{Transport: transport}
	}
	client := *o.HTTPClient
	client.CheckRedirect = noRedirects
	o.HTTPClient = &client
	return nil
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d == 0 {
		return fallback
	}
	return d
}

// CheckLifetimes returns an error for a lifetime that SigV4 can't sign: less than a second, over 7 days, parts of seconds.
func CheckLifetimes(lifetimes ...time.Duration) error {
	for _, d := range lifetimes {
		if d < time.Second || d > maxExpires || d%time.Second != 0 {
			return fmt.Errorf("objects: a URL's lifetime must be whole seconds from 1s to %s, not %s", maxExpires, d)
		}
	}
	return nil
}

// client makes the SDK's client, for requests that are not presigned. With static credentials and a
// region, it does not read the environment.
func (o *S3Options) client(ctx context.Context) (*s3.Client, error) {
	provider := o.Provider
	if o.Credentials.AccessKeyID != "" || o.Credentials.SecretAccessKey != "" {
		c := o.Credentials
		provider = credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
	}
	set := func(so *s3.Options) {
		so.HTTPClient = o.HTTPClient // sources of credentials are other hosts, and keep the SDK's client
		so.UsePathStyle = o.PathStyle
		so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		if o.Endpoint != "" {
			so.BaseEndpoint = &o.Endpoint
		}
	}
	if provider != nil && o.Region != "" {
		return s3.New(s3.Options{Region: o.Region, Credentials: aws.NewCredentialsCache(provider)}, set), nil
	}
	load := []func(*config.LoadOptions) error{config.WithCredentialsCacheOptions(expiryWindow)}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if provider != nil {
		load = append(load, config.WithCredentialsProvider(aws.NewCredentialsCache(provider)))
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("object store: the AWS configuration can't be read: %w", cleanError(err))
	}
	if cfg.Region == "" {
		return nil, errors.New("objects: no region is configured: set objects.s3.region")
	}
	return s3.NewFromConfig(cfg, set), nil
}
