package stack

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
)

// The operations of most tests.
const (
	Tokenize = `mutation($input: TokenizeInput) { tokenize(input: $input) {
		token expiresAt upload { method url headers { name value } expiresAt } encryption { scheme key associatedData } } }`
	Detokenize = `mutation($token: TokenID!) { detokenize(token: $token) {
		token download { method url headers { name value } expiresAt } encryption { scheme key associatedData }
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

// Encryption is how the client encrypts a value; nil if the store does.
type Encryption struct {
	Scheme              string
	Key, AssociatedData []byte
}

// aead returns Tink's own primitive, so that the gateway's answers are checked by an implementation that is not ours.
func (e *Encryption) aead(t testing.TB) *subtle.AESGCMHKDF {
	t.Helper()
	require.Equal(t, "TINK_AES256_GCM_HKDF_1MB", e.Scheme)
	a, err := subtle.NewAESGCMHKDF(e.Key, "SHA256", 32, 1<<20, 0)
	require.NoError(t, err)
	return a
}

// seal returns what is uploaded for a value.
func (e *Encryption) seal(t testing.TB, value []byte) []byte {
	t.Helper()
	if e == nil {
		return value
	}
	var b bytes.Buffer
	w, err := e.aead(t).NewEncryptingWriter(&b, e.AssociatedData)
	require.NoError(t, err)
	_, err = w.Write(value)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// open returns the value of what was downloaded.
func (e *Encryption) open(t testing.TB, stored []byte) []byte {
	t.Helper()
	if e == nil {
		return stored
	}
	r, err := e.aead(t).NewDecryptingReader(bytes.NewReader(stored), e.AssociatedData)
	require.NoError(t, err)
	value, err := io.ReadAll(r)
	require.NoError(t, err)
	return value
}

// EncryptionOf decodes the encryption in an answer: nil for null.
func EncryptionOf(t testing.TB, v any) (e *Encryption) {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &e))
	return e
}

// Store tokenizes a value and uploads it, encrypted if the answer asks for it.
func (s *Stack) Store(t testing.TB, jwt string, value []byte, metadata Vars) (token string, upload SignedRequest) {
	t.Helper()
	input := Vars{"size": len(value)}
	if metadata != nil {
		input["metadata"] = metadata
	}
	r := s.Query(t, jwt, Tokenize, Vars{"input": input}).OK(t)
	upload = Signed(t, r.At("tokenize", "upload"))
	a := s.Send(t, upload, EncryptionOf(t, r.At("tokenize", "encryption")).seal(t, value))
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	return r.At("tokenize", "token").(string), upload
}

// DataKey returns the key of a value that the session may read.
func (s *Stack) DataKey(t testing.TB, jwt, token string) []byte {
	t.Helper()
	r := s.Detokenize(t, jwt, token).OK(t)
	if e := EncryptionOf(t, r.At("detokenize", "encryption")); e != nil {
		return e.Key
	}
	key, err := base64.StdEncoding.DecodeString(Signed(t, r.At("detokenize", "download")).Header("x-amz-server-side-encryption-customer-key"))
	require.NoError(t, err)
	require.Len(t, key, 32)
	return key
}

// Reserve tokenizes a value of one byte, and uploads nothing.
func (s *Stack) Reserve(t testing.TB, jwt string) (token string) {
	t.Helper()
	return s.Query(t, jwt, Tokenize, Vars{"input": Vars{"size": 1}}).OK(t).At("tokenize", "token").(string)
}

// Detokenize requests a token's download.
func (s *Stack) Detokenize(t testing.TB, jwt, token string) Response {
	t.Helper()
	return s.Query(t, jwt, Detokenize, Vars{"token": token})
}

// Read detokenizes, downloads and, if the answer asks for it, decrypts.
func (s *Stack) Read(t testing.TB, jwt, token string) []byte {
	t.Helper()
	r := s.Detokenize(t, jwt, token).OK(t)
	a := s.Send(t, Signed(t, r.At("detokenize", "download")), nil)
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	return EncryptionOf(t, r.At("detokenize", "encryption")).open(t, a.Body)
}

// Checks returns checks of one kind for verifyGrants, as in JSON: missing checks have the same form.
func Checks(kind string, tokens ...string) []any {
	checks := make([]any, len(tokens))
	for i, token := range tokens {
		checks[i] = map[string]any{"token": token, "kind": kind}
	}
	return checks
}
