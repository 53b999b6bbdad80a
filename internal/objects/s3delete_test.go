package objects_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// deletingStore answers deletions only, by its functions, and records the requests.
type deletingStore struct {
	mu     sync.Mutex
	batch  func(w http.ResponseWriter, r *http.Request, keys []string)
	one    func(w http.ResponseWriter, key string)
	singly []string
	asked  int // number of batches
}

func (d *deletingStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodDelete {
		key := path.Base(r.URL.Path)
		d.mu.Lock()
		d.singly = append(d.singly, key)
		d.mu.Unlock()
		if d.one != nil {
			d.one(w, key)
			return
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	var body struct {
		Object []struct{ Key string }
	}
	if err := xml.NewDecoder(r.Body).Decode(&body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	keys := make([]string, len(body.Object))
	for i, o := range body.Object {
		keys[i] = o.Key
	}
	d.mu.Lock()
	d.asked++
	d.mu.Unlock()
	d.batch(w, r, keys)
}

// refusal returns a per-object error of DeleteObjects; without a key it names no object.
func refusal(key, code string) string {
	if key != "" {
		key = "<Key>" + key + "</Key>"
	}
	return "<Error>" + key + "<Code>" + code + "</Code></Error>"
}

func answerBatch(w http.ResponseWriter, refusals ...string) {
	_, _ = fmt.Fprintf(w, `<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">%s</DeleteResult>`, strings.Join(refusals, ""))
}

func deniedOne(w http.ResponseWriter, key string) {
	if !strings.HasPrefix(key, "stays") {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.WriteHeader(http.StatusForbidden)
	_, _ = fmt.Fprint(w, "<Error><Code>AccessDenied</Code><Message>hush</Message></Error>")
}

// TestS3DeleteNamesWhatStays: an object that a store does not delete is named, and the others are deleted, for each form of
// the store's response.
func TestS3DeleteNamesWhatStays(t *testing.T) {
	names := []string{"stays-1", "a", "b", "stays-2", "c"}
	for name, c := range map[string]struct {
		batch        func(http.ResponseWriter, *http.Request, []string)
		stay, singly []string
	}{
		"the store names them": {
			batch: func(w http.ResponseWriter, _ *http.Request, _ []string) {
				answerBatch(w, refusal("stays-1", "AccessDenied"), refusal("stays-2", "InternalError"), refusal("a", "NoSuchKey"))
			},
			stay: []string{"stays-1", "stays-2"}, singly: []string{"stays-1", "stays-2"},
		},
		"the store names one twice": {
			batch: func(w http.ResponseWriter, _ *http.Request, _ []string) {
				answerBatch(w, refusal("stays-1", "AccessDenied"), refusal("stays-1", "AccessDenied"))
			},
			stay: []string{"stays-1"}, singly: []string{"stays-1"},
		},
		"the store refuses one that can be deleted alone": {
			batch: func(w http.ResponseWriter, _ *http.Request, _ []string) { answerBatch(w, refusal("b", "SlowDown")) }, singly: []string{"b"},
		},
		"the store names none": {
			batch: func(w http.ResponseWriter, _ *http.Request, _ []string) { answerBatch(w, refusal("", "AccessDenied")) },
			stay:  []string{"stays-1", "stays-2"}, singly: names,
		},
		"the store names another object": {
			batch: func(w http.ResponseWriter, _ *http.Request, _ []string) {
				answerBatch(w, refusal("other", "AccessDenied"))
			},
			stay: []string{"stays-1", "stays-2"}, singly: names,
		},
		"the store refuses the batch": {
			batch: func(w http.ResponseWriter, _ *http.Request, _ []string) { deniedOne(w, "stays") }, stay: names,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := &deletingStore{batch: c.batch, one: deniedOne}
			srv := httptest.NewServer(d)
			defer srv.Close()
			s := newS3(t, func(o *objects.S3Options) { o.Endpoint, o.Timeout = srv.URL, 2*time.Second })
			requireStay(t, s.Delete(t.Context(), names...), c.stay...)
			require.ElementsMatch(t, c.singly, d.singly)
		})
	}
}

// TestS3DeleteContinuesAfterARefusedBatch: the second batch is deleted even if the first is refused.
func TestS3DeleteContinuesAfterARefusedBatch(t *testing.T) {
	d := &deletingStore{one: deniedOne, batch: func(w http.ResponseWriter, _ *http.Request, keys []string) {
		if slices.Contains(keys, "n-0") {
			deniedOne(w, "stays")
			return
		}
		answerBatch(w)
	}}
	srv := httptest.NewServer(d)
	defer srv.Close()
	s := newS3(t, func(o *objects.S3Options) { o.Endpoint = srv.URL })
	names := make([]string, 1500)
	for i := range names {
		names[i] = fmt.Sprint("n-", i)
	}
	requireStay(t, s.Delete(t.Context(), names...), names[:1000]...)
	require.Equal(t, 2, d.asked)
	require.Empty(t, d.singly, "objects of a refused batch are not deleted one by one")
	requireStay(t, s.Delete(t.Context(), "stays"), "stays")
}

// TestS3DeleteAvoidsBatchesAfterATimeout: after a batch has timed out, objects are deleted one by one; later, batches are
// used again.
func TestS3DeleteAvoidsBatchesAfterATimeout(t *testing.T) {
	d := &deletingStore{one: deniedOne, batch: func(_ http.ResponseWriter, r *http.Request, _ []string) { <-r.Context().Done() }}
	srv := httptest.NewServer(d)
	defer srv.Close()
	var ahead atomic.Int64
	s := newS3(t, func(o *objects.S3Options) {
		o.Endpoint, o.Timeout = srv.URL, 2*time.Second
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	names := []string{"stays", "a", "b"}
	requireStay(t, s.Delete(t.Context(), names...), names...)
	require.Empty(t, d.singly)
	for range 2 {
		d.singly = nil
		requireStay(t, s.Delete(t.Context(), names...), "stays")
		require.ElementsMatch(t, names, d.singly)
	}
	require.Equal(t, 1, d.asked)
	d.batch = func(w http.ResponseWriter, _ *http.Request, _ []string) { answerBatch(w) }
	ahead.Store(int64(2 * time.Hour))
	require.NoError(t, s.Delete(t.Context(), names...))
	require.Equal(t, 2, d.asked)
}

// requireStay expects a PartialError with these objects, in any order, that does not quote the store; without objects it
// expects no error.
func requireStay(t *testing.T, err error, stay ...string) {
	t.Helper()
	if len(stay) == 0 {
		require.NoError(t, err)
		return
	}
	var partial *objects.PartialError
	require.True(t, errors.As(err, &partial), "%v", err)
	require.ElementsMatch(t, stay, partial.Objects)
	require.NotContains(t, err.Error(), "hush")
	require.NotContains(t, err.Error(), "stays")
}
