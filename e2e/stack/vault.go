package stack

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// The operations of most tests.
const (
	Tokenize = `mutation($input: TokenizeInput) { tokenize(input: $input) {
		token expiresAt upload { method url headers { name value } expiresAt } } }`
	Detokenize = `mutation($token: TokenID!) { detokenize(token: $token) {
		token download { method url headers { name value } expiresAt }
		metadata { filename contentType lastModified custom } } }`
	CreateGrants = `mutation($input: CreateGrantsInput!) { createGrants(input: $input) { grants { expiresAt missing } } }`
	RevokeGrants = `mutation($input: RevokeGrantsInput!) { revokeGrants(input: $input) { revoked } }`
	CarryGrants  = `mutation($input: CarryGrantsInput!) { carryGrants(input: $input) { carried } }`
	VerifyGrants = `query($input: VerifyGrantsInput!) { verifyGrants(input: $input) { valid missing { token kind } } }`
	DeleteTokens = `mutation($tokens: [TokenID!]!) { deleteTokens(tokens: $tokens) { deleted } }`
	Describe     = `query($id: TokenID!) { token(id: $id) { id createdAt expiresAt metadata { filename contentType lastModified custom } } }`
	Viewer       = `{ viewer { subject sessionHash roles tenant expiresAt } }`
)

// Vars are an operation's variables.
type Vars = map[string]any

// SignedRequest is a request to the object store, as the gateway signs it.
type SignedRequest struct {
	Method, URL, ExpiresAt string
	Headers                []struct{ Name, Value string }
}

// Header returns the value of a signed header.
func (r SignedRequest) Header(name string) string {
	for _, h := range r.Headers {
		if http.CanonicalHeaderKey(h.Name) == http.CanonicalHeaderKey(name) {
			return h.Value
		}
	}
	return ""
}

// DataKey returns the value's key, from the signed headers.
func (r SignedRequest) DataKey(t testing.TB) []byte {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(r.Header("X-Amz-Server-Side-Encryption-Customer-Key"))
	require.NoError(t, err)
	require.Len(t, key, 32)
	return key
}

// Signed reads a signed request from a response.
func Signed(t testing.TB, v any) (r SignedRequest) {
	t.Helper()
	require.NotNil(t, v)
	b, err := json.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &r))
	return r
}

// Send performs a signed request with a body.
func (s *Stack) Send(t testing.TB, r SignedRequest, body []byte) Answer {
	t.Helper()
	response := s.Stream(t, r, bytes.NewReader(body), int64(len(body)))
	defer func() { _ = response.Body.Close() }()
	got, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return Answer{Status: response.StatusCode, Header: response.Header, Body: got}
}

// Stream performs a signed request without holding the body in memory. The caller closes the response's body.
func (s *Stack) Stream(t testing.TB, r SignedRequest, body io.Reader, size int64) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), r.Method, r.URL, body)
	require.NoError(t, err)
	request.ContentLength = size
	for _, h := range r.Headers {
		request.Header.Add(h.Name, h.Value)
	}
	response, err := s.HTTP.Do(request)
	require.NoError(t, err)
	return response
}

// Store tokenizes a value and uploads it.
func (s *Stack) Store(t testing.TB, jwt string, value []byte, metadata Vars) (token string, upload SignedRequest) {
	t.Helper()
	input := Vars{"size": len(value)}
	if metadata != nil {
		input["metadata"] = metadata
	}
	r := s.Query(t, jwt, Tokenize, Vars{"input": input}).OK(t)
	upload = Signed(t, r.At("tokenize", "upload"))
	a := s.Send(t, upload, value)
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	return r.At("tokenize", "token").(string), upload
}

// Reserve tokenizes, and uploads nothing.
func (s *Stack) Reserve(t testing.TB, jwt string) (token string) {
	t.Helper()
	return s.Query(t, jwt, Tokenize, nil).OK(t).At("tokenize", "token").(string)
}

// Detokenize requests a token's download.
func (s *Stack) Detokenize(t testing.TB, jwt, token string) Response {
	t.Helper()
	return s.Query(t, jwt, Detokenize, Vars{"token": token})
}

// Read detokenizes and downloads.
func (s *Stack) Read(t testing.TB, jwt, token string) []byte {
	t.Helper()
	a := s.Send(t, Signed(t, s.Detokenize(t, jwt, token).OK(t).At("detokenize", "download")), nil)
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	return a.Body
}

// Checks returns checks of one kind for verifyGrants, as in JSON: missing checks have the same form.
func Checks(kind string, tokens ...string) []any {
	checks := make([]any, len(tokens))
	for i, token := range tokens {
		checks[i] = map[string]any{"token": token, "kind": kind}
	}
	return checks
}
