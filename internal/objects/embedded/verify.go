package embedded

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// The policy of this file: a request is accepted only if signing what it says makes the same
// request again, byte for byte. So there is one way to write each request: no second encoding,
// other order, doubled or extra parameter of a signed URL exists, and nothing needs a rule of
// its own to be refused.

const (
	maxURI     = 8 << 10         // bytes; a session token and a long file name stay far below
	maxAhead   = 5 * time.Minute // how far a signer's clock may be ahead
	dateLayout = "20060102T150405Z"
)

// verify returns what a request's URL says, or why it is refused. Nothing of the request is used
// before its signature holds.
func (s *Server) verify(r *http.Request) (objects.Request, *apiError) {
	var none objects.Request
	path, query, hasQuery := strings.Cut(r.RequestURI, "?")
	if !hasQuery || !strings.Contains(query, "X-Amz-Signature=") {
		return none, errAnonymous
	}
	object, ok := strings.CutPrefix(path, s.sign.BasePath()+"/")
	if !ok || len(r.RequestURI) > maxURI || r.Host != s.sign.Host() {
		return none, errSignature
	}
	said, ok := parseQuery(query, r.Method)
	if !ok {
		return none, errSignature
	}
	said.request.Object = object
	if refused := readHeaders(r, &said); refused != nil {
		return none, refused
	}
	signed, err := s.sign.Presign(said.request)
	if err != nil || !equal(signed.URL, s.sign.Origin()+r.RequestURI) || !sameHeaders(r.Header, signed.Headers) {
		return none, errSignature
	}
	now := s.opts.Now()
	switch start := said.request.Time; {
	case !now.Before(start.Add(said.request.Expires)):
		return none, errExpired
	case start.After(now.Add(maxAhead)):
		return none, errNotYet
	}
	return said.request, nil
}

// equal compares in constant time what the signature covers or is.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func sameHeaders(got http.Header, want []objects.Header) bool {
	same := true
	for _, h := range want {
		same = equal(got.Get(h.Name), h.Value) && same
	}
	return same
}

// saying is what a URL says, before anything of it is proven.
type saying struct {
	request  objects.Request
	sizeSent bool // Content-Length is among the signed headers
}

// parseQuery takes the parameters that carry information. The others, their order and their
// encoding are held to the signer's by comparison.
func parseQuery(query, method string) (saying, bool) {
	said := saying{request: objects.Request{Method: method, ContentType: objects.DefaultContentType}}
	seen := make(map[string]bool, 10)
	for part := range strings.SplitSeq(query, "&") {
		name, raw, _ := strings.Cut(part, "=")
		value, err := url.PathUnescape(raw)
		if err != nil || seen[name] {
			return said, false
		}
		seen[name] = true
		switch name {
		case "X-Amz-Date":
			if said.request.Time, err = time.Parse(dateLayout, value); err != nil {
				return said, false
			}
		case "X-Amz-Expires":
			seconds, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return said, false
			}
			said.request.Expires = time.Duration(seconds) * time.Second
		case "X-Amz-SignedHeaders":
			said.sizeSent = strings.HasPrefix(value, "content-length;")
		case "x-signer":
			said.request.Signer = value
		case "response-content-type":
			said.request.ContentType = value
		case "response-content-disposition":
			said.request.Disposition = value
		}
	}
	return said, true
}

// readHeaders takes the signed headers into what is to be signed, and refuses headers that would
// change a request's meaning without being signed.
func readHeaders(r *http.Request, said *saying) *apiError {
	for name, values := range r.Header {
		lower := strings.ToLower(name)
		signed := lower == objects.HeaderAlgorithm || lower == objects.HeaderKey || lower == objects.HeaderKeyMD5 ||
			(r.Method == http.MethodPut && (lower == "if-none-match" || lower == "content-type"))
		switch {
		case signed && len(values) != 1:
			return errSignature
		case !signed && refusedUnsigned(lower):
			return errUnsignedHeader
		}
	}
	if len(r.Trailer) > 0 {
		return errUnsignedHeader
	}
	key, err := base64.StdEncoding.Strict().DecodeString(r.Header.Get(objects.HeaderKey))
	if err != nil || len(key) != len(said.request.Key) {
		return errNoKey
	}
	copy(said.request.Key[:], key)
	switch {
	case r.Method == http.MethodPut:
		said.request.ContentType = r.Header.Get("Content-Type")
		if said.sizeSent {
			if r.ContentLength < 0 {
				return errSignature
			}
			said.request.Size, said.request.Empty = r.ContentLength, r.ContentLength == 0
		}
	case r.ContentLength != 0:
		return errSignature // a body that nobody reads
	}
	return nil
}

// refusedUnsigned reports whether a header, in lower case, would change what a request means.
func refusedUnsigned(name string) bool {
	return strings.HasPrefix(name, "x-amz-") || strings.HasPrefix(name, "if-") || name == "range" || name == "authorization"
}
