package objects_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// scripted is a store whose answers a test gives, and which records the requests.
type scripted struct {
	asked  []string
	answer func(w http.ResponseWriter, r *http.Request)
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked = append(s.asked, r.Method+" "+r.URL.RawQuery+" "+r.Header.Get("If-None-Match"))
	s.answer(w, r)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>hush https://store/x</Message></Error>", code)
}

// TestS3MultipartErrors: each refusal of a store is the error that the contract names, without its text.
func TestS3MultipartErrors(t *testing.T) {
	ctx := context.Background()
	s := &scripted{}
	server := httptest.NewServer(s)
	defer server.Close()
	store := newS3(t, func(o *objects.S3Options) { o.Endpoint, o.PathStyle = server.URL, true })
	m := objects.Multipart{Object: "v/1", ID: "id"}
	part := []objects.Part{{Number: 1, Size: 5, ETag: `"a"`}}
	complete := func() error { return store.CompleteMultipart(ctx, m, part) }
	list := func() error { _, err := store.ListParts(ctx, m); return err }
	abort := func() error { return store.AbortMultipart(ctx, m) }
	size := func() error { _, err := store.Size(ctx, m); return err }
	for name, c := range map[string]struct {
		call   func() error
		status int
		code   string
		want   error
	}{
		"complete, over": {complete, 404, "NoSuchUpload", objects.ErrNoUpload}, "complete, exists": {complete, 412, "PreconditionFailed", objects.ErrObjectExists},
		"complete, changed": {complete, 400, "InvalidPart", objects.ErrParts}, "complete, small": {complete, 400, "EntityTooSmall", objects.ErrParts},
		"complete, full": {complete, 400, "XMinioStorageFull", objects.ErrNoSpace}, "list, over": {list, 404, "NoSuchUpload", objects.ErrNoUpload},
		"abort, over": {abort, 404, "NoSuchUpload", nil}, "size, none": {size, 404, "NoSuchKey", objects.ErrNoObject},
		"size, a tombstone": {size, 403, "AccessDenied", objects.ErrNoObject},
	} {
		t.Run(name, func(t *testing.T) {
			s.answer = func(w http.ResponseWriter, _ *http.Request) { refuse(w, c.status, c.code) }
			err := c.call()
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, c.want)
			require.NotContains(t, err.Error(), "hush")
			require.NotContains(t, err.Error(), "://")
		})
	}
	for name, call := range map[string]func() error{"complete": complete, "list": list, "abort": abort} {
		t.Run(name+", denied", func(t *testing.T) {
			s.answer = func(w http.ResponseWriter, _ *http.Request) { refuse(w, 403, "AccessDenied") }
			err := call()
			require.Error(t, err)
			require.NotErrorIs(t, err, objects.ErrNoUpload)
			require.NotContains(t, err.Error(), "hush")
		})
	}
	t.Run("an error in a 200", func(t *testing.T) {
		s.answer = func(w http.ResponseWriter, _ *http.Request) { refuse(w, 200, "InvalidPart") }
		require.Error(t, complete())
	})
}

// TestS3CompletesWithoutIfNoneMatch: a store that does not know the header on a completion gets the request without it.
func TestS3CompletesWithoutIfNoneMatch(t *testing.T) {
	s := &scripted{answer: func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "" {
			refuse(w, 501, "NotImplemented")
			return
		}
		_, _ = fmt.Fprint(w, "<CompleteMultipartUploadResult><Key>v/1</Key></CompleteMultipartUploadResult>")
	}}
	server := httptest.NewServer(s)
	defer server.Close()
	store := newS3(t, func(o *objects.S3Options) { o.Endpoint, o.PathStyle = server.URL, true })
	require.NoError(t, store.CompleteMultipart(context.Background(), objects.Multipart{Object: "v/1", ID: "id"}, nil))
	require.True(t, strings.HasSuffix(s.asked[0], " *"), "asked with the header first")
}

// TestS3ListsInOrder: a store that repeats a page, or has parts out of order, is an error, and no endless loop.
func TestS3ListsInOrder(t *testing.T) {
	s := &scripted{answer: func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, "<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>0</NextPartNumberMarker><Part><PartNumber>1</PartNumber><Size>5</Size><ETag>a</ETag></Part></ListPartsResult>")
	}}
	server := httptest.NewServer(s)
	defer server.Close()
	store := newS3(t, func(o *objects.S3Options) { o.Endpoint, o.PathStyle = server.URL, true })
	_, err := store.ListParts(context.Background(), objects.Multipart{Object: "v/1", ID: "id"})
	require.ErrorContains(t, err, "not in order")
	require.Len(t, s.asked, 2)
}
