package objects_test

import (
	"crypto/md5"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// fakeS3 is a store in memory with faults that can be switched on one by one. It checks no signature.
type fakeS3 struct {
	noSSE, noEcho, openReads, anyKey, overwrites, keepsDeleted, noType, corrupts bool
	refuse                                                                       int    // status of every PUT
	code                                                                         string // of refuse

	mu      sync.Mutex
	objects map[string]fakeObject
}

type fakeObject struct {
	key   string
	value []byte
}

func (f *fakeS3) fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code></Error>")
}

func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := r.Header.Get(objects.HeaderKey)
	o, there := f.objects[r.URL.Path]
	switch {
	case r.Method == "PUT" && f.refuse != 0:
		f.fail(w, f.refuse, f.code)
	case r.Method == "PUT" && there && !f.overwrites:
		f.fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == "PUT":
		value, _ := io.ReadAll(r.Body)
		if f.corrupts {
			value[0] ^= 1
		}
		f.objects[r.URL.Path] = fakeObject{key, value}
		f.echo(w)
	case r.Method == "DELETE":
		if !f.keepsDeleted {
			delete(f.objects, r.URL.Path)
		}
		w.WriteHeader(http.StatusNoContent)
	case !there:
		f.fail(w, http.StatusNotFound, "NoSuchKey")
	case key == "" && !f.openReads && !f.noSSE:
		f.fail(w, http.StatusBadRequest, "InvalidRequest")
	case key == "" && strings.Contains(r.URL.RawQuery, "X-Amz-Signature") && !f.openReads:
		f.fail(w, http.StatusForbidden, "SignatureDoesNotMatch") // like a store that ignores SSE-C
	case key != "" && key != o.key && !f.anyKey && !f.noSSE:
		f.fail(w, http.StatusForbidden, "AccessDenied")
	default:
		if !f.noType {
			w.Header().Set("Content-Type", r.URL.Query().Get("response-content-type"))
			w.Header().Set("Content-Disposition", r.URL.Query().Get("response-content-disposition"))
		}
		f.echo(w)
		_, _ = w.Write(o.value)
	}
}

func (f *fakeS3) echo(w http.ResponseWriter) {
	if !f.noEcho {
		w.Header().Set(objects.HeaderAlgorithm, "AES256")
	}
	sum := md5.Sum(nil)
	w.Header().Set("ETag", hex.EncodeToString(sum[:]))
}

// TestVerifyFindsEachFault: Verify finds each fault of a store.
func TestVerifyFindsEachFault(t *testing.T) {
	for name, c := range map[string]struct {
		store      *fakeS3
		unsuitable string // part of the message; "": passes
		other      string // part of an error other than ErrUnsuitable
	}{
		"good":                      {store: &fakeS3{}},
		"ignores SSE-C, silent":     {store: &fakeS3{noSSE: true, noEcho: true}, unsuitable: "ignores the encryption headers"},
		"ignores SSE-C, but echoes": {store: &fakeS3{noSSE: true}, unsuitable: "without the encryption key"},
		"gives without a key":       {store: &fakeS3{openReads: true}, unsuitable: "without the encryption key"},
		"takes any key":             {store: &fakeS3{anyKey: true}, unsuitable: "wrong encryption key"},
		"overwrites":                {store: &fakeS3{overwrites: true}, unsuitable: "overwrites"},
		"deletes nothing":           {store: &fakeS3{keepsDeleted: true}, unsuitable: "deleted"},
		"forces no type":            {store: &fakeS3{noType: true}, unsuitable: "type and disposition"},
		"other bytes":               {store: &fakeS3{corrupts: true}, unsuitable: "other bytes"},
		"no SSE-C: 501":             {store: &fakeS3{refuse: 501, code: "NotImplemented"}, unsuitable: "HTTP 501, NotImplemented"},
		"no TLS: 400":               {store: &fakeS3{refuse: 400, code: "InvalidRequest"}, unsuitable: "over TLS only"},
		"SSE-C blocked: 403":        {store: &fakeS3{refuse: 403, code: "AccessDenied"}, unsuitable: "PutBucketEncryption"},
		"wrong secret":              {store: &fakeS3{refuse: 403, code: "SignatureDoesNotMatch"}, other: "check the bucket"},
		"no bucket":                 {store: &fakeS3{refuse: 404, code: "NoSuchBucket"}, other: "NoSuchBucket"},
		"busy":                      {store: &fakeS3{refuse: 503, code: "SlowDown"}, other: "HTTP 503"},
		"odd code":                  {store: &fakeS3{refuse: 500, code: "hush hush"}, other: "an unnamed error"},
	} {
		t.Run(name, func(t *testing.T) {
			c.store.objects = map[string]fakeObject{}
			srv := httptest.NewServer(c.store)
			defer srv.Close()
			s := newS3(t, func(o *objects.S3Options) { o.Endpoint, o.Timeout = srv.URL, 5*time.Second })
			err := s.Verify(t.Context())
			switch {
			case c.unsuitable != "":
				require.ErrorIs(t, err, objects.ErrUnsuitable)
				require.ErrorContains(t, err, c.unsuitable)
				require.ErrorContains(t, err, `"client" (not available yet)`)
			case c.other != "":
				require.NotErrorIs(t, err, objects.ErrUnsuitable)
				require.ErrorContains(t, err, c.other)
			default:
				require.NoError(t, err)
			}
			if err != nil {
				require.NotContains(t, err.Error(), "hush")
				require.NotContains(t, err.Error(), "http")
			}
			if !c.store.keepsDeleted {
				require.Empty(t, c.store.objects, "the canary stays")
			}
		})
	}
}
