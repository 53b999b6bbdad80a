package objectstest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// callTimeout bounds one request of the suite; the largest value is 64 MiB.
const callTimeout = 2 * time.Minute

func clientFor(pool *x509.CertPool) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: transport, Timeout: callTimeout}
}

// Answer is a store's response to one request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a signed request with its headers, as a browser would, and reads the response.
func Do(t testing.TB, client *http.Client, r objects.SignedRequest, body []byte) Answer {
	t.Helper()
	a, err := Send(client, r, bytes.NewReader(body), int64(len(body)))
	require.NoError(t, err)
	return a
}

// Send is Do for a streamed body of a given size (-1: chunked); it returns errors instead of failing a test.
func Send(client *http.Client, r objects.SignedRequest, body io.Reader, size int64) (Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	if err != nil {
		return Answer{}, err
	}
	req.ContentLength = size
	if size == 0 {
		req.Body = http.NoBody
	}
	for _, h := range r.Headers {
		req.Header.Set(h.Name, h.Value)
	}
	res, err := client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	a := Answer{Status: res.StatusCode, Header: res.Header}
	a.Body, err = io.ReadAll(res.Body)
	return a, err
}

// NewObject returns a fresh object key and customer key.
func NewObject() (string, objects.CustomerKey) {
	var key objects.CustomerKey
	_, _ = rand.Read(key[:])
	return "test/" + randomHex(16), key
}

// Put stores a value and returns its object and key; it fails the test if the store refuses it.
func Put(t testing.TB, s objects.Store, client *http.Client, value []byte) (string, objects.CustomerKey) {
	t.Helper()
	object, key := NewObject()
	r, err := s.SignUpload(objects.Upload{Object: object, Key: key, Size: int64(len(value))})
	require.NoError(t, err)
	a := Do(t, client, r, value)
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	return object, key
}

// Get signs a download and sends it.
func Get(t testing.TB, s objects.Store, client *http.Client, object string, key objects.CustomerKey) Answer {
	t.Helper()
	r, err := s.SignDownload(objects.Download{Object: object, Key: key})
	require.NoError(t, err)
	return Do(t, client, r, nil)
}
