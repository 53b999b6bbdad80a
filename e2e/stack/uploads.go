package stack

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// The operations of uploads in parts.
const (
	BeginUpload = `mutation($input: BeginUploadInput) { beginUpload(input: $input) {
		token parts { minSize maxSize maxNumber } uploadUntil expiresAt encryption { scheme key associatedData } } }`
	UploadParts = `mutation($token: TokenID!, $parts: [UploadPartInput!]!) { uploadParts(token: $token, parts: $parts) {
		number request { method url headers { name value } expiresAt } } }`
	CompleteUpload = `mutation($token: TokenID!, $size: Int64!) { completeUpload(token: $token, size: $size) { token expiresAt } }`
	AbortUpload    = `mutation($token: TokenID!) { abortUpload(token: $token) { aborted } }`
	UploadStatus   = `query($token: TokenID!) { uploadStatus(token: $token) {
		parts { number size } uploadUntil limits { minSize maxSize maxNumber } encryption { scheme key associatedData } } }`
)

// Begin begins an upload in parts, and returns its token and encryption.
func (s *Stack) Begin(t testing.TB, jwt string, input Vars) (token string, e *Encryption) {
	t.Helper()
	r := s.Query(t, jwt, BeginUpload, Vars{"input": input}).OK(t)
	return r.At("beginUpload", "token").(string), EncryptionOf(t, r.At("beginUpload", "encryption"))
}

// SignPart returns the request for one part.
func (s *Stack) SignPart(t testing.TB, jwt, token string, number, size int) SignedRequest {
	t.Helper()
	r := s.Query(t, jwt, UploadParts, Vars{"token": token, "parts": []Vars{{"number": number, "size": size}}}).OK(t)
	return Signed(t, r.At("uploadParts", 0, "request"))
}

// PutPart uploads one part as it is.
func (s *Stack) PutPart(t testing.TB, jwt, token string, number int, body []byte) {
	t.Helper()
	a := s.Send(t, s.SignPart(t, jwt, token, number, len(body)), body)
	require.Equal(t, http.StatusOK, a.Status, "part %d: %s", number, a.Body)
}

// Seal returns what is uploaded for a value: the ciphertext, or for nil the value.
func (e *Encryption) Seal(t testing.TB, value []byte) []byte { return e.seal(t, value) }
