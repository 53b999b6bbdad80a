package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// app is an application that makes its JWS with the standard library alone.
type app struct {
	*httptest.Server
	name, sid, subject string
	key                *ecdsa.PrivateKey
	gateway            string // base URL
	mu                 sync.Mutex
	asked              []string // paths
}

func newApp(t testing.TB, name string) *app {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	a := &app{name: name, sid: "sid-of-" + name + "-" + rand.Text(), subject: "user@" + name, key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.cloakroom/sign-in", func(w http.ResponseWriter, r *http.Request) {
		state := r.FormValue("state")
		fmt.Fprintf(w, `<form method="post" action="%s/session/create"><input name="state" value="%s"><input name="assertion" value="%s"></form>`,
			a.gateway, state, a.assertion(state))
	})
	mux.HandleFunc("GET /jwks.json", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, a.jwks(t)) })
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.asked = append(a.asked, r.URL.Path)
		a.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *app) jwks(t testing.TB) string {
	point, err := a.key.PublicKey.Bytes()
	require.NoError(t, err)
	return fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":%q,"use":"sig","x":%q,"y":%q}]}`, a.name, b64(point[1:33]), b64(point[33:]))
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// sign returns a compact JWS signed with the application's key.
func (a *app) sign(header, claims map[string]any) string {
	c, _ := json.Marshal(claims)
	return a.signed(header, b64(c))
}

// signed is sign for claims that are encoded already.
func (a *app) signed(header map[string]any, claims string) string {
	h, _ := json.Marshal(header)
	input := b64(h) + "." + claims
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, a.key, digest[:])
	if err != nil {
		panic(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + b64(signature)
}

func (a *app) header(typ string) map[string]any {
	return map[string]any{"alg": "ES256", "kid": a.name, "typ": typ}
}

// claims returns a session's claims, with edits; nil removes a claim.
func (a *app) claims(edits map[string]any) map[string]any {
	now := time.Now().Unix()
	c := map[string]any{"iss": a.URL, "aud": a.gateway, "sub": a.subject, "sid": a.sid, "iat": now, "exp": now + 60, "jti": rand.Text()}
	maps.Copy(c, edits)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

const assertionType = "cloakroom-sign-in+jwt"

// assertion answers a state, with edits to the claims.
func (a *app) assertion(state string, edits ...map[string]any) string {
	sum := sha256.Sum256([]byte(state))
	all := map[string]any{"s_hash": b64(sum[:16])}
	for _, e := range edits {
		maps.Copy(all, e)
	}
	return a.sign(a.header(assertionType), a.claims(all))
}

// session is a session's JWT, with edits to the claims.
func (a *app) session(edits map[string]any) string {
	return a.sign(a.header("JWT"), a.claims(edits))
}
