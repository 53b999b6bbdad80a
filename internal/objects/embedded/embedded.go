// Package embedded is an S3 endpoint in the gateway's process, for one machine without an object
// store. Browsers send it the same requests as a production store: presigned PUT, GET and HEAD, with
// SSE-C if the store encrypts, and CORS preflights. All other requests are refused; deletion is a call in the process.
//
// In mode SSEC values are encrypted on disk under a key derived from the customer's key only (see format.go).
// The disk and the signing secret without that key do not reveal a value. In mode Client the store gets ciphertext.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// Options configure New. Dir, PublicURL and Credentials are required.
type Options struct {
	Dir       string       // created with mode 0700 if missing; one process at a time
	PublicURL string       // the handler's URL for browsers, such as http://127.0.0.1:8081; not the gateway's origin
	Bucket    string       // "": "values"
	Region    string       // "": "local"
	Mode      objects.Mode // of new values: Verify uses it

	// AllowedOrigins are the origins of pages that may use the store, such as https://app.example.com: exact matches, no
	// patterns. Requests without an Origin header, such as those of other clients than browsers, are allowed.
	AllowedOrigins []string
	// AllowedHeaders are request headers that these pages may send in addition to the headers of signed requests, such
	// as traceparent. The store does not read them.
	AllowedHeaders []string

	// MinRate and Grace bound slow clients: in each period of Grace, a transfer must move MinRate bytes for each second of
	// the period.
	MinRate int64         // bytes per second; 0: 4096
	Grace   time.Duration // 0: 30 seconds

	// The following bound concurrent transfers. A request over a bound is answered with 503 SlowDown. The bounds of a session
	// and a tenant shrink while many transfers are in progress.
	MaxTransfers        int   // concurrent transfers; each uses up to 130 KiB of memory; 0: 256
	MaxSessionTransfers int   // concurrent transfers of one session; 0: 16
	MaxSessionBytes     int64 // of one session's concurrent uploads, and so of their temporary files; 0: twice MaxObjectSize

	MaxObjectSize    int64         // bytes; 0: 1 GiB
	MaxUnsizedSize   int64         // bytes of an object uploaded without a signed size; 0 or above MaxObjectSize: MaxObjectSize
	UploadLifetime   time.Duration // of upload URLs; 0: 15 minutes
	DownloadLifetime time.Duration // of download URLs; 0: 1 minute
	Credentials      objects.Credentials

	// Admit returns an error unless there is room for an upload of this many bytes; -1: unknown size. Nil admits all.
	Admit func(ctx context.Context, bytes int64) error

	Observer Observer         // nil: none
	Logger   *slog.Logger     // nil: discards
	Now      func() time.Time // nil: time.Now
}

// Observer counts refusals.
type Observer interface {
	// ObjectRefused is called for each refused request and each interrupted transfer, with one of Reasons.
	ObjectRefused(reason string)
}

var (
	errDir        = errors.New("embedded: the option Dir is missing")
	errSize       = errors.New("embedded: the maximum object size is not positive")
	errLimits     = errors.New("embedded: a limit is negative, or MaxSessionBytes is less than MaxObjectSize")
	bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
)

func (o *Options) setDefaults() error {
	setDefault(&o.Bucket, "values")
	setDefault(&o.Region, "local")
	setDefault(&o.MaxObjectSize, 1<<30)
	setDefault(&o.MinRate, 4096)
	setDefault(&o.Grace, 30*time.Second)
	setDefault(&o.MaxTransfers, 256)
	setDefault(&o.MaxSessionTransfers, 16)
	setDefault(&o.MaxSessionBytes, 2*o.MaxObjectSize)
	setDefault(&o.UploadLifetime, 15*time.Minute)
	setDefault(&o.DownloadLifetime, time.Minute)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Dir == "" {
		return errDir
	}
	if o.MaxObjectSize < 0 || o.MaxUnsizedSize < 0 {
		return errSize
	}
	setDefault(&o.MaxUnsizedSize, o.MaxObjectSize)
	o.MaxUnsizedSize = min(o.MaxUnsizedSize, o.MaxObjectSize)
	if o.MinRate < 0 || o.Grace < 0 || o.MaxTransfers < 0 || o.MaxSessionTransfers < 0 || o.MaxSessionBytes < o.MaxObjectSize {
		return errLimits
	}
	if !bucketPattern.MatchString(o.Bucket) {
		return errors.New("embedded: the bucket's name is not valid")
	}
	for _, origin := range o.AllowedOrigins {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") ||
			origin != u.Scheme+"://"+strings.ToLower(u.Host) {
			return fmt.Errorf("embedded: %q is not an origin: write scheme, host and port only, in lower case", origin)
		}
	}
	return objects.CheckLifetimes(o.UploadLifetime, o.DownloadLifetime)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Server is the endpoint: an http.Handler for browsers and the objects.Store of the gateway.
// The http.Server that it runs in sets the timeouts and limits for reading a request's headers; after that the store sets
// the connection's deadlines.
type Server struct {
	opts        Options
	sign        *objects.Presigner
	names       *names
	disk        *disk
	transfers   *transfers
	origins     map[string]bool
	corsHeaders []string
}

var _ objects.Store = (*Server)(nil)

// New opens the directory, takes its lock and removes temporary files of interrupted uploads. It returns ErrInUse if
// another process has the lock, and other errors for options that are not valid and for the disk's faults.
func New(o Options) (*Server, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	sign, err := objects.NewPresigner(objects.PresignOptions{
		BaseURL: strings.TrimRight(o.PublicURL, "/") + "/" + o.Bucket, Region: o.Region, Credentials: o.Credentials,
	})
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts: o, sign: sign, names: newNames(), origins: make(map[string]bool, len(o.AllowedOrigins)), corsHeaders: corsHeaders(o.AllowedHeaders),
		transfers: newTransfers(transferLimits{all: o.MaxTransfers, session: o.MaxSessionTransfers, bytes: o.MaxSessionBytes}),
	}
	for _, origin := range o.AllowedOrigins {
		s.origins[origin] = true
	}
	if s.disk, err = openDisk(o.Dir, o.Bucket); err != nil {
		return nil, err
	}
	return s, nil
}

// Close releases the lock of the directory; call it after the http.Server has stopped.
func (s *Server) Close() error { return s.disk.close() }
