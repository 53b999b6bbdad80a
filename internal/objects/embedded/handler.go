package embedded

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"net/http"
	"path/filepath"
	"sync"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// buffers are for copying; three DARE packages, so that a copy makes few system calls.
var buffers = sync.Pool{New: func() any { b := make([]byte, 192<<10); return &b }}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var id [8]byte
	_, _ = rand.Read(id[:])
	h := w.Header()
	h.Set("X-Amz-Request-Id", hex.EncodeToString(id[:]))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "no-store")
	h.Set("Accept-Ranges", "none")
	if e := s.serve(w, r); e != nil {
		s.opts.Logger.DebugContext(r.Context(), "object request refused", "method", r.Method, "status", e.status, "code", e.code)
		e.write(w, r)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) *apiError {
	if !s.cors(w, r) {
		return errOrigin
	}
	switch r.Method {
	case http.MethodOptions:
		return s.preflight(w, r)
	case http.MethodPut, http.MethodGet, http.MethodHead:
	default:
		return errMethod
	}
	req, refused := s.verify(r)
	if refused != nil {
		return refused
	}
	if r.Method == http.MethodPut {
		return s.put(w, r, &req)
	}
	return s.get(w, r, &req)
}

// fail logs an error of the disk, and answers without it.
func (s *Server) fail(r *http.Request, object string, what string, err error) *apiError {
	s.opts.Logger.ErrorContext(r.Context(), "object store: "+what, "file", filepath.Base(s.disk.path(object)), "error", err)
	return errInternal
}

// copyAll is io.Copy with a pooled buffer; the wrappers keep it from choosing another way.
func copyAll(w io.Writer, r io.Reader) error {
	b := buffers.Get().(*[]byte)
	defer func() { clear(*b); buffers.Put(b) }()
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, *b)
	return err
}

// describe sets what uploads and downloads both say: the ETag, and that SSE-C took place.
func (s *Server) describe(w http.ResponseWriter, req *objects.Request, h *header) {
	header := w.Header()
	header.Set("ETag", `"`+hex.EncodeToString(h.etag[:])+`"`)
	header.Set(objects.HeaderAlgorithm, "AES256")
	header.Set(objects.HeaderKeyMD5, objects.KeyMD5(req.Key))
}
