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

// The policy of this file: a request is accepted only if signing its content makes the same request
// again, byte for byte. So each request has one accepted form: another encoding or order, and doubled
// or extra parameters are refused without rules of their own.

const (
	maxURI     = 8 << 10         // bytes; a URL with a session token and a long file name is much shorter
	maxAhead   = 5 * time.Minute // how far a signer's clock may be ahead
	dateLayout = "20060102T150405Z"
)

// verify returns the content of a signed request, or why it is refused. Nothing of the request is used
// before its signature is verified.
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
	claimed, ok := parseQuery(query, r.Method)
	if !ok {
		return none, errSignature
	}
	claimed.request.Object = object
	if refused := readHeaders(r, &claimed); refused != nil {
		return none, refused
	}
	signed, err := s.sign.Presign(claimed.request)
	if err != nil || !equal(signed.URL, s.sign.Origin()+r.RequestURI) || !sameHeaders(r.Header, signed.Headers) {
		return none, errSignature
	}
	now := s.opts.Now()
	switch start := claimed.request.Time; {
	case !now.Before(start.Add(claimed.request.Expires)):
		return none, errExpired
	case start.After(now.Add(maxAhead)):
		return none, errNotYet
	}
	return claimed.request, nil
}

// equal compares in constant time, because the strings contain the signature or what it covers.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func sameHeaders(got http.Header, want []objects.Header) bool {
	same := true
	for _, h := range want {
		same = equal(got.Get(h.Name), h.Value) && same
	}
	return same
}

// unverified is the content of a request whose signature is not verified yet.
type unverified struct {
	request  objects.Request
	sizeSent bool // Content-Length is among the signed headers
}

// parseQuery reads the parameters that differ between requests. The others, the order and the encoding
// are checked later, by the comparison with the signed URL.
func parseQuery(query, method string) (unverified, bool) {
	claimed := unverified{request: objects.Request{Method: method, ContentType: objects.DefaultContentType}}
	seen := make(map[string]bool, 10)
	for part := range strings.SplitSeq(query, "&") {
		name, raw, _ := strings.Cut(part, "=")
		value, err := url.PathUnescape(raw)
		if err != nil || seen[name] {
			return claimed, false
		}
		seen[name] = true
		switch name {
		case "X-Amz-Date":
			if claimed.request.Time, err = time.Parse(dateLayout, value); err != nil {
				return claimed, false
			}
		case "X-Amz-Expires":
			seconds, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return claimed, false
			}
			claimed.request.Expires = time.Duration(seconds) * time.Second
		case "X-Amz-SignedHeaders":
			claimed.sizeSent = strings.HasPrefix(value, "content-length;")
			claimed.request.Mode = objects.SignedMode(value)
		case "partNumber":
			if claimed.request.Part, err = strconv.Atoi(value); err != nil {
				return claimed, false
			}
			claimed.request.ContentType = ""
		case "uploadId":
			claimed.request.UploadID = value
		case "x-signer":
			claimed.request.Signer = value
		case "response-content-type":
			claimed.request.ContentType = value
		case "response-content-disposition":
			claimed.request.Disposition = value
		}
	}
	return claimed, true
}

// readHeaders copies the signed headers into claimed, and refuses unsigned headers that would change a
// request's meaning.
func readHeaders(r *http.Request, claimed *unverified) *apiError {
	for name, values := range r.Header {
		lower := strings.ToLower(name)
		signed := claimed.request.Mode == objects.SSEC && encryptionHeader(lower) ||
			(r.Method == http.MethodPut && claimed.request.Part == 0 && (lower == "if-none-match" || lower == "content-type"))
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
	if claimed.request.Mode == objects.SSEC {
		key, err := base64.StdEncoding.Strict().DecodeString(r.Header.Get(objects.HeaderKey))
		if err != nil || len(key) != len(claimed.request.Key) {
			return errNoKey
		}
		copy(claimed.request.Key[:], key)
	}
	switch {
	case r.Method == http.MethodPut:
		if claimed.request.Part == 0 {
			claimed.request.ContentType = r.Header.Get("Content-Type")
		}
		if claimed.sizeSent {
			if r.ContentLength < 0 {
				return errSignature
			}
			claimed.request.Size, claimed.request.Empty = r.ContentLength, r.ContentLength == 0
		}
	case r.ContentLength != 0:
		return errSignature // a GET or HEAD has no body
	}
	return nil
}

func encryptionHeader(name string) bool {
	return name == objects.HeaderAlgorithm || name == objects.HeaderKey || name == objects.HeaderKeyMD5
}

// refusedUnsigned reports whether a header, in lower case, would change a request's meaning.
func refusedUnsigned(name string) bool {
	return strings.HasPrefix(name, "x-amz-") || strings.HasPrefix(name, "if-") || name == "range" || name == "authorization"
}
