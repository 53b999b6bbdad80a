package objects_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

var staticCreds = objects.Credentials{AccessKeyID: "access", SecretAccessKey: "hush-hush"}

func newS3(t *testing.T, change func(*objects.S3Options)) objects.Store {
	t.Helper()
	o := objects.S3Options{Endpoint: "https://store.example.test:9000", Bucket: "values", Credentials: staticCreds}
	change(&o)
	s, err := objects.NewS3(t.Context(), o)
	require.NoError(t, err)
	return s
}

func TestS3Addresses(t *testing.T) {
	for want, change := range map[string]func(*objects.S3Options){
		"https://values.s3.eu-central-1.amazonaws.com/a?":   func(o *objects.S3Options) { o.Endpoint, o.Region = "", "eu-central-1" },
		"https://s3.eu-central-1.amazonaws.com/values/a?":   func(o *objects.S3Options) { o.Endpoint, o.Region, o.PathStyle = "", "eu-central-1", true },
		"https://values.s3.cn-north-1.amazonaws.com.cn/a?":  func(o *objects.S3Options) { o.Endpoint, o.Region = "", "cn-north-1" },
		"https://values.store.example.test:9000/a?":         func(*objects.S3Options) {},
		"https://store.example.test:9000/values/a?":         func(o *objects.S3Options) { o.PathStyle = true },
		"https://public.example.test/base/values/a?":        func(o *objects.S3Options) { o.PublicEndpoint, o.PathStyle = "https://public.example.test/base", true },
		"https://values.public.example.test/a?":             func(o *objects.S3Options) { o.PublicEndpoint = "https://public.example.test:443" },
		"http://127.0.0.1:9000/values/a?":                   func(o *objects.S3Options) { o.Endpoint = "http://127.0.0.1:9000" },
		"https://store.example.test:9000/values.with.dot/a": func(o *objects.S3Options) { o.Bucket, o.PathStyle = "values.with.dot", true },
	} {
		t.Run(want, func(t *testing.T) {
			s := newS3(t, change)
			r, err := s.SignDownload(objects.Download{Object: "a"})
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(r.URL, s.Origin()+"/"))
			require.True(t, strings.HasPrefix(r.URL, want), "%s is not %s", strings.SplitN(r.URL, "?", 2)[0], want)
		})
	}
}

func TestS3RefusesBadOptions(t *testing.T) {
	for name, change := range map[string]func(*objects.S3Options){
		"no bucket":       func(o *objects.S3Options) { o.Bucket = "" },
		"bad bucket":      func(o *objects.S3Options) { o.Bucket = "a/../b" },
		"no scheme":       func(o *objects.S3Options) { o.Endpoint = "store:9000" },
		"ftp":             func(o *objects.S3Options) { o.Endpoint = "ftp://store" },
		"public":          func(o *objects.S3Options) { o.PublicEndpoint = "store" },
		"user":            func(o *objects.S3Options) { o.Endpoint = "https://u:hush@store" },
		"half a second":   func(o *objects.S3Options) { o.DownloadLifetime = 500 * time.Millisecond },
		"eight days":      func(o *objects.S3Options) { o.UploadLifetime = 8 * 24 * time.Hour },
		"no secret":       func(o *objects.S3Options) { o.Credentials.SecretAccessKey = "" },
		"no access key":   func(o *objects.S3Options) { o.Credentials.AccessKeyID = "" },
		"not a region":    func(o *objects.S3Options) { o.Region = "eu central" },
		"negative upload": func(o *objects.S3Options) { o.UploadLifetime = -time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			o := objects.S3Options{Endpoint: "https://store.example.test", Bucket: "values", Credentials: staticCreds}
			change(&o)
			_, err := objects.NewS3(t.Context(), o)
			require.Error(t, err, name)
			require.NotContains(t, err.Error(), "hush", name)
		})
	}
}

func TestS3LifetimesAndSizes(t *testing.T) {
	now := time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)
	s := newS3(t, func(o *objects.S3Options) { o.Now = func() time.Time { return now }; o.UploadLifetime = time.Hour })
	up, err := s.SignUpload(objects.Upload{Object: "a", Size: 5 << 30})
	require.NoError(t, err)
	require.Equal(t, now.Add(time.Hour), up.ExpiresAt)
	down, err := s.SignDownload(objects.Download{Object: "a"})
	require.NoError(t, err)
	require.Equal(t, now.Add(time.Minute), down.ExpiresAt)
	_, err = s.SignUpload(objects.Upload{Object: "a", Size: 5<<30 + 1})
	require.ErrorIs(t, err, objects.ErrTooLarge)
	_, err = s.SignUpload(objects.Upload{Object: "a", Size: -1})
	require.Error(t, err)
}

// TestS3DefaultChain: if no credentials are configured, the SDK's sources are read.
func TestS3DefaultChain(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_PROFILE": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_S3": "https://store.example.test", "AWS_SESSION_TOKEN": "",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_WEB_IDENTITY_TOKEN_FILE": ""} {
		t.Setenv(name, value)
	}
	o := objects.S3Options{Bucket: "values", PathStyle: true, Timeout: 2 * time.Second}
	_, err := objects.NewS3(t.Context(), o)
	require.ErrorContains(t, err, "no credentials")
	t.Setenv("AWS_ACCESS_KEY_ID", "from-env")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
	s, err := objects.NewS3(t.Context(), o)
	require.NoError(t, err)
	r, err := s.SignDownload(objects.Download{Object: "a"})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(r.URL, "https://store.example.test/values/a?"), "the SDK's endpoint setting is used")
	require.Contains(t, r.URL, "from-env%2F")
	require.Contains(t, r.URL, "%2Feu-west-1%2Fs3")
	t.Setenv("AWS_REGION", "")
	_, err = objects.NewS3(t.Context(), o)
	require.ErrorContains(t, err, "region")
}

// rotating returns credentials that expire after ten minutes of a test's clock.
type rotating struct {
	mu    sync.Mutex
	now   time.Time
	asked int
	fails bool
}

func (r *rotating) Now() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.now }

func (r *rotating) set(change func()) { r.mu.Lock(); defer r.mu.Unlock(); change() }

func (r *rotating) Retrieve(context.Context) (aws.Credentials, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fails {
		return aws.Credentials{}, fmt.Errorf("no answer from https://sts.example.test/?hush=hush")
	}
	r.asked++
	return aws.Credentials{AccessKeyID: "access", SecretAccessKey: fmt.Sprint("secret-", r.asked), SessionToken: fmt.Sprint("token-", r.asked),
		CanExpire: true, Expires: r.now.Add(10 * time.Minute)}, nil
}

// TestS3Rotation: rotation keeps the access key's id and changes its secret, the worst case for a cache.
func TestS3Rotation(t *testing.T) {
	start := time.Now().Truncate(time.Second)
	r := &rotating{now: start}
	s := newS3(t, func(o *objects.S3Options) {
		o.Credentials, o.Provider, o.Region, o.Now = objects.Credentials{}, r, "us-east-1", r.Now
		o.UploadLifetime = time.Hour
	})
	sign := func() objects.SignedRequest {
		d, err := s.SignUpload(objects.Upload{Object: "a"})
		require.NoError(t, err)
		return d
	}
	first := sign()
	require.Contains(t, first.URL, "X-Amz-Security-Token=token-1")
	require.Equal(t, start.Add(10*time.Minute).UTC(), first.ExpiresAt, "the URL expires with its credentials")
	require.Equal(t, first.URL, sign().URL)

	r.set(func() { r.now = start.Add(6 * time.Minute); r.fails = true })
	for range 20 {
		require.Contains(t, sign().URL, "token-1", "old credentials are used until they expire")
	}
	r.set(func() { r.now = start.Add(7 * time.Minute); r.fails = false })
	require.Eventually(t, func() bool { return strings.Contains(sign().URL, "token-2") }, 10*time.Second, time.Millisecond,
		"new credentials are retrieved before the old ones expire")
	r.set(func() { r.now = start.Add(18 * time.Minute); r.fails = true })
	_, err := s.SignUpload(objects.Upload{Object: "a"})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hush")
	r.set(func() { r.fails = false })
	require.Contains(t, sign().URL, "token-3", "expired credentials are replaced at once")

	r.set(func() { r.now = start.Add(time.Hour) })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.SignUpload(objects.Upload{Object: "a"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestS3DeleteSendsBothChecksums: batches of a thousand objects have the MD5 for older stores.
func TestS3DeleteSendsBothChecksums(t *testing.T) {
	var sizes []int
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		sum := md5.Sum(body)
		if r.Header.Get("Content-Md5") != base64.StdEncoding.EncodeToString(sum[:]) {
			http.Error(w, "no MD5", http.StatusBadRequest)
			return
		}
		sizes = append(sizes, bytes.Count(body, []byte("<Key>")))
		_, _ = io.WriteString(w, `<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Error><Key>n-7</Key><Code>NoSuchKey</Code></Error></DeleteResult>`)
	}))
	defer srv.Close()
	s := newS3(t, func(o *objects.S3Options) { o.Endpoint = srv.URL })
	names := make([]string, 2001)
	for i := range names {
		names[i] = fmt.Sprint("n-", i)
	}
	require.NoError(t, s.Delete(t.Context(), names...))
	require.Equal(t, []int{1000, 1000, 1}, sizes)
	require.NoError(t, s.Delete(t.Context(), "one"))
}

// TestS3ErrorsAreSafeAndTimely: stores that are down, silent, redirect or send malformed responses.
func TestS3ErrorsAreSafeAndTimely(t *testing.T) {
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer silent.Close()
	defer close(release)
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	var calls atomic.Int64
	redirecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		http.Redirect(w, r, down.URL+"/?hush=hush", http.StatusTemporaryRedirect)
	}))
	defer redirecting.Close()
	nonsense := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "<Error><Code>hush\nhush https://x/?y</Code><Message>hush</Message></Error>")
	}))
	defer nonsense.Close()
	for _, srv := range []*httptest.Server{silent, down, redirecting, nonsense} {
		s := newS3(t, func(o *objects.S3Options) { o.Endpoint, o.Timeout = srv.URL, 200*time.Millisecond })
		u, err := url.Parse(srv.URL)
		require.NoError(t, err)
		start := time.Now()
		for _, call := range []error{s.Ready(t.Context()), s.Delete(t.Context(), "a"), s.Delete(t.Context(), "a", "b"), s.Verify(t.Context())} {
			require.Error(t, call)
			for _, secret := range []string{"hush", "X-Amz", "http://", "/values", u.Host + "/"} {
				require.NotContains(t, call.Error(), secret)
			}
		}
		require.Less(t, time.Since(start), 10*time.Second)
	}
	require.Positive(t, calls.Load())
}
