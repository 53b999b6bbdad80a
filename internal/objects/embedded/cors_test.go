package embedded

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

var otherOrigins = []string{"https://evil.example.test", "http://app.example.test", "https://app.example.test:8443", "https://app.example.test.evil.test",
	"https://APP.example.test", "https://app.example.test/", "null", "", "*", "https://app.example.test,https://evil.example.test", "https://xapp.example.test"}

func TestCORSRequests(t *testing.T) {
	s := newServer(t, nil)
	for _, r := range bothWays(t, s) {
		for _, origin := range otherOrigins {
			altered := r
			altered.headers = append([]objects.Header{{Name: "Origin", Value: origin}}, r.headers...)
			w := s.send(altered)
			require.Equal(t, http.StatusForbidden, w.Code, origin)
			require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"), origin)
		}
		altered := r
		altered.headers = append([]objects.Header{{Name: "Origin", Value: appOrigin}}, r.headers...)
		w := s.send(altered)
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, appOrigin, w.Header().Get("Access-Control-Allow-Origin"))
		require.Contains(t, w.Header().Get("Access-Control-Expose-Headers"), "ETag")
		require.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"))
		altered.headers = append([]objects.Header{{Name: "Origin", Value: appOrigin}}, altered.headers...)
		require.Equal(t, http.StatusForbidden, s.send(altered).Code, "two origins")
	}
}

func TestPreflight(t *testing.T) {
	s := newServer(t, nil)
	ask := func(origin, method, headers string) raw {
		return raw{method: "OPTIONS", uri: "/values/a", host: "store.example.test:8081", headers: []objects.Header{
			{Name: "Origin", Value: origin}, {Name: "Access-Control-Request-Method", Value: method},
			{Name: "Access-Control-Request-Headers", Value: headers}}}
	}
	const all = "content-type,if-none-match,x-amz-server-side-encryption-customer-algorithm,x-amz-server-side-encryption-customer-key,x-amz-server-side-encryption-customer-key-md5"
	for _, method := range []string{"PUT", "GET", "HEAD"} {
		w := s.send(ask(appOrigin, method, all))
		require.Equal(t, http.StatusNoContent, w.Code)
		require.Equal(t, appOrigin, w.Header().Get("Access-Control-Allow-Origin"))
		for name := range strings.SplitSeq(all, ",") {
			require.Contains(t, w.Header().Get("Access-Control-Allow-Headers"), name)
		}
		require.Contains(t, w.Header().Get("Access-Control-Allow-Methods"), method)
	}
	for _, origin := range otherOrigins {
		w := s.send(ask(origin, "PUT", all))
		require.Equal(t, http.StatusForbidden, w.Code, origin)
		require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"), origin)
		require.Empty(t, w.Header().Get("Access-Control-Allow-Methods"), origin)
	}
	require.Equal(t, http.StatusMethodNotAllowed, s.send(ask(appOrigin, "DELETE", "")).Code)
	require.Equal(t, http.StatusMethodNotAllowed, s.send(ask(appOrigin, "", "")).Code)
	require.Equal(t, http.StatusForbidden, s.send(ask(appOrigin, "PUT", "x-amz-acl")).Code)
	require.Equal(t, http.StatusForbidden, s.send(raw{method: "OPTIONS", uri: "/values/a", host: "store.example.test:8081"}).Code)
}

func TestNewRefusesBadOptions(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no dir":        func(o *Options) { o.Dir = "" },
		"no URL":        func(o *Options) { o.PublicURL = "" },
		"URL and query": func(o *Options) { o.PublicURL += "/?a=b" },
		"bucket":        func(o *Options) { o.Bucket = "../x" },
		"region":        func(o *Options) { o.Region = "a/b" },
		"any origin":    func(o *Options) { o.AllowedOrigins = []string{"*"} },
		"null origin":   func(o *Options) { o.AllowedOrigins = []string{"null"} },
		"origin's path": func(o *Options) { o.AllowedOrigins = []string{"https://a.test/"} },
		"upper case":    func(o *Options) { o.AllowedOrigins = []string{"https://A.test"} },
		"size":          func(o *Options) { o.MaxObjectSize = -1 },
		"lifetime":      func(o *Options) { o.UploadLifetime = 8 * 24 * time.Hour },
		"no secret":     func(o *Options) { o.Credentials.SecretAccessKey = "" },
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(t.TempDir())
			change(&o)
			_, err := New(o)
			require.Error(t, err, name)
		})
	}
}

func TestCredentialsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials.json")
	var made [8]objects.Credentials
	var wg sync.WaitGroup
	for i := range made {
		wg.Go(func() {
			var err error
			if made[i], err = LoadOrCreateCredentials(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, c := range made {
		require.Equal(t, made[0], c, "concurrent calls must return the same credentials")
	}
	require.GreaterOrEqual(t, len(made[0].SecretAccessKey), 40)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.Len(t, files(t, filepath.Dir(path)), 1)

	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o700, 0o660} {
		require.NoError(t, os.Chmod(path, mode))
		_, err = LoadOrCreateCredentials(path)
		require.ErrorContains(t, err, "0600", mode)
	}
	for _, content := range []string{"", "{}", "secret", `{"accessKeyId":"a","secretAccessKey":"short"}`, `{"x":1}`} {
		require.NoError(t, os.Chmod(path, 0o600))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err = LoadOrCreateCredentials(path)
		require.ErrorIs(t, err, errCredentialsFile, content)
	}
	_, err = LoadOrCreateCredentials(filepath.Join(t.TempDir(), "no", "such", "dir"))
	require.Error(t, err)
}

// TestConfiguredHeaders: pages may send configured headers, except those that the store refuses in every request.
func TestConfiguredHeaders(t *testing.T) {
	s := newServer(t, func(o *Options) {
		o.AllowedHeaders = []string{"Traceparent", "sentry-trace", "authorization", "Range", "if-match", "x-amz-acl"}
	})
	ask := func(names string) int {
		return s.send(raw{method: "OPTIONS", uri: "/values/a", host: "store.example.test:8081", headers: []objects.Header{
			{Name: "Origin", Value: appOrigin}, {Name: "Access-Control-Request-Method", Value: "PUT"}, {Name: "Access-Control-Request-Headers", Value: names},
		}}).Code
	}
	require.Equal(t, http.StatusNoContent, ask("content-type,traceparent,sentry-trace"))
	for _, name := range []string{"authorization", "range", "if-match", "x-amz-acl", "baggage"} {
		require.Equal(t, http.StatusForbidden, ask(name), name)
	}
	r := wire(s.upload(t, visitor("a", 1), "v/1", 5), []byte("value"))
	r.headers = append(r.headers, objects.Header{Name: "Origin", Value: appOrigin}, objects.Header{Name: "traceparent", Value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
	require.Equal(t, http.StatusOK, s.send(r).Code)
}
