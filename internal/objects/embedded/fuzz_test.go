package embedded

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// FuzzVerify checks that only signed requests are accepted: any difference in the request line, host
// or headers is refused, and nothing panics.
func FuzzVerify(f *testing.F) {
	c := &clock{time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)}
	o := testOptions(f.TempDir())
	o.Now = c.Now
	s, err := New(o)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	key := objects.CustomerKey{1, 2, 3}
	down, _ := s.SignDownload(objects.Download{Object: "a/1", Key: key, Filename: "é.txt"})
	up, _ := s.SignUpload(objects.Upload{Object: "a/2", Key: key, Size: 5, ContentType: "text/plain"})
	unsized, _ := s.SignUpload(objects.Upload{Object: "a/3", Key: key})
	part, _ := s.SignPart(objects.PartUpload{Multipart: objects.Multipart{Object: "a/4", ID: strings.Repeat("0", 32), Key: key}, Number: 7, Size: 5})
	signed := map[string]objects.SignedRequest{}
	for _, r := range []objects.SignedRequest{down, up, unsized, part} {
		in := wire(r, nil)
		signed[in.method+" "+in.uri] = r
		var headers strings.Builder
		for _, h := range in.headers {
			headers.WriteString(h.Name + ": " + h.Value + "\r\n")
		}
		f.Add(in.method, in.uri, in.host, headers.String(), int64(5))
		f.Add(in.method, in.uri, in.host, headers.String()+"range: bytes=0-1\r\n", int64(0))
	}
	f.Fuzz(func(t *testing.T, method, uri, host, headers string, size int64) {
		in := raw{method: method, uri: uri, host: host, size: size}
		for line := range strings.SplitSeq(headers, "\r\n") {
			if name, value, ok := strings.Cut(line, ":"); ok {
				in.headers = append(in.headers, objects.Header{Name: name, Value: value})
			}
		}
		req, err := in.parse()
		if err != nil {
			return
		}
		got, refused := s.verify(req)
		if refused != nil {
			require.NotEmpty(t, refused.code)
			return
		}
		want, ok := signed[req.Method+" "+req.RequestURI]
		require.True(t, ok, "an unsigned request was accepted")
		require.Equal(t, "store.example.test:8081", req.Host)
		require.Equal(t, key, got.Key)
		for _, h := range want.Headers {
			require.Equal(t, []string{h.Value}, req.Header.Values(h.Name))
		}
	})
}
