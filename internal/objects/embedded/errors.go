package embedded

import (
	"encoding/xml"
	"net/http"
	"strconv"
)

// apiError is an answer in the S3 error vocabulary ("Error responses", S3 API reference). Its
// texts are constants: nothing of a request comes back.
type apiError struct {
	status        int
	code, message string
}

var (
	errAnonymous      = &apiError{http.StatusForbidden, "AccessDenied", "The request is not signed."}
	errSignature      = &apiError{http.StatusForbidden, "SignatureDoesNotMatch", "The request is not the one that was signed."}
	errUnsignedHeader = &apiError{http.StatusForbidden, "AccessDenied", "A header of the request is not signed."}
	errNoKey          = &apiError{http.StatusForbidden, "AccessDenied", "The encryption key is missing or not valid."}
	errExpired        = &apiError{http.StatusForbidden, "AccessDenied", "Request has expired"}
	errNotYet         = &apiError{http.StatusForbidden, "RequestTimeTooSkewed", "The request is signed for a later time."}
	errOrigin         = &apiError{http.StatusForbidden, "AccessDenied", "This origin is not allowed."}
	errWrongKey       = &apiError{http.StatusForbidden, "AccessDenied", "The encryption key does not fit the object."}
	errEnded          = &apiError{http.StatusForbidden, "AccessDenied", "The session that the request was signed for has ended."}
	errConflict       = &apiError{http.StatusConflict, "ConditionalRequestConflict", "Another upload of the object is under way."}
	errBusy           = &apiError{http.StatusServiceUnavailable, "SlowDown", "Too much is under way: try again in a moment."}
	errSlow           = &apiError{http.StatusBadRequest, "RequestTimeout", "The upload was slower than the store allows."}
	errNoSuchKey      = &apiError{http.StatusNotFound, "NoSuchKey", "The object does not exist."}
	errMethod         = &apiError{http.StatusMethodNotAllowed, "MethodNotAllowed", "The method is not allowed."}
	errExists         = &apiError{http.StatusPreconditionFailed, "PreconditionFailed", "The object exists."}
	errTooLarge       = &apiError{http.StatusBadRequest, "EntityTooLarge", "The object is larger than allowed."}
	errIncomplete     = &apiError{http.StatusBadRequest, "IncompleteBody", "The body ended early."}
	errNoSpace        = &apiError{http.StatusInsufficientStorage, "InsufficientStorage", "There is no room for new values: try again later."}
	errInternal       = &apiError{http.StatusInternalServerError, "InternalError", "The store failed; see its log."}
)

// write answers with the error; HEAD gets no body.
func (e *apiError) write(w http.ResponseWriter, r *http.Request) {
	body, err := xml.Marshal(struct {
		XMLName   xml.Name `xml:"Error"`
		Code      string
		Message   string
		RequestID string `xml:"RequestId"`
	}{Code: e.code, Message: e.message, RequestID: w.Header().Get("X-Amz-Request-Id")})
	if err != nil {
		body = nil // can't be: two constants and a number
	}
	body = append([]byte(xml.Header), body...)
	h := w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	switch {
	case e == errNoSpace:
		h.Set("Retry-After", "30") // seconds
	case e.status == http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(e.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
