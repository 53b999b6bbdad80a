package webtest

import (
	"encoding/xml"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const keyHeader = "X-Amz-Server-Side-Encryption-Customer-Key"

// corsHeaders are the request headers of signed requests, as a bucket's CORS rule names them.
const corsHeaders = "content-type, if-none-match, x-amz-server-side-encryption-customer-key"

// serveObject is the object store: /TOKEN?expires=UNIX, with the headers that were "signed".
func (s *Servers) serveObject(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") != s.Gateway.URL {
		refuse(w, http.StatusForbidden, "AccessForbidden", "CORSResponse: this origin is not allowed")
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", s.Gateway.URL)
	w.Header().Set("Vary", "Origin")
	if r.Method == http.MethodOptions {
		w.Header().Set("Access-Control-Allow-Methods", "GET, PUT")
		w.Header().Set("Access-Control-Allow-Headers", corsHeaders)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.values[strings.TrimPrefix(r.URL.Path, "/")]
	expires, _ := strconv.ParseInt(r.URL.Query().Get("expires"), 10, 64)
	switch {
	case v == nil:
		refuse(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	case time.Now().Unix() >= expires:
		refuse(w, http.StatusForbidden, "AccessDenied", "Request has expired")
	case r.Header.Get(keyHeader) != v.key || r.Header.Get("Cookie") != "":
		refuse(w, http.StatusForbidden, "SignatureDoesNotMatch", "The request does not match its signature.")
	case r.Method == http.MethodPut:
		put(w, r, v)
	case r.Method == http.MethodGet && v.object == nil:
		refuse(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	case r.Method == http.MethodGet:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", "attachment")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(v.object)
	default:
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "The method is not allowed.")
	}
}

func put(w http.ResponseWriter, r *http.Request, v *value) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 32<<20))
	switch {
	case err != nil:
		refuse(w, http.StatusBadRequest, "IncompleteBody", "The body did not arrive.")
	case r.Header.Get("Content-Type") != v.contentType, r.Header.Get("If-None-Match") != "*",
		v.size != 0 && v.size != len(body):
		refuse(w, http.StatusForbidden, "SignatureDoesNotMatch", "The request does not match its signature.")
	case v.object != nil:
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed", "The object exists.")
	default:
		v.object = body
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}{Code: code, Message: message})
}
