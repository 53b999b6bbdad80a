package embedded

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"path/filepath"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// linger is how long net/http continues to read a refused request's body, so that the client reads the response before the
// connection closes.
const linger = time.Second

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
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(s.opts.Grace)) // not every writer has a deadline to set
	if e := s.serve(w, r); e != nil {
		s.opts.Logger.DebugContext(r.Context(), "object request refused", "method", r.Method, "status", e.status, "code", e.code)
		s.refused(r, e.reason)
		closeRefused(h, control, r, e)
		e.write(w, r)
	}
}

// refused calls the observer, except for the canary's requests, which are refused on purpose.
func (s *Server) refused(r *http.Request, reason string) {
	if s.opts.Observer != nil && !objects.IsCanary(r.Context()) {
		s.opts.Observer.ObjectRefused(reason)
	}
}

// closeRefused closes the connection of a refused request: if it has a body, after linger; at once while the store is busy.
func closeRefused(h http.Header, control *http.ResponseController, r *http.Request, e *apiError) {
	if !e.busy() && r.ContentLength == 0 {
		return
	}
	h.Set("Connection", "close") // so that the response is sent before the body is read
	wait := linger
	if e.busy() {
		wait = 0
	}
	_ = control.SetReadDeadline(time.Now().Add(wait))
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
	switch {
	case req.Part > 0:
		return s.putPart(w, r, &req)
	case r.Method == http.MethodPut:
		return s.put(w, r, &req)
	}
	return s.get(w, r, &req)
}

// fail logs an error of the disk, and returns a response that does not contain it.
func (s *Server) fail(r *http.Request, object string, what string, err error) *apiError {
	s.opts.Logger.ErrorContext(r.Context(), "object store: "+what, "file", filepath.Base(s.disk.path(object)), "error", err)
	return errInternal
}

// describe sets the headers of both uploads and downloads: the ETag, and in mode SSEC the confirmation of the encryption.
func (s *Server) describe(w http.ResponseWriter, req *objects.Request, h *header) {
	header := w.Header()
	header.Set("ETag", `"`+hex.EncodeToString(h.etag[:])+`"`)
	if req.Mode == objects.SSEC {
		header.Set(objects.HeaderAlgorithm, "AES256")
		header.Set(objects.HeaderKeyMD5, objects.KeyMD5(req.Key))
	}
}
