package objectstest

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// This file tests requests that a store must refuse: every request that differs from the signed one.

func (s suite) requireRefused(t *testing.T, r objects.SignedRequest, body []byte, value []byte, why string) {
	t.Helper()
	a := Do(t, s.HTTP, r, body)
	require.GreaterOrEqual(t, a.Status, 400, why)
	require.Less(t, a.Status, 500, why)
	if len(value) > 0 {
		require.False(t, bytes.Contains(a.Body, value), why)
	}
}

func (s suite) wrongKey(t *testing.T) {
	object, key := s.put(t, []byte("a secret value"))
	key[31] ^= 0x80
	a := Get(t, s.Store, s.HTTP, object, key)
	require.Equal(t, http.StatusForbidden, a.Status)
	require.NotContains(t, string(a.Body), "a secret value")
}

func (s suite) noKey(t *testing.T) {
	value := []byte("a secret value")
	object, key := s.put(t, value)
	r, err := s.Store.SignDownload(objects.Download{Object: object, Key: key})
	require.NoError(t, err)
	for i := range r.Headers {
		less := r
		less.Headers = append(append([]objects.Header{}, r.Headers[:i]...), r.Headers[i+1:]...)
		s.requireRefused(t, less, nil, value, "without "+r.Headers[i].Name)
	}
	r.Headers = nil
	s.requireRefused(t, r, nil, value, "without headers")
	r.URL, _, _ = strings.Cut(r.URL, "?")
	s.requireRefused(t, r, nil, value, "without a signature")
}

// encryptionHeaders sends encryption headers that are not signed. A store may accept them, and then has another object than
// the one that a download asks for: it must not serve the bytes.
func (s suite) encryptionHeaders(t *testing.T) {
	value := []byte("not a ciphertext")
	object, key := NewObject()
	r, err := s.Store.SignUpload(objects.Upload{Object: object, Size: int64(len(value))})
	require.NoError(t, err)
	for _, h := range r.Headers {
		require.NotContains(t, h.Name, "x-amz-")
	}
	sse, err := s.Store.(clientMode).Store.SignUpload(objects.Upload{Object: object, Key: key, Size: int64(len(value))})
	require.NoError(t, err)
	r.Headers = sse.Headers
	if a := Do(t, s.HTTP, r, value); a.Status != http.StatusOK {
		require.Less(t, a.Status, 500)
	}
	require.NotEqual(t, http.StatusOK, Get(t, s.Store, s.HTTP, object, key).Status)
}

// keyGiven signs in mode objects.Client with a key.
func (s suite) keyGiven(t *testing.T) {
	object, key := NewObject()
	store := s.Store.(clientMode).Store
	_, err := store.SignUpload(objects.Upload{Object: object, Mode: objects.Client, Key: key})
	require.Error(t, err)
	_, err = store.SignDownload(objects.Download{Object: object, Mode: objects.Client, Key: key})
	require.Error(t, err)
}

// changed alters the path, and each parameter and header, of a download and an upload.
func (s suite) changed(t *testing.T) {
	value := []byte("a secret value")
	object, key := s.put(t, value)
	down, err := s.Store.SignDownload(objects.Download{Object: object, Key: key, Filename: "a.txt"})
	require.NoError(t, err)
	fresh, freshKey := NewObject()
	up, err := s.Store.SignUpload(objects.Upload{Object: fresh, Key: freshKey, Size: int64(len(value))})
	require.NoError(t, err)
	for _, r := range []objects.SignedRequest{down, up} {
		u, err := url.Parse(r.URL)
		require.NoError(t, err)
		body := value
		if r.Method == "GET" {
			body = nil
		}
		for name, values := range u.Query() {
			changed, query := *u, u.Query()
			query.Set(name, flip(values[0]))
			changed.RawQuery = query.Encode()
			altered := r
			altered.URL = changed.String()
			s.requireRefused(t, altered, body, value, "changed "+name)
			query.Del(name)
			changed.RawQuery = query.Encode()
			altered.URL = changed.String()
			s.requireRefused(t, altered, body, value, "without "+name)
		}
		other := *u
		other.Path = flip(u.Path)
		altered := r
		altered.URL = other.String()
		s.requireRefused(t, altered, body, value, "another object")
		for i, h := range r.Headers {
			altered := r
			altered.Headers = append([]objects.Header{}, r.Headers...)
			altered.Headers[i].Value = flip(h.Value)
			s.requireRefused(t, altered, body, value, "changed "+h.Name)
		}
	}
	require.NotEqual(t, http.StatusOK, Get(t, s.Store, s.HTTP, fresh, freshKey).Status, "a refused upload left an object")
}

// flip changes the last letter or digit of a text.
func flip(s string) string {
	b := []byte(s)
	for i := len(b) - 1; i >= 0; i-- {
		switch c := b[i]; {
		case c >= '0' && c < '9', c >= 'a' && c < 'z', c >= 'A' && c < 'Z':
			b[i]++
			return string(b)
		case c == '9' || c == 'z' || c == 'Z':
			b[i]--
			return string(b)
		}
	}
	return s + "x"
}

func (s suite) otherMethods(t *testing.T) {
	value := []byte("a secret value")
	object, key := s.put(t, value)
	down, err := s.Store.SignDownload(objects.Download{Object: object, Key: key})
	require.NoError(t, err)
	fresh, freshKey := NewObject()
	up, err := s.Store.SignUpload(objects.Upload{Object: fresh, Key: freshKey, Size: int64(len(value))})
	require.NoError(t, err)
	for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"} {
		for _, r := range []objects.SignedRequest{down, up} {
			if method == r.Method {
				continue
			}
			r.Method = method
			var body []byte
			if method == "PUT" || method == "POST" {
				body = value
			}
			s.requireRefused(t, r, body, value, method)
		}
	}
	s.requireValue(t, object, key, value)
	require.Equal(t, http.StatusNotFound, Get(t, s.Store, s.HTTP, fresh, freshKey).Status)
}

func (s suite) otherSizes(t *testing.T) {
	object, key := NewObject()
	r, err := s.Store.SignUpload(objects.Upload{Object: object, Key: key, Size: 10})
	require.NoError(t, err)
	for _, size := range []int{9, 11, 0, 1000} {
		s.requireRefused(t, r, bytes.Repeat([]byte{'a'}, size), nil, "another size")
	}
	if a, err := Send(s.HTTP, r, strings.NewReader("0123456789"), -1); err == nil {
		require.GreaterOrEqual(t, a.Status, 400, "a chunked body of a signed size")
	}
	require.Equal(t, http.StatusNotFound, Get(t, s.Store, s.HTTP, object, key).Status)
	require.Equal(t, http.StatusOK, Do(t, s.HTTP, r, []byte("0123456789")).Status)
	_, err = s.Store.SignUpload(objects.Upload{Object: object, Key: key, Size: 1 << 50})
	require.ErrorIs(t, err, objects.ErrTooLarge)
}

func (s suite) otherType(t *testing.T) {
	object, key := NewObject()
	r, err := s.Store.SignUpload(objects.Upload{Object: object, Key: key, Size: 1, ContentType: "text/plain; charset=utf-8"})
	require.NoError(t, err)
	for i, h := range r.Headers {
		if h.Name == "content-type" {
			require.Equal(t, "text/plain; charset=utf-8", h.Value)
			altered := r
			altered.Headers = append([]objects.Header{}, r.Headers...)
			altered.Headers[i].Value = "text/html"
			s.requireRefused(t, altered, []byte("x"), nil, "another type")
		}
	}
	require.Equal(t, http.StatusOK, Do(t, s.HTTP, r, []byte("x")).Status)
}

// disposition requests hostile types and names; the response is one attachment.
func (s suite) disposition(t *testing.T) {
	object, key := s.put(t, []byte("<script>alert(1)</script>"))
	for _, c := range []struct{ contentType, filename, wantType, wantDisposition string }{
		{"", "", "application/octet-stream", "attachment"},
		{"text/plain; charset=utf-8", "a b.txt", "text/plain; charset=utf-8", `attachment; filename="a b.txt"`},
		{"text/html\r\nX-A: b", "a\r\nX-A: b", "application/octet-stream", `attachment; filename="aX-A: b"`},
		{"image/svg+xml", `"><é`, "image/svg+xml", `attachment; filename="_><_"; filename*=UTF-8''%22%3E%3C%C3%A9`},
		{"a/b", "../../etc/passwd", "a/b", `attachment; filename="_.._etc_passwd"`},
		{"a/b", "Ж中🦊.pdf", "a/b", `attachment; filename="___.pdf"; filename*=UTF-8''%D0%96%E4%B8%AD%F0%9F%A6%8A.pdf`},
	} {
		r, err := s.Store.SignDownload(objects.Download{Object: object, Key: key, ContentType: c.contentType, Filename: c.filename})
		require.NoError(t, err)
		a := Do(t, s.HTTP, r, nil)
		require.Equal(t, http.StatusOK, a.Status)
		require.Equal(t, []string{c.wantType}, a.Header.Values("Content-Type"))
		require.Equal(t, []string{c.wantDisposition}, a.Header.Values("Content-Disposition"))
		require.Equal(t, "nosniff", a.Header.Get("X-Content-Type-Options"))
		require.Empty(t, a.Header.Values("X-A"))
	}
}

func (s suite) badObjects(t *testing.T) {
	for _, object := range []string{"", "/", "..", "../a", "a/../b", "a//b", "/a", "a/", "A", "a b", "a%2fb", "a?b", "a\x00", strings.Repeat("a", 513)} {
		_, err := s.Store.SignUpload(objects.Upload{Object: object})
		require.ErrorIs(t, err, objects.ErrObjectName, "%q", object)
		_, err = s.Store.SignDownload(objects.Download{Object: object})
		require.ErrorIs(t, err, objects.ErrObjectName, "%q", object)
		require.ErrorIs(t, s.Store.Delete(context.Background(), object), objects.ErrObjectName, "%q", object)
	}
}

// etag checks that the ETag, which stores keep in clear, is not the value's plain MD5.
func (s suite) etag(t *testing.T) {
	value := []byte("1234")
	object, key := s.put(t, value)
	a := Get(t, s.Store, s.HTTP, object, key)
	require.Equal(t, http.StatusOK, a.Status)
	sum := md5.Sum(value)
	require.NotEmpty(t, a.Header.Get("Etag"))
	require.NotContains(t, a.Header.Get("Etag"), hex.EncodeToString(sum[:]))
}
