package embedded

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// bothWays signs a download of an existing object and an upload of a new one.
func bothWays(t testing.TB, s *Server) []raw {
	t.Helper()
	key := objects.CustomerKey{1, 2, 3}
	s.mustPut(t, "there/1", key, []byte("a secret value"))
	down, err := s.SignDownload(objects.Download{Object: "there/1", Key: key, ContentType: "text/plain", Filename: "Zoë.txt"})
	require.NoError(t, err)
	up, err := s.SignUpload(objects.Upload{Object: "new/1", Key: key, Size: 5})
	require.NoError(t, err)
	return []raw{wire(down, nil), wire(up, []byte("value"))}
}

// requireForbidden checks that a request is refused because of its signature: 404, 412 and 500 would
// mean that the signature was accepted.
func requireForbidden(t testing.TB, s *Server, r raw, why ...any) {
	t.Helper()
	w := s.send(r)
	if w.Code != http.StatusForbidden && w.Code != http.StatusBadRequest {
		require.Fail(t, fmt.Sprintf("%d for %s %s", w.Code, r.method, r.uri), why...)
	}
	require.NotContains(t, w.Body.String(), "a secret value", why...)
}

// TestAnyChangeOfAURLIsRefused replaces each character of the host, path and query with every printable
// character, deletes it, and doubles it; each changed request is refused.
func TestAnyChangeOfAURLIsRefused(t *testing.T) {
	s := newServer(t, nil)
	tried := 0
	for _, r := range bothWays(t, s) {
		whole := r.host + r.uri
		at := func(changed string) {
			tried++
			altered := r
			host, uri, _ := strings.Cut(changed, "/")
			altered.host, altered.uri = host, "/"+uri
			requireForbidden(t, s, altered, changed)
		}
		for i := range len(whole) {
			at(whole[:i] + whole[i+1:])
			at(whole[:i+1] + whole[i:])
			for c := byte('!'); c <= '~'; c++ {
				if c != whole[i] {
					at(whole[:i] + string(c) + whole[i+1:])
				}
			}
		}
	}
	require.Greater(t, tried, 50_000)
	for _, r := range bothWays(t, newServer(t, nil)) {
		r.host = "STORE.example.test:8081"
		requireForbidden(t, s, r)
	}
	bothWaysStillWork(t)
}

func bothWaysStillWork(t *testing.T) {
	s := newServer(t, nil)
	for _, r := range bothWays(t, s) {
		require.Equal(t, http.StatusOK, s.send(r).Code)
	}
}

func TestDuplicateExtraAndReorderedParameters(t *testing.T) {
	s := newServer(t, nil)
	for _, r := range bothWays(t, s) {
		path, query, _ := strings.Cut(r.uri, "?")
		parts := strings.Split(query, "&")
		variants := []string{query + "&", "&" + query, query + "&x=y", query + "&x", "x-id=GetObject&" + query,
			query + "&versionId=1", query + "&acl", query + "&partNumber=1", query + ";a=b"}
		for i, p := range parts {
			variants = append(variants, query+"&"+p, p+"&"+query)
			name, _, _ := strings.Cut(p, "=")
			variants = append(variants, query+"&"+name+"=", strings.Replace(query, name, strings.ToLower(name), 1)+" ")
			if i > 0 {
				swapped := append([]string{}, parts...)
				swapped[i], swapped[i-1] = swapped[i-1], swapped[i]
				variants = append(variants, strings.Join(swapped, "&"))
			}
		}
		for _, v := range variants {
			altered := r
			altered.uri = path + "?" + v
			requireForbidden(t, s, altered, v)
		}
	}
}

func TestUnsignedHeaders(t *testing.T) {
	s := newServer(t, nil)
	for _, r := range bothWays(t, s) {
		for _, name := range []string{"x-amz-acl", "X-Amz-Meta-A", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token",
			"x-amz-copy-source", "x-amz-server-side-encryption", "x-amz-checksum-crc32", "x-amz-tagging", "If-Match", "If-Modified-Since",
			"If-Unmodified-Since", "If-Range", "Range", "Authorization"} {
			altered := r
			altered.headers = append([]objects.Header{{Name: name, Value: "bytes=0-1"}}, r.headers...)
			requireForbidden(t, s, altered, name)
		}
		for _, h := range r.headers {
			altered := r
			altered.headers = append([]objects.Header{h}, r.headers...)
			requireForbidden(t, s, altered, "twice "+h.Name)
		}
	}
	down := bothWays(t, newServer(t, nil))[0]
	down.headers = append(down.headers, objects.Header{Name: "If-None-Match", Value: "*"})
	requireForbidden(t, s, down, "If-None-Match on a read")
	down = bothWays(t, newServer(t, nil))[0]
	down.body, down.size = strings.NewReader("x"), 1
	requireForbidden(t, s, down, "a body on a read")
}

// TestRequestsOfTheSDK signs requests with the SDK, which shares no code with the verifier. Requests that the
// gateway would sign are accepted; others are refused even with a valid signature.
func TestRequestsOfTheSDK(t *testing.T) {
	s := newServer(t, nil)
	key := objects.CustomerKey{1, 2, 3}
	s.mustPut(t, "there/1", key, []byte("value"))
	sign := func(method, uri string, headers ...objects.Header) raw {
		req, err := http.NewRequest(method, "http://store.example.test:8081"+uri, nil)
		require.NoError(t, err)
		for _, h := range headers {
			req.Header.Set(h.Name, h.Value)
		}
		c := s.opts.Credentials
		signed, _, err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).PresignHTTP(context.Background(),
			aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey}, req, "UNSIGNED-PAYLOAD", "s3", "local", time.Now())
		require.NoError(t, err)
		return wire(objects.SignedRequest{Method: method, URL: signed, Headers: headers}, nil)
	}
	down, err := s.SignDownload(objects.Download{Object: "there/1", Key: key})
	require.NoError(t, err)
	const query = "?X-Amz-Expires=60&response-content-disposition=attachment&response-content-type=application%2Foctet-stream&x-id=GetObject"
	require.Equal(t, http.StatusOK, s.send(sign("GET", "/values/there/1"+query, down.Headers...)).Code)

	for why, r := range map[string]raw{
		"no key signed":     sign("GET", "/values/there/1"+query),
		"no forced type":    sign("GET", "/values/there/1?X-Amz-Expires=60&x-id=GetObject", down.Headers...),
		"lives too long":    sign("GET", "/values/there/1"+strings.Replace(query, "60", "604801", 1), down.Headers...),
		"the bucket itself": sign("GET", "/values/"+query, down.Headers...),
		"another bucket":    sign("GET", "/other/there/1"+query, down.Headers...),
		"path traversal":    sign("GET", "/values/../values/there/1"+query, down.Headers...),
		"dots":              sign("GET", "/values/there/../there/1"+query, down.Headers...),
		"escaped dots":      sign("GET", "/values/there/%2e%2e/there/1"+query, down.Headers...),
		"escaped letter":    sign("GET", "/values/there%2F1"+query, down.Headers...),
		"double slash":      sign("GET", "/values//there/1"+query, down.Headers...),
		"signed range":      sign("GET", "/values/there/1"+query, append(down.Headers, objects.Header{Name: "Range", Value: "bytes=0-1"})...),
		"overwriting PUT":   sign("PUT", "/values/there/1?X-Amz-Expires=60&x-id=PutObject", down.Headers...),
		"plain PUT":         sign("PUT", "/values/new/2?X-Amz-Expires=60&x-id=PutObject"),
	} {
		t.Run(why, func(t *testing.T) {
			requireForbidden(t, s, r, why)
		})
	}
}

func TestExpiryAndClock(t *testing.T) {
	c := &clock{time.Date(2026, 5, 6, 23, 59, 30, 0, time.UTC)}
	s := newServer(t, func(o *Options) { o.Now = c.Now; o.DownloadLifetime = time.Minute })
	down := bothWays(t, s)[0]
	start := c.now
	for offset, want := range map[time.Duration]int{
		0: 200, 59 * time.Second: 200, 59*time.Second + 999*time.Millisecond: 200, time.Minute: 403, time.Hour: 403,
		-maxAhead: 200, -maxAhead - time.Second: 403, 24 * time.Hour: 403,
	} {
		c.now = start.Add(offset)
		require.Equal(t, want, s.send(down).Code, offset)
	}
	c.now = start.Add(time.Minute)
	requireError(t, s.send(down), errExpired)
	c.now = start.Add(-time.Hour)
	requireError(t, s.send(down), errNotYet)
}

func TestMethodsAndCodes(t *testing.T) {
	s := newServer(t, nil)
	for _, r := range bothWays(t, s) {
		for _, method := range []string{"POST", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "COPY"} {
			altered := r
			altered.method = method
			require.Equal(t, http.StatusMethodNotAllowed, s.send(altered).Code, method)
		}
		for _, method := range []string{"GET", "HEAD", "PUT"} {
			altered := r
			if altered.method = method; method != r.method {
				w := s.send(altered)
				require.Equal(t, http.StatusForbidden, w.Code, method)
				require.Equal(t, method == "HEAD", w.Body.Len() == 0)
			}
		}
		bare := r
		bare.uri, _, _ = strings.Cut(r.uri, "?")
		requireError(t, s.send(bare), errAnonymous)
		bare = r
		bare.headers = nil
		requireError(t, s.send(bare), errNoKey)
	}
	for _, path := range []string{"/", "/values", "/values/", "/healthz", "*"} {
		requireError(t, s.send(raw{method: "GET", uri: path, host: "store.example.test:8081"}), errAnonymous, path)
	}
	key := objects.CustomerKey{1, 2, 3}
	requireError(t, s.read(t, "not/there", key), errNoSuchKey)
	requireError(t, s.read(t, "there/1", objects.CustomerKey{9}), errWrongKey)
	head, err := s.sign.Presign(objects.Request{Method: "HEAD", Object: "there/1", Key: key, ContentType: "text/plain", Time: time.Now(), Expires: time.Minute})
	require.NoError(t, err)
	w := s.send(wire(head, nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "14", w.Header().Get("Content-Length"))
	require.Zero(t, w.Body.Len())
}

func TestResponsesAreInert(t *testing.T) {
	s := newServer(t, nil)
	for _, w := range []http.Header{
		s.read(t, "not/there", objects.CustomerKey{}).Header(), s.send(bothWays(t, s)[0]).Header(),
		s.send(raw{method: "GET", uri: "/<script>", host: "x"}).Header(),
	} {
		require.Equal(t, "nosniff", w.Get("X-Content-Type-Options"))
		require.Equal(t, "default-src 'none'; sandbox", w.Get("Content-Security-Policy"))
		require.Equal(t, "no-store", w.Get("Cache-Control"))
		require.Equal(t, "Origin", w.Get("Vary"))
	}
	require.NotContains(t, s.send(raw{method: "GET", uri: "/script-text", host: "x"}).Body.String(), "script-text")
}
