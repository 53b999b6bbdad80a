package objectstest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// Harness is one store to test, empty and reachable over HTTP.
type Harness struct {
	Store      objects.Store
	ShortLived objects.Store // the same bucket, with URLs that live for one second
	HTTP       *http.Client  // trusts the store's certificate; sends no cookies, follows no redirects

	// Block returns the same bucket in a state in which this object, which was never stored, can't be deleted or
	// replaced until release is called.
	Block func(t *testing.T, object string) (store objects.Store, release func())
}

// clientMode is a store whose requests are all signed in mode objects.Client.
type clientMode struct{ objects.Store }

func (c clientMode) SignUpload(u objects.Upload) (objects.SignedRequest, error) {
	u.Mode, u.Key = objects.Client, objects.CustomerKey{}
	return c.Store.SignUpload(u)
}

func (c clientMode) SignDownload(d objects.Download) (objects.SignedRequest, error) {
	d.Mode, d.Key = objects.Client, objects.CustomerKey{}
	return c.Store.SignDownload(d)
}

func inClientMode(m objects.Multipart) objects.Multipart {
	m.Mode, m.Key = objects.Client, objects.CustomerKey{}
	return m
}

func (c clientMode) CreateMultipart(ctx context.Context, m objects.Multipart) (string, error) {
	return c.Store.CreateMultipart(ctx, inClientMode(m))
}

func (c clientMode) SignPart(u objects.PartUpload) (objects.SignedRequest, error) {
	u.Multipart = inClientMode(u.Multipart)
	return c.Store.SignPart(u)
}

func (c clientMode) ListParts(ctx context.Context, m objects.Multipart) ([]objects.Part, error) {
	return c.Store.ListParts(ctx, inClientMode(m))
}

func (c clientMode) CompleteMultipart(ctx context.Context, m objects.Multipart, parts []objects.Part) error {
	return c.Store.CompleteMultipart(ctx, inClientMode(m), parts)
}

func (c clientMode) Size(ctx context.Context, m objects.Multipart) (int64, error) {
	return c.Store.Size(ctx, inClientMode(m))
}

// RunClientMode is Run for requests in mode objects.Client. The store in the harness has this mode for new values.
func RunClientMode(t *testing.T, start func(*testing.T) Harness) {
	h := start(t)
	block := h.Block
	h.Store, h.ShortLived = clientMode{h.Store}, clientMode{h.ShortLived}
	h.Block = func(t *testing.T, object string) (objects.Store, func()) {
		store, release := block(t, object)
		return clientMode{store}, release
	}
	s := suite{h}
	for name, test := range s.tests() {
		switch name {
		case "wrong key", "no key", "ETag hides the value", "parts: size needs the key": // the store knows no key, and no value
		default:
			t.Run(name, func(t *testing.T) { test(s, t) })
		}
	}
	t.Run("refuses encryption headers", s.encryptionHeaders)
	t.Run("refuses a key", s.keyGiven)
}

// Run tests that a store fulfils the contract of objects.Store in mode objects.SSEC. start is called once.
func Run(t *testing.T, start func(*testing.T) Harness) {
	s := suite{start(t)}
	for name, test := range s.tests() {
		t.Run(name, func(t *testing.T) { test(s, t) })
	}
}

func (suite) tests() map[string]func(suite, *testing.T) {
	return map[string]func(suite, *testing.T){
		"Verify passes":            suite.verify,
		"Ready":                    suite.ready,
		"round trips":              suite.roundTrips,
		"64 MiB round trip":        suite.large,
		"unknown size":             suite.unknownSize,
		"empty":                    suite.empty,
		"writes once":              suite.writesOnce,
		"writes once in a race":    suite.race,
		"wrong key":                suite.wrongKey,
		"no key":                   suite.noKey,
		"changed requests":         suite.changed,
		"other methods":            suite.otherMethods,
		"other sizes":              suite.otherSizes,
		"other type":               suite.otherType,
		"expiry":                   suite.expiry,
		"absent object":            suite.absent,
		"deletes":                  suite.deletes,
		"deletes many":             suite.deletesMany,
		"tombstones":               suite.tombstones,
		"many tombstones":          suite.manyTombstones,
		"undeletable object":       suite.oneStays,
		"no URL outlives NotAfter": suite.notAfter,
		"forced type and name":     suite.disposition,
		"refuses bad object keys":  suite.badObjects,
		"ETag hides the value":     suite.etag,

		"parts: joined":               suite.joined,
		"parts: exact requests":       suite.partRequests,
		"parts: aborted":              suite.aborted,
		"parts: tombstone":            suite.partsOfTombstone,
		"parts: never replace":        suite.joinWritesOnce,
		"parts: changed after a list": suite.partsChanged,
		"parts: many":                 suite.manyParts,
		"parts: size needs the key":   suite.sizeNeedsKey,
		"parts: raced":                suite.racedJoins,
	}
}

type suite struct{ Harness }

func (s suite) put(t *testing.T, value []byte) (string, objects.CustomerKey) {
	t.Helper()
	return Put(t, s.Store, s.HTTP, value)
}

func (s suite) requireValue(t *testing.T, object string, key objects.CustomerKey, value []byte) {
	t.Helper()
	a := Get(t, s.Store, s.HTTP, object, key)
	require.Equal(t, http.StatusOK, a.Status)
	require.True(t, bytes.Equal(value, a.Body), "the value was changed")
}

func (s suite) verify(t *testing.T) { require.NoError(t, s.Store.Verify(context.Background())) }

func (s suite) ready(t *testing.T) {
	require.NoError(t, s.Store.Ready(context.Background()))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.Error(t, s.Store.Ready(ctx), "a call with a cancelled context must fail")
}

func (s suite) roundTrips(t *testing.T) {
	values := map[string][]byte{
		"one byte": {'x'}, "a zero": {0}, "UTF-8": []byte("Zoë 🦊 中文 e\u0301"), "CRLF": []byte("a\r\nb\n\r"),
		"not UTF-8": {0xff, 0xfe, 0x00, 0x80}, "XML": []byte("<Error/>"),
	}
	for _, size := range []int{15, 16, 17, 65535, 65536, 65537, 2 * 65536, 1<<20 + 1} {
		values[fmt.Sprint(size)] = randomBytes(size)
	}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			object, key := s.put(t, value)
			s.requireValue(t, object, key, value)
			s.requireValue(t, object, key, value) // a read does not change the value
		})
	}
}

func (s suite) large(t *testing.T) {
	value := randomBytes(64 << 20)
	object, key := s.put(t, value)
	s.requireValue(t, object, key, value)
	require.NoError(t, s.Store.Delete(context.Background(), object))
}

// unknownSize uploads without a signed size: a complete body is stored, even an empty one.
func (s suite) unknownSize(t *testing.T) {
	for _, value := range [][]byte{{}, []byte("abc"), randomBytes(200_000)} {
		object, key := NewObject()
		r, err := s.Store.SignUpload(objects.Upload{Object: object, Key: key})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, Do(t, s.HTTP, r, value).Status)
		s.requireValue(t, object, key, value)
	}
}

// empty uploads no bytes, with a signed size of 0: a body of one byte is refused.
func (s suite) empty(t *testing.T) {
	object, key := NewObject()
	r, err := s.Store.SignUpload(objects.Upload{Object: object, Key: key, Empty: true})
	require.NoError(t, err)
	s.requireRefused(t, r, []byte("x"), nil, "one byte")
	require.Equal(t, http.StatusNotFound, Get(t, s.Store, s.HTTP, object, key).Status)
	require.Equal(t, http.StatusOK, Do(t, s.HTTP, r, nil).Status)
	s.requireValue(t, object, key, []byte{})
	require.Equal(t, http.StatusPreconditionFailed, Do(t, s.HTTP, r, nil).Status, "a second time")
	_, err = s.Store.SignUpload(objects.Upload{Object: object, Key: key, Size: 1, Empty: true})
	require.Error(t, err)
}

func (s suite) writesOnce(t *testing.T) {
	object, key := NewObject()
	u := objects.Upload{Object: object, Key: key, Size: 5}
	r, err := s.Store.SignUpload(u)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, Do(t, s.HTTP, r, []byte("first")).Status)
	require.Equal(t, http.StatusPreconditionFailed, Do(t, s.HTTP, r, []byte("again")).Status, "the same URL")
	u.Key[0] ^= 1
	r, err = s.Store.SignUpload(u)
	require.NoError(t, err)
	require.Equal(t, http.StatusPreconditionFailed, Do(t, s.HTTP, r, []byte("other")).Status, "another key")
	s.requireValue(t, object, key, []byte("first"))
}

func (s suite) race(t *testing.T) {
	object, key := NewObject()
	r, err := s.Store.SignUpload(objects.Upload{Object: object, Key: key, Size: 100_000})
	require.NoError(t, err)
	const racers = 16
	var statuses [racers]int
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			// The store may close the connection of a refused upload before its body is sent.
			if a, err := Send(s.HTTP, r, bytes.NewReader(bytes.Repeat([]byte{byte(i)}, 100_000)), 100_000); err == nil {
				statuses[i] = a.Status
			}
		})
	}
	wg.Wait()
	winner := -1
	for i, status := range statuses {
		if status == http.StatusOK {
			require.Equal(t, -1, winner, "two uploads won: %v", statuses)
			winner = i
		}
	}
	require.NotEqual(t, -1, winner, "no upload won: %v", statuses)
	s.requireValue(t, object, key, bytes.Repeat([]byte{byte(winner)}, 100_000))
}

func (s suite) expiry(t *testing.T) {
	value := []byte("short lived")
	object, key := s.put(t, value)
	d, err := s.ShortLived.SignDownload(objects.Download{Object: object, Key: key})
	require.NoError(t, err)
	other, otherKey := NewObject()
	u, err := s.ShortLived.SignUpload(objects.Upload{Object: other, Key: otherKey, Size: int64(len(value))})
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), d.ExpiresAt, 3*time.Second)
	require.Equal(t, time.UTC, d.ExpiresAt.Location())
	require.Eventually(t, func() bool {
		return Do(t, s.HTTP, d, nil).Status == http.StatusForbidden
	}, 15*time.Second, 100*time.Millisecond, "an expired URL allows a download")
	require.True(t, time.Now().After(d.ExpiresAt.Add(-time.Second)), "a URL expires too early")
	require.Equal(t, http.StatusForbidden, Do(t, s.HTTP, u, value).Status, "an expired URL allows an upload")
	require.NotEqual(t, http.StatusOK, Get(t, s.Store, s.HTTP, other, otherKey).Status)
	s.requireValue(t, object, key, value)
}

func (s suite) absent(t *testing.T) {
	object, key := NewObject()
	require.Equal(t, http.StatusNotFound, Get(t, s.Store, s.HTTP, object, key).Status)
}

func (s suite) deletes(t *testing.T) {
	object, key := s.put(t, []byte("going"))
	kept, keptKey := s.put(t, []byte("staying"))
	require.NoError(t, s.Store.Delete(context.Background(), object))
	require.Equal(t, http.StatusNotFound, Get(t, s.Store, s.HTTP, object, key).Status)
	require.NoError(t, s.Store.Delete(context.Background(), object), "a second delete is no error")
	require.NoError(t, s.Store.Delete(context.Background()), "nothing to delete is no error")
	s.requireValue(t, kept, keptKey, []byte("staying"))
}

// deletesMany deletes more than the 1000 objects of one DeleteObjects; most of them were never stored.
func (s suite) deletesMany(t *testing.T) {
	kept, keptKey := s.put(t, []byte("staying"))
	first, firstKey := s.put(t, []byte("a"))
	last, lastKey := s.put(t, []byte("b"))
	all := []string{first}
	for range 1500 {
		name, _ := NewObject()
		all = append(all, name)
	}
	require.NoError(t, s.Store.Delete(context.Background(), append(all, last)...))
	require.Equal(t, http.StatusNotFound, Get(t, s.Store, s.HTTP, first, firstKey).Status)
	require.Equal(t, http.StatusNotFound, Get(t, s.Store, s.HTTP, last, lastKey).Status)
	s.requireValue(t, kept, keptKey, []byte("staying"))
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
