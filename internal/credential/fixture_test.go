package credential

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The JWTs of these tests are put together by hand from the standard library's primitives, so that a
// mistake of the JOSE library can't hide in both halves of a test.

const (
	clinicIss = "https://clinic.example"
	bankIss   = "https://bank.example"
	ours      = "https://gateway.example"
)

// Refresh interval and maximum age of keys in these tests.
const (
	refreshEvery = 5 * time.Minute
	maxStale     = time.Hour
)

var start = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: start} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// outcomes is an Observer.
type outcomes struct {
	mu    sync.Mutex
	count map[string]int
}

func (o *outcomes) Credential(outcome string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.count == nil {
		o.count = map[string]int{}
	}
	o.count[outcome]++
}

func (o *outcomes) of(outcome string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.count[outcome]
}

// testKeys are made once, because generating RSA keys is slow.
var testKeys = sync.OnceValue(func() map[string]crypto.Signer {
	must := func(k crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return k
	}
	ec := func(c elliptic.Curve) crypto.Signer {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		return must(k, err)
	}
	rs := func() crypto.Signer {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		return must(k, err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	return map[string]crypto.Signer{
		"es256": ec(elliptic.P256()), "es384": ec(elliptic.P384()), "es512": ec(elliptic.P521()),
		"rsa": rs(), "ed": must(ed, err),
		"bank": ec(elliptic.P256()), "mallory": ec(elliptic.P256()), "mallory-rsa": rs(),
	}
})

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// publicJWK returns a key's public JWK with further members, such as `"use":"sig"`.
func publicJWK(kid string, k crypto.PublicKey, more ...string) string {
	members := []string{}
	if kid != "" {
		members = append(members, fmt.Sprintf(`"kid":%q`, kid))
	}
	switch k := k.(type) {
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		size := (len(point) - 1) / 2
		members = append(members, fmt.Sprintf(`"kty":"EC","crv":"P-%d","x":%q,"y":%q`,
			k.Curve.Params().BitSize, b64(point[1:1+size]), b64(point[1+size:])))
	case *rsa.PublicKey:
		members = append(members, fmt.Sprintf(`"kty":"RSA","n":%q,"e":%q`, b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes())))
	case ed25519.PublicKey:
		members = append(members, fmt.Sprintf(`"kty":"OKP","crv":"Ed25519","x":%q`, b64(k)))
	}
	return "{" + strings.Join(append(members, more...), ",") + "}"
}

func jwks(keys ...string) []byte { return []byte(`{"keys":[` + strings.Join(keys, ",") + `]}`) }

func public(name string) crypto.PublicKey { return testKeys()[name].Public() }

var hashes = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}

// sign returns the signature of an algorithm of JWA over input.
func sign(alg string, key crypto.Signer, input string) []byte {
	if alg == "EdDSA" || alg == "Ed25519" {
		return ed25519.Sign(key.(ed25519.PrivateKey), []byte(input))
	}
	hash := hashes[alg[2:]]
	h := hash.New()
	h.Write([]byte(input))
	digest := h.Sum(nil)
	var sig []byte
	var err error
	switch alg[:2] {
	case "ES":
		k := key.(*ecdsa.PrivateKey)
		r, s, e := ecdsa.Sign(rand.Reader, k, digest)
		sig, err = rawSignature(k.Curve, r, s), e
	case "RS":
		sig, err = rsa.SignPKCS1v15(rand.Reader, key.(*rsa.PrivateKey), hash, digest)
	case "PS":
		sig, err = rsa.SignPSS(rand.Reader, key.(*rsa.PrivateKey), hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	}
	if err != nil {
		panic(err)
	}
	return sig
}

func rawSignature(c elliptic.Curve, r, s *big.Int) []byte {
	size := (c.Params().BitSize + 7) / 8
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out
}

// token signs header and payload as they are.
func token(alg string, key crypto.Signer, header, payload string) string {
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	return input + "." + b64(sign(alg, key, input))
}

const goodHeader = `{"alg":"ES256","kid":"k1","typ":"JWT"}`

// good signs a payload as the clinic does.
func good(payload string) string { return token("ES256", testKeys()["es256"], goodHeader, payload) }

// headed signs good claims under another header, with the clinic's key.
func headed(header string) string { return token("ES256", testKeys()["es256"], header, claimsOf()) }

// claimsOf returns a session's claims. Each edit is a name and its JSON; no JSON removes the name.
func claimsOf(edits ...string) string {
	at := start.Unix()
	names := []string{"iss", "aud", "sub", "iat", "exp", "sid"}
	values := map[string]string{
		"iss": `"` + clinicIss + `"`, "aud": `"` + ours + `"`, "sub": `"user-1"`, "sid": `"session-1"`,
		"iat": fmt.Sprint(at), "exp": fmt.Sprint(at + 600),
	}
	for i := 0; i < len(edits); i += 2 {
		if !slices.Contains(names, edits[i]) {
			names = append(names, edits[i])
		}
		values[edits[i]] = edits[i+1]
	}
	var members []string
	for _, n := range names {
		if values[n] != "" {
			quoted, _ := json.Marshal(n)
			members = append(members, string(quoted)+":"+values[n])
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// clinic is an issuer with a key of every kind.
func clinic() Issuer {
	return Issuer{
		Name: "clinic", Issuer: clinicIss, Audience: ours, Types: []string{"JWT"}, SessionClaim: "sid", TrustRoles: true,
		Algorithms:  []string{"ES256", "ES384", "ES512", "EdDSA", "RS256", "PS256"},
		MaxLifetime: time.Hour, ClockSkew: 5 * time.Second, Refresh: refreshEvery, MaxAge: maxStale,
		JWKS: jwks(publicJWK("k1", public("es256")), publicJWK("k2", public("rsa")), publicJWK("k3", public("ed")),
			publicJWK("k4", public("es384")), publicJWK("k5", public("es512"))),
	}
}

func bank() Issuer {
	return Issuer{
		Name: "bank", Issuer: bankIss, Audience: ours, Types: []string{"JWT"}, SessionClaim: "sid", Algorithms: []string{"ES256"}, TrustRoles: true,
		MaxLifetime: time.Hour, ClockSkew: 5 * time.Second, JWKS: jwks(publicJWK("b1", public("bank"))),
	}
}

type fixture struct {
	*Authenticator
	clock *clock
	seen  *outcomes
}

func newFixture(t testing.TB, change func(*Options)) *fixture {
	f := &fixture{clock: newClock(), seen: &outcomes{}}
	o := Options{
		Issuers: []Issuer{clinic(), bank()}, Remember: 1000, Logger: slog.New(slog.DiscardHandler),
		Observer: f.seen, Now: f.clock.now,
	}
	if change != nil {
		change(&o)
	}
	a, err := New(o)
	require.NoError(t, err)
	f.Authenticator = a
	return f
}

func request(authorization ...string) *http.Request {
	r, err := http.NewRequest(http.MethodPost, ours+"/graphql", http.NoBody)
	if err != nil {
		panic(err)
	}
	if authorization != nil {
		r.Header["Authorization"] = authorization
	}
	return r
}

func bearer(jwt string) *http.Request { return request("Bearer " + jwt) }
