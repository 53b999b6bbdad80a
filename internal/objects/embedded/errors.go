package embedded

import (
	"encoding/xml"
	"net/http"
	"strconv"
)

// apiError is an S3 error response ("Error responses", S3 API reference). Its texts are constants:
// they contain nothing of a request.
type apiError struct {
	status        int
	code, message string
	reason        string // for the observer, of Reasons
}

// Reasons are the reasons of refused requests and interrupted transfers, as passed to Observer.
var Reasons = []string{
	reasonSignature, reasonExpired, reasonOrigin, reasonMethod, reasonKey, reasonEnded, reasonMissing, reasonExists, reasonConflict, reasonSize,
	reasonIncomplete, reasonSlow, reasonShare, reasonBusy, reasonFull, reasonFailed,
}

const (
	reasonSignature  = "signature"  // the request is not signed, or differs from the signed one
	reasonExpired    = "expired"    // the URL has expired, or is not valid yet
	reasonOrigin     = "origin"     // the page's origin is not listed
	reasonMethod     = "method"     // not PUT, GET, HEAD or a preflight
	reasonKey        = "key"        // the key is not the object's
	reasonEnded      = "ended"      // the session has ended, before or during the transfer
	reasonMissing    = "missing"    // the object does not exist, or was deleted during the transfer
	reasonExists     = "exists"     // the object was uploaded before, or deleted
	reasonConflict   = "conflict"   // the object is being uploaded
	reasonSize       = "size"       // the object is larger than allowed
	reasonIncomplete = "incomplete" // the client disconnected
	reasonSlow       = "slow"       // the client was too slow
	reasonShare      = "share"      // the session or its tenant has too many transfers or bytes in progress
	reasonBusy       = "busy"       // all clients together have too many transfers in progress
	reasonFull       = "full"       // the disk has no room
	reasonFailed     = "failed"     // the store failed, or the object is damaged; see the log
)

var (
	errAnonymous      = &apiError{http.StatusForbidden, "AccessDenied", "The request is not signed.", reasonSignature}
	errSignature      = &apiError{http.StatusForbidden, "SignatureDoesNotMatch", "The request is not the one that was signed.", reasonSignature}
	errUnsignedHeader = &apiError{http.StatusForbidden, "AccessDenied", "A header of the request is not signed.", reasonSignature}
	errNoKey          = &apiError{http.StatusForbidden, "AccessDenied", "The encryption key is missing or not valid.", reasonSignature}
	errExpired        = &apiError{http.StatusForbidden, "AccessDenied", "Request has expired", reasonExpired}
	errNotYet         = &apiError{http.StatusForbidden, "RequestTimeTooSkewed", "The request is signed for a later time.", reasonExpired}
	errOrigin         = &apiError{http.StatusForbidden, "AccessDenied", "This origin is not allowed.", reasonOrigin}
	errWrongKey       = &apiError{http.StatusForbidden, "AccessDenied", "The encryption key is not that of the object.", reasonKey}
	errEnded          = &apiError{http.StatusForbidden, "AccessDenied", "The session that the request was signed for has ended.", reasonEnded}
	errConflict       = &apiError{http.StatusConflict, "ConditionalRequestConflict", "Another upload of the object is in progress.", reasonConflict}
	errBusy           = &apiError{http.StatusServiceUnavailable, "SlowDown", "Too many transfers are in progress: try again in a moment.", reasonBusy}
	errOverShare      = &apiError{http.StatusServiceUnavailable, errBusy.code, errBusy.message, reasonShare}
	errSlow           = &apiError{http.StatusBadRequest, "RequestTimeout", "The upload was slower than the store allows.", reasonSlow}
	errNoSuchKey      = &apiError{http.StatusNotFound, "NoSuchKey", "The object does not exist.", reasonMissing}
	errNoSuchUpload   = &apiError{http.StatusNotFound, "NoSuchUpload", "The upload does not exist: it is complete or was aborted.", reasonMissing}
	errMethod         = &apiError{http.StatusMethodNotAllowed, "MethodNotAllowed", "The method is not allowed.", reasonMethod}
	errExists         = &apiError{http.StatusPreconditionFailed, "PreconditionFailed", "The object exists.", reasonExists}
	errTooLarge       = &apiError{http.StatusBadRequest, "EntityTooLarge", "The object is larger than allowed.", reasonSize}
	errIncomplete     = &apiError{http.StatusBadRequest, "IncompleteBody", "The body ended early.", reasonIncomplete}
	errNoSpace        = &apiError{http.StatusInsufficientStorage, "InsufficientStorage", "There is no room for new values: try again later.", reasonFull}
	errInternal       = &apiError{http.StatusInternalServerError, "InternalError", "The store failed; see its log.", reasonFailed}
)

// busy reports whether the client should try again in a moment.
func (e *apiError) busy() bool { return e == errBusy || e == errOverShare }

// write sends the error; HEAD gets no body.
func (e *apiError) write(w http.ResponseWriter, r *http.Request) {
	body, err := xml.Marshal(struct {
		XMLName   xml.Name `xml:"Error"`
		Code      string
		Message   string
		RequestID string `xml:"RequestId"`
	}{Code: e.code, Message: e.message, RequestID: w.Header().Get("X-Amz-Request-Id")})
	if err != nil {
		body = nil // can't happen: two constants and a number
	}
	body = append([]byte(xml.Header), body...)
	h := w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	switch {
	case e == errNoSpace:
		h.Set("Retry-After", "30") // seconds
	case e.busy():
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(e.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
