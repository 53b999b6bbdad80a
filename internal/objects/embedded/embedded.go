// Package embedded is an S3 endpoint in the gateway's own process, for one machine without an
// object store. Browsers talk to it with the very requests that they send to a production store:
// presigned PUT, GET and HEAD with SSE-C, and CORS preflights. Nothing else is answered; deleting
// is a call in the process.
//
// Values are on disk under a key derived from the customer's key only (see format.go). Who has
// the disk and the signing secret, but not that key, reads nothing.
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
	Dir       string // made with mode 0700 where missing; one process at a time
	PublicURL string // where browsers reach the handler, such as http://127.0.0.1:8081; not the gateway's origin
	Bucket    string // "": "values"
	Region    string // "": "local"

	// AllowedOrigins are the pages that may talk to the store, such as https://app.example.com:
	// exact matches, no patterns. Requests that browsers did not make carry no origin, and pass.
	AllowedOrigins []string
	// AllowedHeaders are request headers that those pages may send besides the ones of signed requests, such as
	// traceparent. The store does not read them.
	AllowedHeaders []string

	// MinRate and Grace bound slow clients: in each Grace, MinRate bytes for each of its seconds must move on a connection
	// that transfers something.
	MinRate int64         // bytes per second; 0: 4096
	Grace   time.Duration // 0: 30 seconds

	// The rest bounds greedy ones. A request over a bound is answered with 503 SlowDown. What a session and a tenant may have
	// under way is less while much is in use.
	MaxTransfers        int   // requests under way; each holds up to 130 KiB of memory; 0: 256
	MaxSessionTransfers int   // of one session; 0: 16
	MaxSessionBytes     int64 // of one session's uploads under way, and so in temporary files; 0: twice MaxObjectSize

	MaxObjectSize    int64         // bytes; 0: 1 GiB
	MaxUnsizedSize   int64         // bytes of an object whose upload has no signed size; 0, or more: MaxObjectSize
	UploadLifetime   time.Duration // of upload URLs; 0: 15 minutes
	DownloadLifetime time.Duration // of download URLs; 0: 1 minute
	Credentials      objects.Credentials

	// Admit returns an error unless there is room for an upload of so many bytes; -1: not known. Nil admits all.
	Admit func(ctx context.Context, bytes int64) error

	Observer Observer         // nil: nobody
	Logger   *slog.Logger     // nil: discards
	Now      func() time.Time // nil: time.Now
}

// Observer counts.
type Observer interface {
	// ObjectRefused is told of each request that is refused, and each transfer that is cut, for one of Reasons.
	ObjectRefused(reason string)
}

var (
	errDir        = errors.New("embedded: the directory is missing")
	errSize       = errors.New("embedded: the maximal object size is not positive")
	errLimits     = errors.New("embedded: a limit is negative, or a session's bytes are fewer than one object may have")
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
			return fmt.Errorf("embedded: %q is no origin: scheme, host and port only, in lower case", origin)
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
// Timeouts until a request's headers are read, and limits of these, are those of the http.Server around it; from then
// on the store sets the connection's deadlines.
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

// New opens the directory, takes its lock and removes what broken uploads left.
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

// Close gives the directory back; call it after the http.Server has stopped.
func (s *Server) Close() error { return s.disk.close() }
