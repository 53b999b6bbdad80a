package objects

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func testPresigner(t *testing.T, secret string) *Presigner {
	t.Helper()
	p, err := NewPresigner(PresignOptions{BaseURL: "https://Store.Example.test:443/values/", Region: "us-east-1",
		Credentials: Credentials{AccessKeyID: "access", SecretAccessKey: secret}})
	require.NoError(t, err)
	return p
}

var noon = time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)

func TestPresignerNormalisesHostAsBrowsersDo(t *testing.T) {
	p := testPresigner(t, "secret")
	require.Equal(t, "store.example.test", p.Host())
	require.Equal(t, "/values", p.BasePath())
	r, err := p.Download(Download{Object: "a"}, noon.Add(time.Millisecond), time.Minute, "")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(r.URL, "https://store.example.test/values/a?"))
	require.Equal(t, noon.Add(time.Minute), r.ExpiresAt)
}

func TestPresignerRefusesBadOptions(t *testing.T) {
	good := PresignOptions{BaseURL: "https://h/b", Region: "r", Credentials: Credentials{AccessKeyID: "a", SecretAccessKey: "hush-hush"}}
	_, err := NewPresigner(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*PresignOptions){
		"no URL":         func(o *PresignOptions) { o.BaseURL = "" },
		"ftp":            func(o *PresignOptions) { o.BaseURL = "ftp://h/b" },
		"user":           func(o *PresignOptions) { o.BaseURL = "https://u:p@h/b" },
		"query":          func(o *PresignOptions) { o.BaseURL = "https://h/b?x=y" },
		"fragment":       func(o *PresignOptions) { o.BaseURL = "https://h/b#x" },
		"escaped path":   func(o *PresignOptions) { o.BaseURL = "https://h/b%20c" },
		"double slash":   func(o *PresignOptions) { o.BaseURL = "https://h/b//c" },
		"no region":      func(o *PresignOptions) { o.Region = "" },
		"slash region":   func(o *PresignOptions) { o.Region = "a/b" },
		"no access key":  func(o *PresignOptions) { o.Credentials.AccessKeyID = "" },
		"no secret":      func(o *PresignOptions) { o.Credentials.SecretAccessKey = "" },
		"newline in key": func(o *PresignOptions) { o.Credentials.AccessKeyID = "a\nb" },
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			change(&bad)
			_, err := NewPresigner(bad)
			require.Error(t, err, name)
			require.NotContains(t, err.Error(), "hush", name)
		})
	}
}

func TestPresignRefusesBadRequests(t *testing.T) {
	p := testPresigner(t, "secret")
	good := Request{Method: "GET", Object: "a/b-1", ContentType: "text/plain", Time: noon, Expires: time.Minute}
	_, err := p.Presign(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*Request){
		"method":          func(r *Request) { r.Method = "DELETE" },
		"method lower":    func(r *Request) { r.Method = "get" },
		"size on GET":     func(r *Request) { r.Size = 1 },
		"negative":        func(r *Request) { r.Method, r.Size = "PUT", -1 },
		"disposition":     func(r *Request) { r.Method, r.Disposition = "PUT", "attachment" },
		"no type":         func(r *Request) { r.ContentType = "" },
		"type injects":    func(r *Request) { r.ContentType = "a/b\r\nX-Y: z" },
		"name injects":    func(r *Request) { r.Disposition = "attachment\r\nX-Y: z" },
		"zero life":       func(r *Request) { r.Expires = 0 },
		"long life":       func(r *Request) { r.Expires = 7*24*time.Hour + time.Second },
		"part of seconds": func(r *Request) { r.Expires = 1500 * time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			change(&bad)
			_, err := p.Presign(bad)
			require.Error(t, err, name)
		})
	}
	for _, object := range []string{"", "/a", "a/", "a//b", "../a", "a.b", "A", "a b", "a?b", "a#b", "a%2fb", "a\x00", "é", strings.Repeat("a", 513)} {
		_, err := p.Upload(Upload{Object: object}, noon, time.Minute, "")
		require.ErrorIs(t, err, ErrObjectName, "%q", object)
	}
}

func TestPresignEverySecretAndDaySignsDifferently(t *testing.T) {
	d := Download{Object: "a"}
	one, err := testPresigner(t, "one").Download(d, noon, time.Minute, "")
	require.NoError(t, err)
	two, err := testPresigner(t, "two").Download(d, noon, time.Minute, "")
	require.NoError(t, err)
	require.NotEqual(t, one.URL, two.URL)
	p := testPresigner(t, "one")
	_, err = p.Download(d, noon.Add(24*time.Hour), time.Minute, "")
	require.NoError(t, err)
	again, err := p.Download(d, noon, time.Minute, "")
	require.NoError(t, err)
	require.Equal(t, one, again, "the key of another day must not be used")
}

func TestPresignConcurrently(t *testing.T) {
	p := testPresigner(t, "secret")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			object := fmt.Sprintf("object-%d", i)
			want, _ := testPresigner(t, "secret").Upload(Upload{Object: object, Key: CustomerKey{byte(i)}}, noon, time.Minute, "")
			for j := range 500 {
				at := noon.Add(time.Duration(j%2) * 24 * time.Hour)
				got, err := p.Upload(Upload{Object: object, Key: CustomerKey{byte(i)}}, at, time.Minute, "")
				if err != nil || (j%2 == 0 && got.URL != want.URL) {
					t.Errorf("object %d differs under concurrency: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestSecretsDoNotPrint(t *testing.T) {
	key := CustomerKey{1, 2, 3, 0xab}
	creds := Credentials{AccessKeyID: "access", SecretAccessKey: "hush-hush", SessionToken: "hush-token"}
	r, err := testPresigner(t, "hush-hush").Upload(Upload{Object: "a", Key: key}, noon, time.Minute, "")
	require.NoError(t, err)
	encoded, _ := encodeKey(&key)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d", "%o"} {
		for _, v := range []any{key, &key, creds, r, Upload{Key: key}, Download{Key: key}, []CustomerKey{key}} {
			text := fmt.Sprintf(verb, v)
			for _, secret := range []string{"hush", encoded, "010203ab", "010203AB", "1 2 3 171", "1 2 3 253", "X-Amz-Signature"} {
				require.NotContains(t, text, secret, "%s of %T", verb, v)
			}
		}
	}
	b, err := json.Marshal(map[string]any{"key": key, "upload": Upload{Key: key}})
	require.NoError(t, err)
	require.NotContains(t, string(b), encoded)
	require.NotContains(t, string(b), "[1,2,3,")
}

func TestContentType(t *testing.T) {
	for _, good := range []string{"text/plain", "text/plain;charset=utf-8", "text/plain; charset=utf-8", `a/b; c="d e"; f=g`, "image/svg+xml", "Text/HTML"} {
		require.Equal(t, good, ContentType(good))
	}
	for _, bad := range []string{"", "text", "text/", "/plain", "text/plain;", "text/plain; ", "text/plain;  a=b", "text/plain ; a=b", "a/b;c", "a/b;c=",
		`a/b;c="`, `a/b;c="\""`, `a/b;c="x  y"`, "a/b;c=\"\t\"", "text/plain\r\nSet-Cookie: a=b", "text/plain\n", "tëxt/plain", "a/b,c/d", "a/b c",
		"a/b\x00", "*/*\r", " a/b", "a/" + strings.Repeat("b", 300)} {
		require.Equal(t, DefaultContentType, ContentType(bad), "%q", bad)
	}
}

func TestAttachment(t *testing.T) {
	for name, want := range map[string]string{
		"":                         "attachment",
		"..":                       "attachment",
		"report.pdf":               `attachment; filename="report.pdf"`,
		"a b.txt":                  `attachment; filename="a b.txt"`,
		`a"b\c/d.txt`:              `attachment; filename="a_b_c_d.txt"; filename*=UTF-8''a%22b_c_d.txt`,
		"../../etc/passwd":         `attachment; filename="_.._etc_passwd"`,
		"50%41.txt":                `attachment; filename="50_41.txt"; filename*=UTF-8''50%2541.txt`,
		"Befund-Ä.pdf":             `attachment; filename="Befund-_.pdf"; filename*=UTF-8''Befund-%C3%84.pdf`,
		"a\r\nSet-Cookie: x=y":     `attachment; filename="aSet-Cookie: x=y"`,
		"\u202egpj.exe":            `attachment; filename="gpj.exe"`,
		"bad\xff\xfe.txt":          `attachment; filename="bad.txt"`,
		strings.Repeat("é", 150):   `attachment; filename="` + strings.Repeat("_", 100) + `"; filename*=UTF-8''` + strings.Repeat("%C3%A9", 100),
		strings.Repeat("a", 10000): `attachment; filename="` + strings.Repeat("a", maxFilename) + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, want, Attachment(name), "%q", name)
		})
	}
}

// FuzzHeaders checks that no string of an end user extends beyond its own parameter or header.
func FuzzHeaders(f *testing.F) {
	for _, s := range append(someTypes, "a\r\nb", `";x="`, "é", "%0d%0a") {
		f.Add(s, s)
	}
	p, err := NewPresigner(PresignOptions{BaseURL: "https://h/b", Region: "r", Credentials: Credentials{AccessKeyID: "a", SecretAccessKey: "s"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, contentType, filename string) {
		r, err := p.Download(Download{Object: "a", ContentType: contentType, Filename: filename}, noon, time.Minute, "")
		require.NoError(t, err)
		u, err := url.Parse(r.URL)
		require.NoError(t, err)
		require.Len(t, u.Query(), 9)
		for _, v := range []string{u.Query().Get("response-content-type"), u.Query().Get("response-content-disposition")} {
			require.True(t, printable(v) && v != "" && v == strings.TrimSpace(v) && !strings.Contains(v, "\n"))
		}
		up, err := p.Upload(Upload{Object: "a", ContentType: contentType}, noon, time.Minute, "")
		require.NoError(t, err)
		for _, h := range up.Headers {
			require.Equal(t, strings.ToLower(h.Name), h.Name)
			require.NotEmpty(t, http.CanonicalHeaderKey(h.Name))
			require.True(t, printable(h.Value))
		}
	})
}
