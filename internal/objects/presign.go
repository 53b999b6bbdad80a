package objects

import (
	"crypto/md5" //nolint:gosec // the SSE-C protocol wants the key's MD5 beside the key
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// The S3 headers of server-side encryption with customer-provided keys (SSE-C), in lower case because SigV4
// signs them in lower case.
const (
	HeaderAlgorithm = "x-amz-server-side-encryption-customer-algorithm"
	HeaderKey       = "x-amz-server-side-encryption-customer-key"
	HeaderKeyMD5    = "x-amz-server-side-encryption-customer-key-md5"
)

// DefaultContentType is the type of a value without a given type: browsers do not render it.
const DefaultContentType = "application/octet-stream"

// maxExpires is the longest life of a URL in SigV4.
const maxExpires = 7 * 24 * time.Hour

// Credentials sign requests. They format as "[redacted]" with every verb.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // "" for long-lived credentials
}

// Format implements fmt.Formatter.
func (Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// PresignOptions configure a Presigner.
type PresignOptions struct {
	// BaseURL is the address to which a slash and an object key are appended. It contains the
	// bucket, in its host or as the last part of its path. http or https; no query.
	BaseURL     string
	Region      string // as in the credential scope, such as "eu-central-1"
	Credentials Credentials
}

// Presigner makes presigned URLs for one bucket with one set of credentials: AWS Signature
// Version 4, query string authentication, unsigned payload. Its output is equal to that of the AWS
// SDK for Go v2, byte for byte, at a tenth of the cost, because every detokenize calls it. It caches
// the signing key of the day, so another secret needs another Presigner. Safe for concurrent use.
type Presigner struct {
	scheme, host, basePath   string
	region                   string
	creds                    Credentials
	credentialPart, tokenAnd string // pre-encoded parts of the query
	day                      atomic.Pointer[dayKey]
}

var (
	errCredentials = errors.New("objects: credentials are empty or contain control characters")
	regionPattern  = regexp.MustCompile(`^[a-zA-Z0-9-]{1,64}$`)
	basePattern    = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*$`)
)

// NewPresigner returns a Presigner, or an error if an option is not valid. Errors name the field, and never contain a
// credential.
func NewPresigner(o PresignOptions) (*Presigner, error) {
	u, err := url.Parse(o.BaseURL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("objects: the store's URL must be http or https, with a host, and without user, query and fragment")
	}
	base := strings.TrimRight(u.EscapedPath(), "/")
	if !basePattern.MatchString(base) {
		return nil, errors.New("objects: the path of the store's URL may contain letters, digits and ._~- only")
	}
	if !regionPattern.MatchString(o.Region) {
		return nil, errors.New("objects: the region is missing or not valid")
	}
	c := o.Credentials
	if c.AccessKeyID == "" || c.SecretAccessKey == "" ||
		strings.ContainsFunc(c.AccessKeyID+c.SessionToken, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return nil, errCredentials
	}
	p := &Presigner{
		scheme: u.Scheme, host: hostHeader(u), basePath: base, region: o.Region, creds: c,
		credentialPart: "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + escape(c.AccessKeyID) + "%2F",
	}
	if c.SessionToken != "" {
		p.tokenAnd = "&X-Amz-Security-Token=" + escape(c.SessionToken)
	}
	return p, nil
}

// hostHeader is the Host that browsers send for a URL: lower case, without the scheme's default port.
func hostHeader(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// Host returns the Host header that the URLs are signed for.
func (p *Presigner) Host() string { return p.host }

// Origin returns the beginning of the URLs: scheme, host and port.
func (p *Presigner) Origin() string { return p.scheme + "://" + p.host }

// BasePath returns the path before an object's key, without the slash between them.
func (p *Presigner) BasePath() string { return p.basePath }

// Request is the content of one presigned URL. Presign turns equal Requests into equal
// URLs, so that a store can check a URL by signing its content again.
type Request struct {
	Method      string // PUT, GET or HEAD
	Object      string
	Mode        Mode
	Key         CustomerKey   // in mode SSEC
	Size        int64         // PUT: Content-Length to sign; 0: not signed, unless Empty
	Empty       bool          // PUT: a Content-Length of 0 is signed
	Part        int           // PUT: number of the part of an upload in parts, 1 to 10000; 0: a whole object
	UploadID    string        // of a part: the upload's id, visible ASCII
	ContentType string        // PUT: Content-Type to sign, "" for a part; else response-content-type
	Disposition string        // GET, HEAD: response-content-disposition
	Time        time.Time     // start of the URL's life, to the second
	Expires     time.Duration // whole seconds, 1 s to 7 days
	Signer      string        // x-signer, a parameter of the embedded store: up to 64 of A-Z, a-z, 0-9, - and _; "": none
}

// Upload signs the PUT of an object. The URL expires after expires, counted from now, and no later than u.NotAfter;
// signer is Request.Signer. Errors are ErrExpired and those of Presign.
func (p *Presigner) Upload(u Upload, now time.Time, expires time.Duration, signer string) (SignedRequest, error) {
	expires, err := lifetime(now, expires, u.NotAfter)
	if err != nil {
		return SignedRequest{}, err
	}
	return p.Presign(Request{
		Method: "PUT", Object: u.Object, Mode: u.Mode, Key: u.Key, Size: u.Size, Empty: u.Empty,
		ContentType: ContentType(u.ContentType), Time: now, Expires: expires, Signer: signer,
	})
}

// Download signs the GET of an object, as Upload does, with the same errors.
func (p *Presigner) Download(d Download, now time.Time, expires time.Duration, signer string) (SignedRequest, error) {
	expires, err := lifetime(now, expires, d.NotAfter)
	if err != nil {
		return SignedRequest{}, err
	}
	return p.Presign(Request{
		Method: "GET", Object: d.Object, Mode: d.Mode, Key: d.Key, ContentType: ContentType(d.ContentType),
		Disposition: Attachment(d.Filename), Time: now, Expires: expires, Signer: signer,
	})
}

// lifetime shortens a URL's life to the time left before notAfter, in whole seconds, as URLs count.
func lifetime(now time.Time, longest time.Duration, notAfter time.Time) (time.Duration, error) {
	if notAfter.IsZero() {
		return longest, nil
	}
	left := notAfter.Sub(now.Truncate(time.Second)).Truncate(time.Second)
	if left < time.Second {
		return 0, ErrExpired
	}
	return min(longest, left), nil
}

// Presign returns the URL of a request and the headers to send. In mode SSEC the encryption headers are always signed. It
// returns an error, ErrObjectName for the key, if a field is out of its documented range.
func (p *Presigner) Presign(r Request) (SignedRequest, error) {
	if err := r.check(); err != nil {
		return SignedRequest{}, err
	}
	r.Time = r.Time.UTC().Truncate(time.Second)
	s := scratchPool.Get().(*scratch)
	defer s.release()
	headers := make([]Header, 0, 5)
	if r.creates() {
		headers = append(headers, Header{"content-type", r.ContentType}, Header{"if-none-match", "*"})
	}
	var key, sum string
	if r.Mode == SSEC {
		key, sum = encodeKey(&r.Key)
		headers = append(headers, Header{HeaderAlgorithm, "AES256"}, Header{HeaderKey, key}, Header{HeaderKeyMD5, sum})
	}
	return SignedRequest{
		Method: r.Method, URL: p.sign(s, &r, key, sum), Headers: headers,
		ExpiresAt: r.Time.Add(r.Expires),
	}, nil
}

// creates reports whether the request creates an object.
func (r *Request) creates() bool { return r.Method == "PUT" && r.Part == 0 }

// sized reports whether a Content-Length is signed.
func (r *Request) sized() bool { return r.Size > 0 || r.Empty }

func (r *Request) check() error {
	switch {
	case !ValidObject(r.Object):
		return ErrObjectName
	case r.Mode > Client || r.Mode == Client && r.Key != CustomerKey{}:
		return errors.New("objects: the mode is unknown, or the client encrypts and a key is given")
	case r.Method != "PUT" && r.Method != "GET" && r.Method != "HEAD":
		return errors.New("objects: the method to sign must be PUT, GET or HEAD")
	case r.Size < 0 || (r.Size > 0 && r.Empty) || (r.sized() && r.Method != "PUT"):
		return errors.New("objects: the size must not be negative, and is for uploads only")
	case r.Method == "PUT" && r.Disposition != "":
		return errors.New("objects: a disposition is for downloads only")
	case r.Expires < time.Second || r.Expires > maxExpires || r.Expires%time.Second != 0:
		return errors.New("objects: the life of a signed URL must be whole seconds, from one second to seven days")
	case r.Part == 0 && r.ContentType != ContentType(r.ContentType) || !printable(r.Disposition):
		return errors.New("objects: the content type or disposition is not valid as a header's value")
	case !validSigner(r.Signer):
		return errors.New("objects: the signer's name is not valid")
	}
	return r.checkPart()
}

// validSigner reports whether s needs no encoding in a URL.
func validSigner(s string) bool {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	return len(s) <= 64 && strings.Trim(s, plain) == ""
}

// encodeKey returns the values of the key and key-MD5 headers, both in base64, with one allocation.
func encodeKey(k *CustomerKey) (key, sum string) {
	const keyLen, sumLen = 44, 24
	var b [keyLen + sumLen]byte
	digest := md5.Sum(k[:]) //nolint:gosec // see the import
	base64.StdEncoding.Encode(b[:keyLen], k[:])
	base64.StdEncoding.Encode(b[keyLen:], digest[:])
	both := string(b[:])
	return both[:keyLen], both[keyLen:]
}

// KeyMD5 returns the value of the key-MD5 header, which stores echo.
func KeyMD5(k CustomerKey) string {
	_, sum := encodeKey(&k)
	return sum
}
