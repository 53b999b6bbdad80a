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
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/fault"
)

// claimSet is a JWT's payload; values are as encoding/json writes them.
type claimSet map[string]any

// with returns the claims with others; nil removes one.
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

// recipe reads the settings below a heading of docs/identity-providers.md, puts the application beside them, and the
// test's key in the place of the provider's.
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

// everyRole is where providers keep roles, groups and what users write themselves, with the names that raise a caller.
func everyRole() claimSet {
	both := []string{"application", "admin"}
	return claimSet{
		"roles": both, "role_names": both, "groups": both, "permissions": both, "cognito:groups": both, "cognito:roles": both, "scp": both, "wids": both, "org_role": "admin",
		"realm_access": claimSet{"roles": both}, "resource_access": claimSet{"account": claimSet{"roles": both}}, "https://www.example.org/roles": both,
		"app_metadata": claimSet{"roles": both}, "user_metadata": claimSet{"roles": both}, "o": claimSet{"rol": "admin"},
	}
}

type provider struct {
	heading string
	signer  func() *signer
	typ     string
	claims  claimSet // iss, and what else the documentation shows; times are added
	life    time.Duration
	session string   // the id that is expected
	login   claimSet // what differs at another login of the user
	// otherwise are tokens of the provider that are made for something else, by what they are.
	otherwise map[string]claimSet
}

// providers are as the vendors' documentation shows their tokens.
func providers() []provider {
	at := time.Now().Unix()
	auth0 := claimSet{"iss": "https://example.eu.auth0.com/", "sub": "auth0|5f7c8ec7c33c6c004bbafe82", "aud": "vK2cXExampleClientId", "sid": "Zx9tGVKkYy4", "nonce": "n-0S6_WzA2Mj",
		"name": "Jane Doe", "email": "jane@example.com", "email_verified": true, "updated_at": "2026-05-04T10:00:00.000Z"}
	auth0Access := claimSet{"iss": "https://example.eu.auth0.com/", "sub": "auth0|5f7c8ec7c33c6c004bbafe82", "aud": []string{"https://cloakroom.example.org", "https://example.eu.auth0.com/userinfo"},
		"azp": "vK2cXExampleClientId", "scope": "openid profile", "https://www.example.org/sid": "Zx9tGVKkYy4"}
	const entraIss = "https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0"
	entra := claimSet{"iss": entraIss, "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3", "ver": "2.0", "tid": "9122040d-6c67-4c5b-b112-36a304b66dad", "oid": "00000000-0000-0000-66f3-3332eca7ea81",
		"sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "sid": "24ddb1c1-ae1a-4ae1-9fd5-9b3fcbd3b9b3", "nbf": at, "uti": "fqiBqXLPj0eQa82S-IYFAA", "rh": "0.AXoA",
		"name": "Abe Lincoln", "preferred_username": "abeli@example.com"}
	const pool = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_ExaMple12"
	cognito := claimSet{"iss": pool, "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "aud": "1example23456789abcdefghij", "token_use": "id", "auth_time": at, "origin_jti": "aaaaaaaa-1111-2222-3333",
		"event_id": "64f513be", "jti": "11111111", "cognito:username": "janedoe", "email": "janedoe@example.com", "email_verified": true}
	cognitoAccess := claimSet{"iss": pool, "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "client_id": "1example23456789abcdefghij", "token_use": "access", "scope": "phone openid", "auth_time": at,
		"origin_jti": "aaaaaaaa-1111-2222-3333", "event_id": "64f513be", "jti": "22222222", "username": "janedoe", "version": 2}
	keycloak := claimSet{"iss": "https://login.example.org/realms/shop", "aud": "shop-web", "sub": "f:1:jane", "typ": "ID", "azp": "shop-web", "sid": "bfb4f0b3-3ab9", "auth_time": at, "jti": "onrtac:1",
		"acr": "1", "at_hash": "x", "preferred_username": "jane"}
	keycloakAccess := claimSet{"iss": "https://login.example.org/realms/shop", "aud": []string{"https://cloakroom.example.org", "account"}, "sub": "f:1:jane", "typ": "Bearer", "azp": "shop-web", "sid": "bfb4f0b3-3ab9",
		"jti": "onrtac:2", "acr": "1", "allowed-origins": []string{"https://www.example.org"}, "scope": "openid email"}
	okta := claimSet{"iss": "https://example.okta.com/oauth2/default", "ver": 1, "sub": "00uid4BxXw6I6TV4m0g3", "aud": "0oa1exampleClientId", "jti": "ID.4eAWJOCMB3SX8XewDfVR", "amr": []string{"pwd"},
		"idp": "00ok1u7AsAkrwdZL3z0g3", "auth_time": 1767225600, "at_hash": "x", "preferred_username": "jane@example.com"}
	oktaAccess := claimSet{"iss": "https://example.okta.com/oauth2/default", "ver": 1, "sub": "jane@example.com", "aud": "api://cloakroom", "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
		"cid": "0oa1exampleClientId", "uid": "00uid4BxXw6I6TV4m0g3", "scp": []string{"openid"}, "auth_time": 1767225600}
	firebase := claimSet{"iss": "https://securetoken.google.com/shop-1234", "aud": "shop-1234", "auth_time": 1767225600, "user_id": "dXFmT1", "sub": "dXFmT1", "email": "jane@example.com",
		"firebase": claimSet{"identities": claimSet{"email": []string{"jane@example.com"}}, "sign_in_provider": "password"}}
	clerk := claimSet{"iss": "https://clerk.example.org", "azp": "https://www.example.org", "sub": "user_2Nexample", "sid": "sess_123", "fva": []int{7, -1}, "v": 2, "nbf": at - 10,
		"o": claimSet{"id": "org_123", "slg": "org-slug"}}
	supabase := claimSet{"iss": "https://abcdefghijklmnopqrst.supabase.co/auth/v1", "aud": "authenticated", "sub": "123e4567-e89b-12d3-a456-426614174000", "role": "authenticated", "aal": "aal1",
		"session_id": "6f4d5c2e-1", "email": "jane@example.com", "phone": "", "is_anonymous": false, "amr": []claimSet{{"method": "password", "timestamp": at}}}
	google := claimSet{"iss": "https://accounts.google.com", "azp": "1234987819200.apps.googleusercontent.com", "aud": "1234987819200.apps.googleusercontent.com", "sub": "10769150350006150715113082367",
		"at_hash": "x", "hd": "example.com", "email": "jane@example.com", "email_verified": true, "nonce": "0394852-3190485-2490358"}
	return []provider{
		{"Auth0, ID tokens", rsaSigner, "JWT", auth0, 10 * time.Hour, "Zx9tGVKkYy4", claimSet{"sid": "other"}, map[string]claimSet{"an access token": auth0Access}},
		{"Auth0, access tokens", rsaSigner, "JWT", auth0Access, 2 * time.Hour, "Zx9tGVKkYy4", claimSet{"https://www.example.org/sid": "other"}, map[string]claimSet{
			"an ID token": auth0, "without the Action": auth0Access.with(claimSet{"https://www.example.org/sid": nil}),
			"a machine's": {"iss": auth0["iss"], "sub": "vK2c@clients", "aud": "https://cloakroom.example.org", "azp": "vK2c", "gty": "client-credentials"},
		}},
		{"Auth0, access tokens", rsaSigner, "at+jwt", auth0Access.with(claimSet{"azp": nil, "client_id": "vK2cXExampleClientId", "jti": "73WakrfVbNJBaAmhQtEeDv"}), time.Hour, "Zx9tGVKkYy4",
			claimSet{"https://www.example.org/sid": "other"}, nil},
		{"Microsoft Entra ID", rsaSigner, "JWT", entra, 90 * time.Minute, "24ddb1c1-ae1a-4ae1-9fd5-9b3fcbd3b9b3", claimSet{"sid": "other"}, map[string]claimSet{
			"of another directory": entra.with(claimSet{"iss": "https://login.microsoftonline.com/common/v2.0"}), "of version 1": entra.with(claimSet{"iss": "https://sts.windows.net/9122040d/", "ver": "1.0"}),
			"without sid": entra.with(claimSet{"sid": nil}),
		}},
		{"Amazon Cognito, ID tokens", rsaSigner, "", cognito, time.Hour, "aaaaaaaa-1111-2222-3333", claimSet{"origin_jti": "other"}, map[string]claimSet{
			"an access token": cognitoAccess, "an access token with aud": cognitoAccess.with(claimSet{"aud": cognito["aud"]}), "without origin_jti": cognito.with(claimSet{"origin_jti": nil}),
		}},
		{"Amazon Cognito, access tokens", rsaSigner, "", cognitoAccess, time.Hour, "aaaaaaaa-1111-2222-3333", claimSet{"origin_jti": "other"}, map[string]claimSet{
			"an ID token": cognito, "an ID token with client_id": cognito.with(claimSet{"client_id": cognitoAccess["client_id"]}), "an ID token without aud": cognito.with(claimSet{"aud": nil, "client_id": cognito["aud"]}),
			"another client's": cognitoAccess.with(claimSet{"client_id": "other"}),
		}},
		{"Keycloak, ID tokens", rsaSigner, "JWT", keycloak, 5 * time.Minute, "bfb4f0b3-3ab9", claimSet{"sid": "other"}, map[string]claimSet{
			"an access token": keycloakAccess, "an access token for the client": keycloakAccess.with(claimSet{"aud": "shop-web"}), "a refresh token": keycloak.with(claimSet{"typ": "Refresh"}),
		}},
		{"Keycloak, access tokens", rsaSigner, "JWT", keycloakAccess, 5 * time.Minute, "bfb4f0b3-3ab9", claimSet{"sid": "other"}, map[string]claimSet{
			"an ID token": keycloak, "without the mapper": keycloakAccess.with(claimSet{"aud": "account"}),
		}},
		{"Okta, ID tokens", rsaSigner, "", okta, time.Hour, "00uid4BxXw6I6TV4m0g3-1767225600", claimSet{"auth_time": 1767225601}, map[string]claimSet{
			"an access token": oktaAccess, "without auth_time": okta.with(claimSet{"auth_time": nil}), "with auth_time in text": okta.with(claimSet{"auth_time": []int{1767225600}}),
		}},
		{"Okta, access tokens", rsaSigner, "", oktaAccess, time.Hour, "00uid4BxXw6I6TV4m0g3-1767225600", claimSet{"auth_time": 1767225601}, map[string]claimSet{
			"an ID token": okta, "a machine's": oktaAccess.with(claimSet{"uid": nil, "auth_time": nil, "sub": "0oa1exampleClientId"}),
		}},
		{"Firebase and Identity Platform", rsaSigner, "JWT", firebase, time.Hour, "dXFmT1-1767225600", claimSet{"auth_time": 1767225601}, map[string]claimSet{
			"another project's": firebase.with(claimSet{"iss": "https://securetoken.google.com/other", "aud": "other"}), "a custom token": firebase.with(claimSet{"iss": "x@y.iam.gserviceaccount.com"}),
			"without auth_time": firebase.with(claimSet{"auth_time": nil}),
		}},
		{"Clerk", rsaSigner, "JWT", clerk, time.Minute, "sess_123", claimSet{"sid": "sess_124"}, map[string]claimSet{
			"of another page": clerk.with(claimSet{"azp": "https://evil.example"}), "without azp": clerk.with(claimSet{"azp": nil}), "with azp in a list": clerk.with(claimSet{"azp": []string{"https://www.example.org"}}),
			"pending": clerk.with(claimSet{"sts": "pending"}), "for an audience too": clerk.with(claimSet{"aud": "https://other.example"}), "for the same audience too": clerk.with(claimSet{"aud": "https://www.example.org"}),
			"with aud null": clerk.with(claimSet{"aud": json.RawMessage("null")}), "with aud empty": clerk.with(claimSet{"aud": []string{}}),
		}},
		{"Supabase", ecSigner, "JWT", supabase, time.Hour, "6f4d5c2e-1", claimSet{"session_id": "other"}, map[string]claimSet{
			"anon": supabase.with(claimSet{"role": "anon"}), "service_role": supabase.with(claimSet{"role": "service_role"}), "another project's": supabase.with(claimSet{"iss": "https://zzzz.supabase.co/auth/v1"}),
			"without session_id": supabase.with(claimSet{"session_id": nil}),
		}},
		{"Google", rsaSigner, "JWT", google, time.Hour, "10769150350006150715113082367-0394852-3190485-2490358", claimSet{"nonce": "other"}, map[string]claimSet{
			"without nonce": google.with(claimSet{"nonce": nil}), "of the legacy issuer": google.with(claimSet{"iss": "accounts.google.com"}),
		}},
	}
}

// TestProviders: with the settings of its recipe, a provider's token is its user's session of the application's tenant,
// whatever roles the provider knows; what is made for somebody or something else is refused.
func TestProviders(t *testing.T) {
	for _, p := range providers() {
		t.Run(p.heading+" "+p.typ, func(t *testing.T) {
			s := p.signer()
			cfg := recipe(t, p.heading, s)
			now := time.Now().Truncate(time.Second)
			times := claimSet{"iat": now.Unix(), "exp": now.Add(p.life).Unix()}
			claims := p.claims.with(times)
			accepted := func(claims claimSet) *caller.Caller {
				who, err := authenticate(t, cfg, s.sign(t, p.typ, claims))
				require.NoError(t, err)
				require.Equal(t, "shop", who.Tenant)
				require.False(t, who.IsApplication())
				require.Empty(t, who.Roles)
				return who
			}
			refused := func(name string, claims claimSet) {
				t.Run(name, func(t *testing.T) {
					_, err := authenticate(t, cfg, s.sign(t, p.typ, claims))
					require.Equal(t, fault.Unauthenticated, fault.Public(err).Code)
				})
			}
			who := accepted(claims)
			require.Equal(t, caller.HashSession("shop", p.session), *who.Session)
			require.Equal(t, who.Session, accepted(claims.with(claimSet{"iat": now.Unix() - 1, "jti": "refreshed", "at_hash": "refreshed"})).Session)
			require.NotEqual(t, who.Session, accepted(claims.with(p.login)).Session)
			accepted(claims.with(everyRole()).with(claimSet{"scp": claims["scp"], "o": claims["o"]}))

			audience, value := "aud", cfg.Issuers[0].Audience
			if cfg.Issuers[0].AudienceClaim != "" {
				audience = cfg.Issuers[0].AudienceClaim
				refused("with aud as well", claims.with(claimSet{"aud": value}))
				refused("with aud instead", claims.with(claimSet{"aud": value, audience: nil}))
			} else {
				refused("azp instead of aud", claims.with(claimSet{"aud": nil, "azp": value, "client_id": value}))
			}
			refused("another's", claims.with(claimSet{audience: "somebody-else"}))
			refused("nobody's", claims.with(claimSet{audience: nil}))
			refused("nearly ours", claims.with(claimSet{audience: value + "/"}))
			refused("for too long", claims.with(claimSet{"exp": now.Add(32 * 24 * time.Hour).Unix()}))
			for name, other := range p.otherwise {
				refused(name, other.with(times))
			}
		})
	}
}

// TestProviderRolesByMapping: an explicit mapping, and nothing less, lets a provider's role be the gateway's.
func TestProviderRolesByMapping(t *testing.T) {
	p := providers()[7]
	require.Equal(t, "Keycloak, access tokens", p.heading)
	now := time.Now()
	claims := p.claims.with(claimSet{"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "realm_access": claimSet{"roles": []string{"vault-client"}}})
	cfg := recipe(t, p.heading, p.signer())
	cfg.Issuers[0].Claims.Roles = "realm_access.roles[?@=='vault-client'] && ['application']"
	require.ErrorContains(t, cfg.Verify(), "claims.roles")
	cfg.Issuers[0].TrustRoles = true
	require.NoError(t, cfg.Verify())
	who, err := authenticate(t, cfg, p.signer().sign(t, "JWT", claims))
	require.NoError(t, err)
	require.True(t, who.IsApplication())
	who, err = authenticate(t, cfg, p.signer().sign(t, "JWT", claims.with(everyRole())))
	require.NoError(t, err)
	require.False(t, who.IsApplication())
}

// TestManyGroups: a token of Entra's with 200 groups is of use, and one that is longer than the setting is told so.
func TestManyGroups(t *testing.T) {
	p := providers()[3]
	require.Equal(t, "Microsoft Entra ID", p.heading)
	now := time.Now()
	groups := make([]string, 200)
	for i := range groups {
		groups[i] = fmt.Sprintf("%08x-6c67-4c5b-b112-36a304b66dad", i)
	}
	cfg := recipe(t, p.heading, p.signer())
	jwt := p.signer().sign(t, "JWT", p.claims.with(claimSet{"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "groups": groups}))
	require.Greater(t, len(jwt), 11_000)
	_, err := authenticate(t, cfg, jwt)
	require.NoError(t, err)
	cfg.Credentials.MaxSize = len(jwt) - 1
	_, err = authenticate(t, cfg, jwt)
	require.Equal(t, fault.LimitExceeded, fault.Public(err).Code)
	require.Contains(t, fault.Public(err).Message, "too long")
	require.Contains(t, fault.Public(err).Message, fmt.Sprint(len(jwt)))
	cfg.Credentials.MaxSize = len(jwt)
	_, err = authenticate(t, cfg, jwt)
	require.NoError(t, err)
}
