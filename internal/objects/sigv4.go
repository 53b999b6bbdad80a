package objects

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
	"sync"
	"time"
)

// This file assembles the canonical request of AWS Signature Version 4 ("Task 1" to "Task 3" of
// query string authentication) in pooled buffers: one pass, no sorting, because the parameters and
// headers are known and are written in sorted order.

// headerList is a value of X-Amz-SignedHeaders, plain and percent-encoded.
type headerList struct{ plain, escaped string }

func newHeaderList(names string) headerList { return headerList{names, escape(names)} }

// The lists for downloads, uploads, uploads with a signed size, and parts, for each Mode.
var (
	signedGet = [...]headerList{SSEC: newHeaderList("host;" + encryptionHeaders), Client: newHeaderList("host")}
	signedPut = [...]headerList{SSEC: newHeaderList(uploadHeaders + ";" + encryptionHeaders), Client: newHeaderList(uploadHeaders)}
	sizedPut  = [...]headerList{
		SSEC:   newHeaderList("content-length;" + uploadHeaders + ";" + encryptionHeaders),
		Client: newHeaderList("content-length;" + uploadHeaders),
	}
	signedPart = [...]headerList{SSEC: newHeaderList("content-length;host;" + encryptionHeaders), Client: newHeaderList("content-length;host")}
)

const (
	uploadHeaders     = "content-type;host;if-none-match"
	encryptionHeaders = HeaderAlgorithm + ";" + HeaderKey + ";" + HeaderKeyMD5
)

// signedHeaders returns the request's X-Amz-SignedHeaders.
func (r *Request) signedHeaders() *headerList {
	switch {
	case r.Method != "PUT":
		return &signedGet[r.Mode]
	case r.Part > 0:
		return &signedPart[r.Mode]
	case r.sized():
		return &sizedPut[r.Mode]
	default:
		return &signedPut[r.Mode]
	}
}

// SignedMode returns the Mode of a request by its X-Amz-SignedHeaders.
func SignedMode(signedHeaders string) Mode {
	if strings.HasSuffix(signedHeaders, ";"+encryptionHeaders) {
		return SSEC
	}
	return Client
}

// scratch holds the text of one request while it is signed.
type scratch struct{ url, text []byte }

var scratchPool = sync.Pool{New: func() any {
	return &scratch{url: make([]byte, 0, 2048), text: make([]byte, 0, 4096)}
}}

// release wipes the buffers, which contain a customer's key, and returns them to the pool.
func (s *scratch) release() {
	clear(s.text[:cap(s.text)])
	s.url, s.text = s.url[:0], s.text[:0]
	scratchPool.Put(s)
}

// sign returns the whole URL; key and sum are the values of the SSE-C headers in mode SSEC.
func (p *Presigner) sign(s *scratch, r *Request, key, sum string) string {
	var stamp [16]byte
	date := r.Time.AppendFormat(stamp[:0], "20060102T150405Z")
	day := p.dayKey(date[:8])

	u := append(s.url, p.scheme...)
	u = append(u, "://"...)
	u = append(u, p.host...)
	pathStart := len(u)
	u = append(u, p.basePath...)
	u = append(u, '/')
	u = append(u, r.Object...)
	pathEnd := len(u)
	u = append(u, '?')
	u = p.appendQuery(u, r, day, date)

	c := append(s.text, r.Method...)
	c = append(c, '\n')
	c = append(c, u[pathStart:pathEnd]...)
	c = append(c, '\n')
	c = append(c, u[pathEnd+1:]...)
	c = append(c, '\n')
	c = p.appendHeaders(c, r, key, sum)
	digest := sha256.Sum256(c)
	s.text = c // for release to wipe, even if it was reallocated

	t := append(c[len(c):], "AWS4-HMAC-SHA256\n"...)
	t = append(t, date...)
	t = append(t, '\n')
	t = append(t, day.scope...)
	t = append(t, '\n')
	t = hex.AppendEncode(t, digest[:])
	u = append(u, "&X-Amz-Signature="...)
	u = day.appendSignature(u, t)
	s.url = u
	return string(u)
}

// appendQuery writes the canonical query string, without the signature.
func (p *Presigner) appendQuery(u []byte, r *Request, day *dayKey, date []byte) []byte {
	u = append(u, p.credentialPart...)
	u = append(u, day.scopeEscaped...)
	u = append(u, "&X-Amz-Date="...)
	u = append(u, date...)
	u = append(u, "&X-Amz-Expires="...)
	u = strconv.AppendInt(u, int64(r.Expires/time.Second), 10)
	u = append(u, p.tokenAnd...)
	u = append(u, "&X-Amz-SignedHeaders="...)
	u = append(u, r.signedHeaders().escaped...)
	u = appendOperation(u, r)
	if r.Signer != "" { // sorts last
		u = append(u, "&x-signer="...)
		u = append(u, r.Signer...)
	}
	return u
}

// appendOperation writes the parameters of the S3 operation.
func appendOperation(u []byte, r *Request) []byte {
	if r.Part > 0 {
		u = append(u, "&partNumber="...)
		u = strconv.AppendInt(u, int64(r.Part), 10)
		u = append(u, "&uploadId="...)
		u = appendEscaped(u, r.UploadID)
		return append(u, "&x-id=UploadPart"...)
	}
	if r.Method == "PUT" {
		return append(u, "&x-id=PutObject"...)
	}
	if r.Disposition != "" {
		u = append(u, "&response-content-disposition="...)
		u = appendEscaped(u, r.Disposition)
	}
	u = append(u, "&response-content-type="...)
	u = appendEscaped(u, r.ContentType)
	if r.Method == "HEAD" {
		return u // the SDK adds no x-id for HEAD
	}
	return append(u, "&x-id=GetObject"...)
}

// appendHeaders writes the canonical headers, their names and the payload's place-holder.
func (p *Presigner) appendHeaders(c []byte, r *Request, key, sum string) []byte {
	if r.sized() {
		c = append(c, "content-length:"...)
		c = strconv.AppendInt(c, r.Size, 10)
		c = append(c, '\n')
	}
	if r.creates() {
		c = append(c, "content-type:"...)
		c = append(c, r.ContentType...)
		c = append(c, '\n')
	}
	c = append(c, "host:"...)
	c = append(c, p.host...)
	if r.creates() {
		c = append(c, "\nif-none-match:*"...)
	}
	if r.Mode == SSEC {
		c = append(c, "\n"+HeaderAlgorithm+":AES256\n"+HeaderKey+":"...)
		c = append(c, key...)
		c = append(c, "\n"+HeaderKeyMD5+":"...)
		c = append(c, sum...)
	}
	c = append(c, "\n\n"...)
	c = append(c, r.signedHeaders().plain...)
	return append(c, "\nUNSIGNED-PAYLOAD"...)
}

// dayKey is the signing key of one UTC day, derived once by four HMACs and shared by all URLs of
// the day.
type dayKey struct {
	day                 string // YYYYMMDD
	scope, scopeEscaped string // DAY/REGION/s3/aws4_request
	macs                sync.Pool
}

func (p *Presigner) dayKey(day []byte) *dayKey {
	if k := p.day.Load(); k != nil && k.day == string(day) {
		return k
	}
	name := string(day)
	scope := name + "/" + p.region + "/s3/aws4_request"
	key := []byte("AWS4" + p.creds.SecretAccessKey)
	for _, part := range []string{name, p.region, "s3", "aws4_request"} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	k := &dayKey{day: name, scope: scope, scopeEscaped: escape(scope)}
	k.macs.New = func() any { return hmac.New(sha256.New, key) }
	p.day.Store(k)
	return k
}

// appendSignature appends the hexadecimal HMAC of a string to sign.
func (k *dayKey) appendSignature(dst, text []byte) []byte {
	mac := k.macs.Get().(hash.Hash)
	mac.Reset()
	mac.Write(text)
	var sum [sha256.Size]byte
	dst = hex.AppendEncode(dst, mac.Sum(sum[:0]))
	k.macs.Put(mac)
	return dst
}

// escape is appendEscaped for strings that are encoded once.
func escape(s string) string { return string(appendEscaped(nil, s)) }

// appendEscaped percent-encodes as SigV4 does: everything but letters, digits and "-._~".
func appendEscaped(dst []byte, s string) []byte {
	const upper = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			c == '-' || c == '.' || c == '_' || c == '~' {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', upper[c>>4], upper[c&15])
	}
	return dst
}
