package gateway

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
)

// claimSet is a JWT's payload; encoding/json encodes the values.
type claimSet map[string]any

// with returns the claims with others set; nil removes a claim.
func (c claimSet) with(more claimSet) claimSet {
	changed := maps.Clone(c)
	maps.Copy(changed, more)
	maps.DeleteFunc(changed, func(_ string, v any) bool { return v == nil })
	return changed
}

type uncounted struct{}

func (uncounted) Credential(string) {}

// signer is a provider's key.
type signer struct {
	alg string
	key crypto.Signer
	jwk string
}

var rsaSigner = sync.OnceValue(func() *signer {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return &signer{"RS256", k, fmt.Sprintf(`{"kty":"RSA","kid":"p1","use":"sig","alg":"RS256","n":%q,"e":"AQAB"}`, base64.RawURLEncoding.EncodeToString(k.N.Bytes()))}
})

var ecSigner = sync.OnceValue(func() *signer {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	point, err := k.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return &signer{"ES256", k, fmt.Sprintf(`{"kty":"EC","crv":"P-256","kid":"p1","use":"sig","alg":"ES256","key_ops":["verify"],"ext":true,"x":%q,"y":%q}`,
		base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:]))}
})

func (s *signer) sign(t *testing.T, typ string, claims claimSet) string {
	t.Helper()
	header := map[string]any{"alg": s.alg, "kid": "p1"}
	if typ != "" {
		header["typ"] = typ
	}
	var parts []string
	for _, part := range []any{header, claims} {
		b, err := json.Marshal(part)
		require.NoError(t, err)
		parts = append(parts, base64.RawURLEncoding.EncodeToString(b))
	}
	input := strings.Join(parts, ".")
	digest := sha256.Sum256([]byte(input))
	var sig []byte
	var err error
	if k, ok := s.key.(*ecdsa.PrivateKey); ok {
		var r, v *big.Int
		r, v, err = ecdsa.Sign(rand.Reader, k, digest[:])
		sig = make([]byte, 64)
		r.FillBytes(sig[:32])
		v.FillBytes(sig[32:])
	} else {
		sig, err = s.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	}
	require.NoError(t, err)
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// recipe reads the settings below a heading of docs/identity-providers.md, adds the application's issuer, and replaces the
// provider's key by the test's.
func recipe(t *testing.T, heading string, s *signer) *Config {
	t.Helper()
	page, err := os.ReadFile("../docs/identity-providers.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(page), "\n### "+heading+"\n")
	require.True(t, ok, "no recipe %s", heading)
	_, block, ok := strings.Cut(section, "```yaml settings\n")
	require.True(t, ok)
	block, _, _ = strings.Cut(block, "```")
	file := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(file, []byte(block), 0o600))
	cfg, err := LoadConfig(file, nil)
	require.NoError(t, err)
	require.Len(t, cfg.Issuers, 1)
	shop := DefaultIssuer()
	shop.Name, shop.Issuer, shop.JWKSURL, shop.TrustRoles = "shop", "https://www.example.org", "https://www.example.org/.cloakroom/jwks.json", true
	cfg.Issuers = append(cfg.Issuers, shop)
	cfg.HTTP.PublicURL, cfg.Database.Path, cfg.Keys.File = "https://cloakroom.example.org", "rows.db", "keyset.json"
	cfg.Objects.S3.Bucket, cfg.Objects.S3.Region = "values", "eu-central-1"
	require.NoError(t, cfg.Verify())
	cfg.Issuers[0].Discovery, cfg.Issuers[0].JWKSURL, cfg.Issuers[0].JWKS = false, "", `{"keys":[`+s.jwk+`]}`
	require.NoError(t, cfg.Verify())
	return cfg
}

func authenticate(t *testing.T, cfg *Config, jwt string) (*caller.Caller, error) {
	t.Helper()
	g := &Gateway{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	auth, err := g.newAuthenticator(nil, uncounted{})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+jwt)
	return auth.Authenticate(r)
}
