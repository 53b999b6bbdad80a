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
	noSSE, noEcho, openReads, anyKey, overwrites, keepsDeleted, noType, corrupts, public, blocksSSE bool
	refuse                                                                                          int    // status of every PUT
	code                                                                                            string // of refuse

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
	case r.Method == "PUT" && key != "" && f.blocksSSE:
		f.fail(w, http.StatusForbidden, "AccessDenied")
	case r.Method == "GET" && r.URL.RawQuery == "" && !f.public:
		f.fail(w, http.StatusForbidden, "AccessDenied")
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
	case key == "" && o.key != "" && r.URL.RawQuery != "" && !f.openReads && !f.noSSE:
		f.fail(w, http.StatusBadRequest, "InvalidRequest")
	case key == "" && o.key != "" && strings.Contains(r.URL.RawQuery, "X-Amz-Signature") && !f.openReads:
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
	const orClient = "use another store, or set objects.encryption to client"
	for name, c := range map[string]struct {
		store      *fakeS3
		unsuitable string // part of the message; "": passes
		other      string // part of an error other than ErrUnsuitable
		remedy     string // part of the message; "": use another store, if unsuitable
	}{
		"good":                      {store: &fakeS3{}},
		"ignores SSE-C, silent":     {store: &fakeS3{noSSE: true, noEcho: true}, unsuitable: "ignores the encryption headers", remedy: orClient},
		"ignores SSE-C, but echoes": {store: &fakeS3{noSSE: true}, unsuitable: "without the encryption key", remedy: orClient},
		"gives without a key":       {store: &fakeS3{openReads: true}, unsuitable: "without the encryption key", remedy: orClient},
		"public":                    {store: &fakeS3{public: true}, unsuitable: "without a signature", remedy: "must not be public"},
		"takes any key":             {store: &fakeS3{anyKey: true}, unsuitable: "wrong encryption key", remedy: orClient},
		"overwrites":                {store: &fakeS3{overwrites: true}, unsuitable: "overwrites"},
		"deletes nothing":           {store: &fakeS3{keepsDeleted: true}, unsuitable: "deleted"},
		"forces no type":            {store: &fakeS3{noType: true}, unsuitable: "type and disposition"},
		"other bytes":               {store: &fakeS3{corrupts: true}, unsuitable: "other bytes"},
		"no SSE-C: 501":             {store: &fakeS3{refuse: 501, code: "NotImplemented"}, unsuitable: "HTTP 501, NotImplemented", remedy: orClient},
		"no TLS: 400":               {store: &fakeS3{refuse: 400, code: "InvalidRequest"}, unsuitable: "over TLS only", remedy: orClient},
		"SSE-C blocked: 403":        {store: &fakeS3{blocksSSE: true}, unsuitable: "set objects.encryption to client", remedy: "PutBucketEncryption"},
		"no right to write: 403":    {store: &fakeS3{refuse: 403, code: "AccessDenied"}, other: "s3:PutObject"},
		"wrong secret":              {store: &fakeS3{refuse: 403, code: "SignatureDoesNotMatch"}, other: "check the bucket"},
		"no bucket":                 {store: &fakeS3{refuse: 404, code: "NoSuchBucket"}, other: "NoSuchBucket"},
		"busy":                      {store: &fakeS3{refuse: 503, code: "SlowDown"}, other: "HTTP 503"},
		"odd code":                  {store: &fakeS3{refuse: 500, code: "hush hush"}, other: "an unnamed error"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.unsuitable != "" && c.remedy == "" {
				c.remedy = "use another store"
			}
			err := c.store.verify(t, objects.SSEC)
			requireFault(t, err, c.unsuitable, c.other)
			if c.remedy != "" {
				require.ErrorContains(t, err, c.remedy)
			}
		})
	}
}

// TestVerifyInClientMode: in mode Client a store needs no SSE-C, and everything else.
func TestVerifyInClientMode(t *testing.T) {
	for name, c := range map[string]struct {
		store             *fakeS3
		unsuitable, other string
	}{
		"good":            {store: &fakeS3{}},
		"no SSE-C":        {store: &fakeS3{noSSE: true, noEcho: true}},
		"blocks SSE-C":    {store: &fakeS3{blocksSSE: true}},
		"public":          {store: &fakeS3{public: true}, unsuitable: "without a signature"},
		"overwrites":      {store: &fakeS3{overwrites: true}, unsuitable: "overwrites"},
		"deletes nothing": {store: &fakeS3{keepsDeleted: true}, unsuitable: "deleted"},
		"forces no type":  {store: &fakeS3{noType: true}, unsuitable: "type and disposition"},
		"other bytes":     {store: &fakeS3{corrupts: true}, unsuitable: "other bytes"},
		"may not write":   {store: &fakeS3{refuse: 403, code: "AccessDenied"}, other: "check the bucket"},
		"busy":            {store: &fakeS3{refuse: 503, code: "SlowDown"}, other: "HTTP 503"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.store.verify(t, objects.Client)
			requireFault(t, err, c.unsuitable, c.other)
			if err != nil {
				require.NotContains(t, err.Error(), "set objects.encryption", "it is set already")
			}
		})
	}
}

// verify runs the canary against the store, and expects it to remove its object.
func (f *fakeS3) verify(t *testing.T, mode objects.Mode) error {
	f.objects = map[string]fakeObject{}
	srv := httptest.NewServer(f)
	defer srv.Close()
	s := newS3(t, func(o *objects.S3Options) { o.Endpoint, o.Mode, o.Timeout = srv.URL, mode, 5*time.Second })
	err := s.Verify(t.Context())
	if !f.keepsDeleted {
		require.Empty(t, f.objects, "the canary stays")
	}
	return err
}

// requireFault expects an error that wraps ErrUnsuitable, another error, or none. It must not quote the store.
func requireFault(t *testing.T, err error, unsuitable, other string) {
	t.Helper()
	switch {
	case unsuitable != "":
		require.ErrorIs(t, err, objects.ErrUnsuitable)
		require.ErrorContains(t, err, unsuitable)
	case other != "":
		require.NotErrorIs(t, err, objects.ErrUnsuitable)
		require.ErrorContains(t, err, other)
	default:
		require.NoError(t, err)
		return
	}
	require.NotContains(t, err.Error(), "hush")
	require.NotContains(t, err.Error(), "http")
}
